"""The hashes of one frame: the picture, its mirror image, and its parts.

A copy is cropped, framed or written on in ways that move a whole-picture hash too far, so the
list holds parts of every frame and the question holds the mirror image. Parts are taken of the
picture inside the bars, so that a letterboxed copy has the parts of its original.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pdqhash

from firstseen.hashing.bars import Box
from firstseen.items import Hash, HashType, HashValue

Pixels = npt.NDArray[np.uint8]

# Meta's: below it a hash rests on too little detail (ThreatExchange, pdq/README).
MIN_QUALITY: Final = 50
# Stripes, tables and wood have a quality of 100 and yet hash alike: many of their 256
# coefficients lie at the median. Of 929 photographs 3 are above this, and nearly all false
# matches were.
MAX_FLATNESS: Final = 0.35
_FLAT_LEVELS: Final = 2.0


class FrameForms(StrEnum):
    """Which forms of a frame are hashed."""

    QUERY = "query"
    LEAN = "lean"
    STANDARD = "standard"
    WIDE = "wide"


class Part(NamedTuple):
    """A part of a picture, as shares of its sides."""

    top: float
    left: float
    bottom: float
    right: float


def _centre(share: float) -> Part:
    margin = (1 - share) / 2
    return Part(margin, margin, 1 - margin, 1 - margin)


# Two thirds of the picture each: what is written or stuck on one side leaves two untouched.
TILES: Final = (
    Part(0, 0, 2 / 3, 1),
    Part(1 / 3, 0, 1, 1),
    Part(0, 0, 1, 2 / 3),
    Part(0, 1 / 3, 1, 1),
)
_STANDARD: Final = (
    *(_centre(share) for share in (0.96, 0.92, 0.85, 0.80)),
    *(Part(0.1, 0, 1, 1), Part(0, 0, 0.9, 1), Part(0, 0.1, 1, 1), Part(0, 0, 1, 0.9)),
)
_WIDE: Final = (
    *_STANDARD,
    *(_centre(share) for share in (0.98, 0.90, 0.75, 0.70)),
    *(Part(0.2, 0, 1, 1), Part(0, 0, 0.8, 1), Part(0, 0.2, 1, 1), Part(0, 0, 1, 0.8)),
    *(Part(0.1, 0.1, 1, 1), Part(0.1, 0, 1, 0.9), Part(0, 0.1, 0.9, 1), Part(0, 0, 0.9, 0.9)),
    *(Part(0.05, 0, 1, 1), Part(0, 0, 0.95, 1), Part(0, 0.125, 1, 0.875), Part(0.125, 0, 0.875, 1)),
)
CROPS: Final = {
    FrameForms.QUERY: (),
    FrameForms.LEAN: (),
    FrameForms.STANDARD: _STANDARD,
    FrameForms.WIDE: _WIDE,
}


@dataclass(frozen=True, slots=True)
class Pdq:
    """What PDQ says of a picture.

    Attributes:
        upright: 32 bytes.
        mirrored: 32 bytes, of the picture mirrored left to right.
        quality: 0 to 100.
        flatness: 0 to 1, the share of coefficients at the median.
    """

    upright: bytes
    mirrored: bytes
    quality: int
    flatness: float

    @property
    def is_good(self) -> bool:
        """Whether the hash tells this picture from others."""
        return self.quality >= MIN_QUALITY and self.flatness <= MAX_FLATNESS


def pdq_of(pixels: Pixels) -> Pdq:
    """PDQ of a picture.

    Args:
        pixels: uint8, shape (height, width, 3), RGB.
    """
    pixels = np.ascontiguousarray(pixels)
    forms, quality = pdqhash.compute_dihedral(pixels)
    floats, _ = pdqhash.compute_float(pixels)
    flat = np.abs(floats - np.median(floats)) < _FLAT_LEVELS
    upright, mirrored = (np.packbits(forms[index].astype(np.uint8)).tobytes() for index in (0, 4))
    return Pdq(upright, mirrored, int(quality), float(flat.mean()))


@dataclass(frozen=True, slots=True)
class HashedFrame:
    """A frame by its hashes.

    Attributes:
        offset_ms: from the start of the video.
        whole: of the frame as it is.
        hashes: of the picture, its mirror image when asked for, first; never none.
        parts: of its tiles and crops.
    """

    offset_ms: int
    whole: Pdq
    hashes: tuple[Hash, ...]
    parts: tuple[Hash, ...]


def hash_frame(
    pixels: Pixels, whole: Pdq, box: Box | None, offset_ms: int, forms: FrameForms
) -> HashedFrame | None:
    """Hashes one frame; None when it shows too little to be told from others.

    Args:
        pixels: the frame.
        whole: its PDQ.
        box: the picture inside its bars; None without bars.
        offset_ms: from the start of the video.
        forms: which forms.
    """
    inside = pixels if box is None else box.of(pixels)
    inner = whole if box is None else pdq_of(inside)
    kept = [pdq for pdq in dict.fromkeys((whole, inner)) if pdq.is_good]
    if not kept:
        return None
    hashes = [_hash(pdq.upright, pdq.quality, offset_ms) for pdq in kept]
    if forms is FrameForms.QUERY:
        hashes += [_hash(pdq.mirrored, pdq.quality, offset_ms) for pdq in kept]
    parts = tuple(_parts(inside, offset_ms, forms)) if inner.is_good else ()
    return HashedFrame(offset_ms, whole, tuple(hashes), parts)


def plain_hash(pdq: Pdq, offset_ms: int) -> Hash:
    """The hash of a frame as it is, whatever its quality."""
    return _hash(pdq.upright, pdq.quality, offset_ms)


def _parts(inside: Pixels, offset_ms: int, forms: FrameForms) -> Iterator[Hash]:
    kinds = [(HashType.PDQ_TILE, part) for part in TILES if forms is not FrameForms.LEAN]
    kinds += [(HashType.PDQ, part) for part in CROPS[forms]]
    for hash_type, part in kinds:
        pdq = pdq_of(_cut(inside, part))
        if pdq.is_good:
            yield Hash(hash_type, HashValue(pdq.upright), pdq.quality, offset_ms)


def _cut(pixels: Pixels, part: Part) -> Pixels:
    height, width = pixels.shape[:2]
    rows = slice(round(part.top * height), max(round(part.bottom * height), 1))
    columns = slice(round(part.left * width), max(round(part.right * width), 1))
    return pixels[rows, columns]


def _hash(value: bytes, quality: int, offset_ms: int) -> Hash:
    return Hash(HashType.PDQ, HashValue(value), quality, offset_ms)
