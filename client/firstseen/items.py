"""What is asked and what is answered: hashes, items, verdicts.

Numbers are those of the contract `firstseen.v1`. Nothing here hashes or calls.
"""

from dataclasses import dataclass
from enum import IntEnum

from firstseen.usage import BYTES, require


class HashType(IntEnum):
    """What kind of hash a value is."""

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


# What of a document is of its file, not of what is in it.
_OF_FILE = frozenset({HashType.SHA256, HashType.MD5, HashType.TLSH})


class MediaType(IntEnum):
    """What kind of content an item is."""

    IMAGE = 1
    VIDEO = 2
    DOCUMENT = 3


class Verdict(IntEnum):
    """What the engine says of an item; see docs/protocol.md for what to do with it."""

    KNOWN = 1
    NOVEL = 2
    UNSURE = 3
    UNSUPPORTED = 4


class HashValue(bytes):
    """The bytes of a hash; its text form never shows them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<hash of {len(self)} bytes>"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Hash:
    """One hash of an item.

    Attributes:
        type: what kind of hash.
        value: its bytes.
        quality: 0 to 100 for PDQ, its tiles and pages; None for every other type.
        frame_offset_ms: of a video's frame, from the start; of a `VIDEOHASH`, the length of
            the clip; None when it is of no frame.
        page_index: of a document's page, 0 is the first; None when it is of no page.

    Raises:
        UsageError: the value is no bytes.
    """

    type: HashType
    value: HashValue
    quality: int | None = None
    frame_offset_ms: int | None = None
    page_index: int | None = None

    def __post_init__(self) -> None:
        # Of a number, bytes() would make as many zeros.
        require("value", self.value, BYTES, "the bytes of a hash")
        # Plain bytes, which the type checker would refuse, would show in the text form.
        object.__setattr__(self, "value", HashValue(self.value))


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of content, known only by its hashes."""

    media_type: MediaType
    hashes: tuple[Hash, ...]

    def only(self, types: frozenset[HashType]) -> "Item":
        """The item with no other hashes than those of `types`."""
        return Item(self.media_type, tuple(h for h in self.hashes if h.type in types))

    def may_be_one_picture(self) -> bool:
        """Whether a document has no text, and one page and one picture, which may be the same."""
        of_pictures = sorted(h.type for h in self.hashes if h.type not in _OF_FILE)
        return of_pictures == [HashType.PDQ, HashType.PAGE_PDQ]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The list an item was judged by.

    Attributes:
        sequence: how many changes the list has seen.
        entry_count: how many hashes it has.
        digest: 32 bytes, the same for equal lists.
    """

    sequence: int
    entry_count: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine says of an item, and by which list."""

    verdict: Verdict
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Policy:
    """What a server judges, and the limits it holds its callers to.

    Attributes:
        judged: for each media type, the hash types worth sending.
        max_hashes_per_item: of one item.
        max_items_in_flight: unanswered items of one stream.
        max_message_bytes: of one message.
        checkpoint: the list being served.
        list_age_ms: since the server last knew that it has the newest list.
    """

    judged: dict[MediaType, frozenset[HashType]]
    max_hashes_per_item: int
    max_items_in_flight: int
    max_message_bytes: int
    checkpoint: Checkpoint
    list_age_ms: int
