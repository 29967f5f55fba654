"""Hashes and items: what a client sends and what a bank lists.

Hash types and media types carry the numbers of `firstseen.v1`, so that stores,
wires and logs agree. Nothing here hashes media, and nothing here knows banks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final, TypeVar, dataclass_transform

from engine.errors import InvalidInputError

MAX_QUALITY: Final = 100  # PDQ's own scale, Meta's reference implementation
MAX_FRAME_OFFSET_MS: Final = 7 * 24 * 3600 * 1000  # a week: longer than any clip that is shared
MAX_PAGE_INDEX: Final = 999_999


_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True)
def quick_value(cls: type[_Class]) -> type[_Class]:
    """A frozen dataclass for the type checker, and quick to make.

    One that Python keeps frozen takes three times as long, and each check makes some.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


class HashType(IntEnum):
    """What kind of hash a value is; numbers as in `firstseen.v1.HashType`."""

    __hash__ = int.__hash__  # Enum's is a Python function, and called for every lookup

    PDQ = 1
    SHA256 = 2
    MD5 = 3
    PDQ_TILE = 4
    VIDEOHASH = 16
    TEXT_SHA256 = 32
    SIMHASH = 33
    MINHASH = 34
    TLSH = 35
    PAGE_PDQ = 36


class MediaType(IntEnum):
    """What kind of content an item is; numbers as in `firstseen.v1.MediaType`."""

    __hash__ = int.__hash__  # Enum's is a Python function, and called for every lookup

    IMAGE = 1
    VIDEO = 2
    DOCUMENT = 3


@dataclass(frozen=True, slots=True)
class HashSpec:
    """What holds for every hash of a type.

    Attributes:
        size_bytes: bytes in a value.
        perceptual: compared by Hamming distance; else by equality.
        has_quality: says how much detail it rests on.
        max_distance_bits: the largest limit a bank may set.
        default_distance_bits: the limit of a bank that sets none.
        default_min_quality: the quality limit of a bank that sets none.
        near_distance_bits: how far a hash is still worth a person's look; 0 for no further
            than it matches.
    """

    size_bytes: int
    perceptual: bool = False
    has_quality: bool = False
    max_distance_bits: int = 0
    default_distance_bits: int = 0
    default_min_quality: int = 0
    near_distance_bits: int = 0

    @property
    def size_bits(self) -> int:
        """Bits in a value."""
        return self.size_bytes * 8


def _pdq(default_distance_bits: int, near_distance_bits: int = 0) -> HashSpec:
    return HashSpec(
        32,
        perceptual=True,
        has_quality=True,
        max_distance_bits=64,
        default_distance_bits=default_distance_bits,
        default_min_quality=50,
        near_distance_bits=near_distance_bits,
    )


# PDQ: 31 of 256 bits and quality 50 are Meta's published defaults (ThreatExchange, pdq/README).
# Unrelated photographs are never nearer than 86 bits in 431,056 pairs, so 64 leaves
# no room for a bank that matches everything; up to 44 bits 7 of 100 more edits are found, and
# still no unrelated photograph, but pictures in the same frame of text or phone are. Pages:
# unrelated ones are never nearer than 46 bits in 186,635 pairs. SimHash: 92 bits in 13,777 pairs of
# texts that share under 30 % of their grams; MinHash: 89
# bits in 309,075 pairs of documents.
# videohash: 10 bits are its author's limit (15 % of 64).
SPECS: Final[Mapping[HashType, HashSpec]] = MappingProxyType(
    {
        HashType.PDQ: _pdq(default_distance_bits=31, near_distance_bits=44),
        HashType.SHA256: HashSpec(32),
        HashType.MD5: HashSpec(16),
        HashType.PDQ_TILE: _pdq(default_distance_bits=31),
        HashType.VIDEOHASH: HashSpec(
            8, perceptual=True, max_distance_bits=16, default_distance_bits=10
        ),
        HashType.TEXT_SHA256: HashSpec(32),
        HashType.SIMHASH: HashSpec(
            32, perceptual=True, max_distance_bits=80, default_distance_bits=60
        ),
        HashType.MINHASH: HashSpec(
            32, perceptual=True, max_distance_bits=70, default_distance_bits=48
        ),
        HashType.TLSH: HashSpec(35),
        HashType.PAGE_PDQ: _pdq(default_distance_bits=40),
    }
)

