"""From an item to what is searched for it: for each hash type the values, each once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.entries import position_of
from engine.hashes import Hash, HashType, Item, MediaType

_INVERSE: Final = bytes(255 - byte for byte in range(256))


@dataclass(slots=True)
class Question:
    """The values of one hash type that are searched for an item.

    Attributes:
        values: of each query.
        hash_indexes: which of the item's hashes each query is; of a value that comes twice at the
            same position, the first.
        positions: of each query, as `Columns.positions` has it.
        inverse: the number of the query that is a negative's, if there is one: its value is the
            complement of the hash that it stands for.
    """

    values: list[bytes] = field(default_factory=list)
    hash_indexes: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    inverse: int | None = None

    def add(self, value: bytes, hash_index: int, position: int) -> None:
        """Adds a query."""
        self.values.append(value)
        self.hash_indexes.append(hash_index)
        self.positions.append(position)

    def queries(self) -> npt.NDArray[np.uint8]:
        """The values as an index takes them: uint8, shape (q, size_bytes)."""
        return np.frombuffer(b"".join(self.values), np.uint8).reshape(len(self.values), -1)


def ask(item: Item, types: Collection[HashType]) -> Mapping[HashType, Question]:
    """What is searched for an item, of the types given.

    The first PDQ hash of a picture is that of the whole picture, upright. A negative of it has
    nearly the complement of its hash, so that is searched too.
    """
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
    if item.media_type is MediaType.IMAGE and (pdq := questions.get(HashType.PDQ)) is not None:
        pdq.inverse = len(pdq.values)
        pdq.add(_inverted(item.hashes[pdq.hash_indexes[0]]), pdq.hash_indexes[0], pdq.positions[0])
    return questions


def _inverted(hash_: Hash) -> bytes:
    return bytes(hash_.value).translate(_INVERSE)
