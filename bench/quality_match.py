"""Which items of a bank an edited copy is found as.

Firstseen is asked by its own engine; the rules of its peers are in `bench/quality_peer_match.py`. A
rule is built from the items of a bank and asked with one item at a time. It knows no files
and hashes nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.entries import Checkpoint, ItemId, Labels, ListedItem, columns_of
from engine.faiss_index import FaissFlatIndex
from engine.hashes import Hash as EngineHash
from engine.hashes import HashType as EngineType
from engine.hashes import HashValue as EngineValue
from engine.hashes import Item as EngineItem
from engine.hashes import MediaType
from engine.index import NO_HITS, Hits
from engine.policy import Bank, BankId, BankPolicy, default_types
from engine.snapshot import Snapshot
from engine.store import Contents
from engine.verdict import Strength
from firstseen.items import Hash, HashType, Item

# Meta's published limit of PDQ and what it calls enough quality (ThreatExchange, pdq/README).
PDQ_BITS: Final = 31
MIN_QUALITY: Final = 50


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule says of one item.

    Attributes:
        match: numbers of the bank's items that it is a copy of.
        near: numbers of others that a person should compare it with.
    """

    match: frozenset[int]
    near: frozenset[int] = frozenset()


class Rule(ABC):
    """A way to decide, over the items of one bank."""

    @abstractmethod
    def find(self, item: Item) -> Found:
        """Finds the items that one is a copy of."""


class Listed:
    """The hashes of one type in a bank, and whose they are.

    Attributes:
        owners: shape (n,), the number of the item that each is of.
        offsets: shape (n,), the frame that each is of, in milliseconds.
    """

    def __init__(self, items: Sequence[Item], kind: HashType) -> None:
        pairs = [(number, h) for number, i in enumerate(items) for h in i.hashes if h.type == kind]
        self.owners: Final = np.array([number for number, _ in pairs], np.int64)
        self.offsets: Final = np.array([h.frame_offset_ms or 0 for _, h in pairs], np.int64)
        self._index: Final = FaissFlatIndex.build(_values(h for _, h in pairs))

    def search(self, hashes: Sequence[Hash], max_distance_bits: int) -> Hits:
        """Pairs of one of `hashes` and a listed row within the distance."""
        if not (hashes and len(self.owners)):
            return NO_HITS
        return self._index.search(_values(hashes), max_distance_bits)


def _values(hashes: Iterable[Hash]) -> npt.NDArray[np.uint8]:
    """The values of hashes of 32 bytes: shape (n, 32)."""
    joined = b"".join(h.value for h in hashes)
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def of_type(item: Item, kind: HashType) -> list[Hash]:
    """The hashes of one type in an item."""
    return [h for h in item.hashes if h.type == kind]


class EngineRule(Rule):
    """What Firstseen's own engine says: the whole of it, from bank policy to evidence.

    Args:
        items: the bank; hashes that its default policy would not list are left out.
        types: the hash types to go by, to tell what each of them finds; all by default.
    """

    def __init__(self, items: Sequence[Item], types: Iterable[HashType] = HashType) -> None:
        defaults = default_types()
        policy = BankPolicy(types={kind: defaults[kind] for kind in map(EngineType, types)})
        bank = Bank(BankId(1), "BANK", policy)
        self._numbers: Final[dict[int, int]] = {}
        listed, next_id = [], 1
        for number, item in enumerate(items):
            hashes = tuple(h for h in _engine_hashes(item) if bank.refusal(h) is None)
            if hashes:
                self._numbers[next_id] = number
                own = EngineItem(MediaType(item.media_type), hashes)
                listed.append(ListedItem(ItemId(next_id), bank.bank_id, own, Labels()))
                next_id += len(hashes)
        columns = columns_of(listed)
        digest = sum(own.digest_sum(kind) for kind, own in columns.items())
        checkpoint = Checkpoint.at(1, sum(map(len, columns.values())), digest)
        self._snapshot: Final = Snapshot.of(Contents(checkpoint, (bank,), columns))

    def find(self, item: Item) -> Found:
        """See `Rule.find`."""
        asked = EngineItem(MediaType(item.media_type), tuple(_engine_hashes(item)))
        matches = self._snapshot.matches(asked)
        of = {
            strength: frozenset(self._numbers[m.item_id] for m in matches if m.strength is strength)
            for strength in Strength
        }
        return Found(of[Strength.MATCH], of[Strength.NEAR] - of[Strength.MATCH])


def _engine_hashes(item: Item) -> Iterator[EngineHash]:
    for h in item.hashes:
        kind, value = EngineType(h.type), EngineValue(h.value)
        yield EngineHash(kind, value, h.quality, h.frame_offset_ms, h.page_index)
