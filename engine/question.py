"""From an item to what is searched for it: for each hash type the values, each once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.entries import position_of
from engine.hashes import SPECS, Hash, HashType, Item, MediaType
from engine.policy import Rules


@dataclass(slots=True)
class Question:
    """The values of one hash type that are searched for an item.

    Attributes:
        values: of each query.
        hash_indexes: which of the item's hashes each query is; of a value that comes twice at the
            same position, the first.
        positions: of each query, as `Columns.positions` has it.
    """

    values: list[bytes] = field(default_factory=list)
    hash_indexes: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def add(self, value: bytes, hash_index: int, position: int) -> None:
        """Adds a query."""
        self.values.append(value)
        self.hash_indexes.append(hash_index)
        self.positions.append(position)

    def queries(self) -> npt.NDArray[np.uint8]:
        """The values as an index takes them: uint8, shape (q, size_bytes)."""
        return np.frombuffer(b"".join(self.values), np.uint8).reshape(len(self.values), -1)


def ask(item: Item, types: Collection[HashType]) -> Mapping[HashType, Question]:
    """What is searched for an item, of the types given."""
    questions: dict[HashType, Question] = {}
    seen: set[tuple[HashType, bytes, int]] = set()
    for index, hash_ in enumerate(item.hashes):
        hash_type = hash_.type
        if hash_type not in types:
            continue
        position = position_of(hash_)
        key = (hash_type, hash_.value, position)
        if key not in seen:
            seen.add(key)
            question = questions.get(hash_type)
            if question is None:
                question = questions[hash_type] = Question()
            question.add(hash_.value, index, position)
    return questions


# What says of a document that it has text.
_TEXT_TYPES: Final = frozenset({HashType.TEXT_SHA256, HashType.SIMHASH, HashType.MINHASH})


def wanted(media_type: MediaType, rules: Rules) -> frozenset[HashType]:
    """The hash types that say something of items of a kind, for callers to send.

    Of a document that is one picture also the picture's; see `worth_as`.
    """
    searched = rules.searched[media_type]
    if media_type is MediaType.DOCUMENT and HashType.PAGE_PDQ in searched:
        searched |= rules.searched[MediaType.IMAGE] & {HashType.PDQ}
    return searched


def worth_as(item: Item, rules: Rules) -> MediaType:
    """What the hits of an item are worth: a picture wrapped in a document what it is by itself."""
    if item.media_type is MediaType.DOCUMENT and _is_one_picture(item, rules):
        return MediaType.IMAGE
    return item.media_type


def _is_one_picture(item: Item, rules: Rules) -> bool:
    """Whether a document is a picture wrapped in a file: one page without text, filled by it.

    Its page and its picture have one hash each, as far apart as the banks let those of a picture
    and its copy be. A page that shows more than the picture, as letters drawn around it, has
    another hash. The page's has to be good, else being near to it says nothing; what the picture's
    quality is worth is then judged as that of any picture.
    """
    rule = rules.types.get(HashType.PDQ)
    if rule is None or any(hash_.type in _TEXT_TYPES for hash_ in item.hashes):
        return False
    pages, pictures = (
        [hash_ for hash_ in item.hashes if hash_.type is kind]
        for kind in (HashType.PAGE_PDQ, HashType.PDQ)
    )
    if len(pages) != 1 or len(pictures) != 1 or not _is_good(pages[0], rules):
        return False
    apart = int.from_bytes(pages[0].value) ^ int.from_bytes(pictures[0].value)
    return apart.bit_count() <= rule.max_distance_bits


def _is_good(hash_: Hash, rules: Rules) -> bool:
    """Whether a hash is good enough for every known bank; where none lists it, by default."""
    rule = rules.types.get(hash_.type)
    known = rule if rule is not None and rule.listed else None
    least = SPECS[hash_.type].default_min_quality if known is None else known.min_quality
    return (hash_.quality or 0) >= least