_FILE_TYPES: Final = frozenset({HashType.SHA256, HashType.MD5})

# What a verdict on each media type may rest on; `evidence` says how.
JUDGED_TYPES: Final[Mapping[MediaType, frozenset[HashType]]] = MappingProxyType(
    {
        MediaType.IMAGE: _FILE_TYPES | {HashType.PDQ, HashType.PDQ_TILE},
        MediaType.VIDEO: _FILE_TYPES | {HashType.PDQ, HashType.PDQ_TILE},
        MediaType.DOCUMENT: _FILE_TYPES
        | {
            HashType.TEXT_SHA256,
            HashType.SIMHASH,
            HashType.MINHASH,
            HashType.PAGE_PDQ,
        },
    }
)

# What besides a reviewer may want to see: it supports a decision and never makes one.
SUPPORTING_TYPES: Final[Mapping[MediaType, frozenset[HashType]]] = MappingProxyType(
    {
        MediaType.IMAGE: frozenset(),
        MediaType.VIDEO: frozenset({HashType.VIDEOHASH}),
        MediaType.DOCUMENT: frozenset({HashType.PDQ, HashType.TLSH}),
    }
)


class HashValue(bytes):
    """The bytes of a hash; its text form never shows them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<hash of {len(self)} bytes>"

    __str__ = __repr__


@quick_value
class Hash:
    """One hash of an item.

    Attributes:
        type: what kind of hash.
        value: its bytes, as many as the type has.
        quality: 0 to 100 for a hash of a type that has one, None when it is not known.
        frame_offset_ms: where in a video it was taken.
        page_index: where in a document it was taken, from 0.

    Raises:
        InvalidInputError: the fields do not fit the type.
    """

    type: HashType
    value: HashValue
    quality: int | None = None
    frame_offset_ms: int | None = None
    page_index: int | None = None

    def __post_init__(self) -> None:
        spec = SPECS[self.type]
        if len(self.value) != spec.size_bytes:
            raise InvalidInputError("value", f"{len(self.value)} bytes, want {spec.size_bytes}")
        if self.quality is not None:
            if not spec.has_quality:
                raise InvalidInputError("quality", f"{self.type.name} has none")
            if not 0 <= self.quality <= MAX_QUALITY:
                raise InvalidInputError("quality", f"want 0 to {MAX_QUALITY}")
        if self.frame_offset_ms is not None or self.page_index is not None:
            self._check_position()

    def _check_position(self) -> None:
        if self.frame_offset_ms is not None and self.page_index is not None:
            raise InvalidInputError("page_index", "a hash is of a frame or of a page, not both")
        if (
            self.frame_offset_ms is not None
            and not 0 <= self.frame_offset_ms <= MAX_FRAME_OFFSET_MS
        ):
            raise InvalidInputError("frame_offset_ms", f"want 0 to {MAX_FRAME_OFFSET_MS}")
        if self.page_index is not None and not 0 <= self.page_index <= MAX_PAGE_INDEX:
            raise InvalidInputError("page_index", f"want 0 to {MAX_PAGE_INDEX}")


@quick_value
class Item:
    """One piece of content, known only by its hashes.

    Raises:
        InvalidInputError: there is no hash.
    """

    media_type: MediaType
    hashes: tuple[Hash, ...]

    def __post_init__(self) -> None:
        if not self.hashes:
            raise InvalidInputError("hashes", "empty, want at least one")
