"""The forms of a picture that are hashed: what is listed of one, and what is asked about.

A bank lists a picture and the crops of it that are made most often; a query looks for a
picture with its borders and a phone's screen taken off, mirrored and turned. Where a copy
differs from the original on both sides, the two meet.

A derived hash that tells nothing is dropped: plain ground and patterns match one another.
Of a question, the upright hash of the whole picture never is: a blurred or a dim copy must
still be found.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum
from typing import Final

from firstseen.hashing.luma import Box, Luma
from firstseen.hashing.pdq import MAX_FLATNESS, Pdq
from firstseen.hashing.trim import border_trim, inner_pictures
from firstseen.items import Hash, HashType, HashValue

_COMPLEMENT: Final = bytes(255 - byte for byte in range(256))

_Sides = tuple[float, float, float, float]
"""What to cut off at left, top, right and bottom, in shares of the side."""


class BankProfile(Enum):
    """How many forms of a listed picture a bank holds.

    Of 68 edits of 300 photographs, at 31 bits: lean 62 % found, standard 73 %, wide 79 %.
    """

    LEAN = "lean"  # whole and trimmed
    STANDARD = "standard"  # and eight crops and four tiles: 14 hashes at most
    WIDE = "wide"  # and sixteen more crops: 30 hashes at most


def _centre(share: float) -> _Sides:
    return ((1 - share) / 2,) * 4


def _each_side(cut: float) -> tuple[_Sides, ...]:
    return ((cut, 0, 0, 0), (0, cut, 0, 0), (0, 0, cut, 0), (0, 0, 0, cut))


_STANDARD_CROPS: Final = (*map(_centre, (0.96, 0.92, 0.85, 0.80)), *_each_side(0.10))
_WIDE_CROPS: Final = (
    *_STANDARD_CROPS,
    *map(_centre, (0.90, 0.75, 0.70)),
    *_each_side(0.20),
    *_each_side(0.05),
    *((left, top, 0.10 - left, 0.10 - top) for left in (0, 0.10) for top in (0, 0.10)),
)  # and the square
_CROPS: Final = {
    BankProfile.LEAN: (),
    BankProfile.STANDARD: _STANDARD_CROPS,
    BankProfile.WIDE: _WIDE_CROPS,
}
# A part needs something to be told by: PDQ looks at 16 frequencies a side.
_LEAST_PIXELS: Final = 32
_TILES: Final = _each_side(1 / 3)
# Of 46 copies of 102 pixels, 3 were 34 or 36 bits from originals of 1,024; as if enlarged, none.
_LARGE_SIDE: Final = 512


def query_hashes(luma: Luma, *, dihedral: bool = True) -> tuple[Hash, ...]:
    """The hashes to look a picture up by.

    Args:
        luma: the picture.
        dihedral: each form also mirrored and turned, and the whole as a negative, at no cost
            here.

    Returns:
        At most 25 PDQ hashes, the upright one of the whole first; then at most four tiles.
    """
    whole = luma.pdq()
    upright = whole.hash()
    seen = _large(luma)
    boxes = [seen.whole, *filter(_is_large_enough, inner_pictures(luma))]
    forms = [seen.forms(box) if dihedral else (seen.pdq_of_part(box),) for box in boxes]
    if seen is luma:  # its upright form is `whole` but for rounding
        forms[0] = (whole, *forms[0][1:])
    kept = [forms[0], *(each for each in forms[1:] if each[0].is_telling)]
    hashes = [pdq.hash() for each in kept for pdq in each]
    negative = [_negative(upright)] if dihedral and whole.is_telling else []
    return tuple(dict.fromkeys([upright, *hashes, *negative, *_tiles(seen)]))


def _large(luma: Luma) -> Luma:
    """The same, or as if enlarged: of a small picture PDQ takes single pixels, off their centre."""
    return luma if min(luma.size) >= _LARGE_SIDE else luma.enlarged(_LARGE_SIDE)


def _negative(hash_: Hash) -> Hash:
    """The hash of a picture's negative: each coefficient changes its sign, and so each bit."""
    return replace(hash_, value=HashValue(hash_.value.translate(_COMPLEMENT)))


def bank_hashes(luma: Luma, profile: BankProfile = BankProfile.STANDARD) -> tuple[Hash, ...]:
    """The hashes to list a picture by.

    Returns:
        The upright PDQ hash of the whole first, then those of its parts. A picture of too
        little quality has no parts that tell more, and a bank's policy refuses its one hash;
        a pattern has none, since unrelated ones are 27 bits apart.
    """
    whole = luma.pdq()
    if whole.flatness > MAX_FLATNESS:
        return ()
    if not whole.is_telling:
        return (whole.hash(),)
    seen = _large(luma)
    trimmed = border_trim(luma)
    parts = [seen.whole] if seen is not luma else []
    parts += [trimmed] if trimmed is not None else []
    parts += crop_boxes(seen.whole, profile)
    tiles: Iterable[Hash] = ()
    if profile is not BankProfile.LEAN:
        tiles = _tiles(seen)
    hashes = (pdq.hash() for pdq in telling(seen, parts))
    return tuple(dict.fromkeys([whole.hash(), *hashes, *tiles]))


def tile_boxes(inside: Box) -> tuple[Box, ...]:
    """Two thirds of a part of a picture, four times: without its left, top, right and bottom."""
    return tuple(_cut(inside, sides) for sides in _TILES)


def crop_boxes(inside: Box, profile: BankProfile) -> tuple[Box, ...]:
    """The crops of a part of a picture that a bank lists."""
    boxes = tuple(_cut(inside, sides) for sides in _CROPS[profile])
    return (*boxes, _square(inside)) if profile is BankProfile.WIDE else boxes


def _tiles(luma: Luma) -> Iterator[Hash]:
    return (pdq.hash(HashType.PDQ_TILE) for pdq in telling(luma, tile_boxes(luma.whole)))


def telling(luma: Luma, boxes: Iterable[Box]) -> Iterator[Pdq]:
    """PDQ of those parts of a picture that tell it from others."""
    pdqs = (luma.pdq_of_part(box) for box in boxes if _is_large_enough(box))
    return (pdq for pdq in pdqs if pdq.is_telling)


def _is_large_enough(box: Box) -> bool:
    return min(box.width, box.height) >= _LEAST_PIXELS


def _cut(inside: Box, sides: _Sides) -> Box:
    left, top, right, bottom = sides
    return Box(
        inside.left + round(inside.width * left),
        inside.top + round(inside.height * top),
        inside.right - round(inside.width * right),
        inside.bottom - round(inside.height * bottom),
    )


def _square(inside: Box) -> Box:
    """The largest square in the middle."""
    side = min(inside.width, inside.height)
    left = inside.left + (inside.width - side) // 2
    top = inside.top + (inside.height - side) // 2
    return Box(left, top, left + side, top + side)
