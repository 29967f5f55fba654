"""The hashes of one frame: the picture, its mirror image, and its parts.

A copy is cropped, framed or written on in ways that move a whole-picture hash too far, so the
list holds parts of every frame and the question holds the mirror image. Parts are taken of the
picture inside the bars, so that a letterboxed copy has the parts of its original, and of the
frame with its bars.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from firstseen.hashing.forms import BankProfile, crop_boxes, telling, tile_boxes
from firstseen.hashing.frames import Frame
from firstseen.hashing.luma import Box, Luma
from firstseen.hashing.pdq import Pdq
from firstseen.items import Hash, HashType


@dataclass(frozen=True, slots=True)
class HashedFrame:
    """A frame by its hashes.

    Attributes:
        offset_ms: from the start of the video.
        whole: PDQ of the frame as it is.
        hashes: of the picture with and without its bars, as it is first; never none.
        parts: of its tiles and crops.
        is_between: see `Frame`.
    """

    offset_ms: int
    whole: Hash
    hashes: tuple[Hash, ...]
    parts: tuple[Hash, ...]
    is_between: bool = False


def asked_frame(
    luma: Luma, whole: Pdq, inside: Box, frame: Frame, *, mirrored: bool
) -> HashedFrame | None:
    """Hashes a frame that is asked about; None when it shows too little to be told from others.

    Args:
        luma: the frame.
        whole: its PDQ.
        inside: the picture inside its bars.
        frame: which it is; one between has no parts.
        mirrored: the mirror image as well.
    """
    kept = _kept(luma, whole, inside)
    hashes = [pdq.hash() for pdq in kept]
    if mirrored:
        hashes += [pdq.mirrored() for pdq in kept]
    grounds = () if frame.is_between else _grounds(luma, inside)
    parts = [tile for box in grounds for tile in _tiles(luma, box)]
    return _frame(frame, whole, hashes, parts)


def listed_frame(
    luma: Luma, whole: Pdq, inside: Box, frame: Frame, profile: BankProfile
) -> HashedFrame | None:
    """Hashes a frame that is listed; else as `asked_frame`.

    Args:
        luma: the frame.
        whole: its PDQ.
        inside: the picture inside its bars.
        frame: which it is.
        profile: which of its parts.
    """
    hashes = [pdq.hash() for pdq in _kept(luma, whole, inside)]
    parts: list[Hash] = []
    if profile is not BankProfile.LEAN:
        for box in _grounds(luma, inside):
            parts += [*_tiles(luma, box), *_crops(luma, box, profile)]
    return _frame(frame, whole, hashes, parts)


def of_frame(hash_: Hash, offset_ms: int) -> Hash:
    """The same hash, as a frame's."""
    return dataclasses.replace(hash_, frame_offset_ms=offset_ms)


def _kept(luma: Luma, whole: Pdq, inside: Box) -> list[Pdq]:
    """The frame and the picture inside its bars; a dark frame in bright bars is neither."""
    kept = [whole] if whole.is_telling else []
    return kept if inside == luma.whole else [*kept, *telling(luma, [inside])]


def _grounds(luma: Luma, inside: Box) -> tuple[Box, ...]:
    """What parts are taken of: the picture inside its bars, and the frame with them.

    A copy may be cropped with its bars on, and a band with words over the foot of a picture
    looks like a bar while the picture is still whole.
    """
    return (inside,) if inside == luma.whole else (inside, luma.whole)


def _tiles(luma: Luma, inside: Box) -> Iterator[Hash]:
    return (pdq.hash(HashType.PDQ_TILE) for pdq in telling(luma, tile_boxes(inside)))


def _crops(luma: Luma, inside: Box, profile: BankProfile) -> Iterator[Hash]:
    return (pdq.hash() for pdq in telling(luma, crop_boxes(inside, profile)))


def _frame(frame: Frame, whole: Pdq, hashes: list[Hash], parts: list[Hash]) -> HashedFrame | None:
    if not hashes:  # then its parts would tell as little
        return None
    at_ms = frame.offset_ms
    own = dict.fromkeys(of_frame(hash_, at_ms) for hash_ in hashes)
    others = dict.fromkeys(of_frame(hash_, at_ms) for hash_ in parts)
    return HashedFrame(at_ms, whole.hash(), tuple(own), tuple(others), frame.is_between)
