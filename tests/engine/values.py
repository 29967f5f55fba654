"""Hash values at known distances, items, and a naive model of the list for the engine's tests.

The stores that tests write to are elsewhere; here nothing touches a disk.
"""

import random
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from hypothesis import settings

from engine.entries import (
    EMPTY_CHECKPOINT,
    Checkpoint,
    Columns,
    EntryId,
    IdRange,
    ItemId,
    Labels,
    ListedItem,
    columns_of,
    item_digests,
    merge_ranges,
)
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from engine.policy import Bank, BankId, BankPolicy, BankRole, TypePolicy
from engine.store import Contents, Delta
from engine.verdict import Match, Verdict
from tests.engine.naive import Naive

SEED: Final = 20_26

# The same examples every time, and no folder of failures beside the checkout.
PROPERTY: Final = settings(derandomize=True, database=None, deadline=None, max_examples=50)


class FakeClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_ms = 5_000

    def monotonic_ms(self) -> int:
        return self.now_ms

    def unix_ms(self) -> int:
        return self.now_ms


def value(number: int, size_bytes: int = 32) -> HashValue:
    """Value number `number`: far from every other one."""
    return HashValue(random.Random(SEED + number).randbytes(size_bytes))


def balanced(number: int) -> HashValue:
    """A value of exactly 128 ones, as a photograph's PDQ hash has."""
    ones = random.Random(SEED + number).sample(range(256), 128)
    return HashValue(sum(1 << bit for bit in ones).to_bytes(32))


def flipped(content: bytes, distance_bits: int, number: int = 0) -> HashValue:
    """A value at exactly this distance; another `number` flips other bits."""
    bits = random.Random(SEED + number).sample(range(len(content) * 8), distance_bits)
    mask = sum(1 << bit for bit in bits)
    return HashValue((int.from_bytes(content) ^ mask).to_bytes(len(content)))


def rows(values: Iterable[bytes], size_bytes: int = 32) -> npt.NDArray[np.uint8]:
    """Values as an index takes them, writable."""
    joined = bytearray(b"".join(values))
    return np.frombuffer(joined, np.uint8).reshape(-1, size_bytes)


def pdq(content: bytes, quality: int | None = 100) -> Hash:
    """A PDQ hash."""
    return Hash(HashType.PDQ, HashValue(content), quality)


def sha256(content: bytes) -> Hash:
    """A SHA-256."""
    return Hash(HashType.SHA256, HashValue(content))


def md5(content: bytes) -> Hash:
    """An MD5."""
    return Hash(HashType.MD5, HashValue(content))


def frame(content: bytes, offset_ms: int, quality: int | None = 100) -> Hash:
    """PDQ of a video's frame."""
    return Hash(HashType.PDQ, HashValue(content), quality, offset_ms)


def tile(content: bytes, offset_ms: int | None = None) -> Hash:
    """A tile of a picture, or of a frame."""
    return Hash(HashType.PDQ_TILE, HashValue(content), 100, offset_ms)


def chunk(content: bytes) -> Hash:
    """A chunk of a text."""
    return Hash(HashType.MINHASH, HashValue(content))


def page(content: bytes, index: int) -> Hash:
    """A page without text."""
    return Hash(HashType.PAGE_PDQ, HashValue(content), 100, page_index=index)


def video(*hashes: Hash) -> Item:
    """A video with these hashes."""
    return Item(MediaType.VIDEO, hashes)


def document(*hashes: Hash) -> Item:
    """A document with these hashes."""
    return Item(MediaType.DOCUMENT, hashes)


def picture(*hashes: Hash) -> Item:
    """A picture with these hashes."""
    return Item(MediaType.IMAGE, hashes)


def bank(
    number: int = 1,
    role: BankRole = BankRole.KNOWN,
    *,
    enabled: bool = True,
    types: Mapping[HashType, TypePolicy] | None = None,
) -> Bank:
    """Bank number `number`; it lists every type at its defaults unless told otherwise."""
    policy = BankPolicy(role, enabled) if types is None else BankPolicy(role, enabled, types)
    return Bank(BankId(number), f"BANK_{number}", policy)


def pdq_limits(max_distance_bits: int, min_quality: int = 50) -> Mapping[HashType, TypePolicy]:
    """A bank's types when it lists only PDQ."""
    return {HashType.PDQ: TypePolicy(max_distance_bits, min_quality)}


def id_ranges(ids: Iterable[int]) -> tuple[IdRange, ...]:
    """These ids as sorted ranges."""
    return merge_ranges(IdRange(EntryId(i), EntryId(i + 1)) for i in ids)


def triples(columns: Columns) -> list[tuple[int, int, int, bytes]]:
    """Entries as entry id, item id, bank id and value."""
    return [
        (int(entry), int(item), int(bank_id), content.tobytes())
        for entry, item, bank_id, content in zip(
            columns.entry_ids, columns.item_ids, columns.bank_ids, columns.values, strict=True
        )
    ]


class ListModel:
    """The list as a dict of items, and what it was at every checkpoint before.

    Attributes:
        banks: every bank.
        listed: what is listed now.
        checkpoint: where the log stands.
    """

    def __init__(self, *banks: Bank) -> None:
        self.banks: tuple[Bank, ...] = banks
        self.listed: dict[ItemId, ListedItem] = {}
        self.checkpoint = EMPTY_CHECKPOINT
        self._before = {EMPTY_CHECKPOINT: frozenset[ItemId]()}
        self._ends: dict[ItemId, EntryId] = {}  # of every item that ever was listed
        self._next_id = 1

    def _step(self) -> Checkpoint:
        digest_sum = sum(sum(item_digests(item)) for item in self.listed.values())
        count = sum(len(item.item.hashes) for item in self.listed.values())
        self.checkpoint = Checkpoint.at(self.checkpoint.sequence + 1, count, digest_sum)
        self._before[self.checkpoint] = frozenset(self.listed)
        return self.checkpoint

    def load(self, bank_id: int, *items: Item) -> list[ItemId]:
        """Lists items, without asking whether they are listed already."""
        ids = []
        for item in items:
            item_id = ItemId(self._next_id)
            listed = ListedItem(item_id, BankId(bank_id), item, Labels())
            self.listed[item_id] = listed
            self._ends[item_id] = listed.end_id
            self._next_id = listed.end_id
            ids.append(item_id)
        self._step()
        return ids

    def withdraw(self, item_ids: Iterable[ItemId]) -> None:
        """Takes items out."""
        for item_id in item_ids:
            self.listed.pop(item_id, None)
        self._step()

    def put_bank(self, new: Bank) -> None:
        """Makes a bank or gives it a new policy."""
        others = [old for old in self.banks if old.bank_id != new.bank_id]
        self.banks = tuple(sorted([*others, new], key=lambda b: b.bank_id))
        self._step()

    def contents(self) -> Contents:
        """As a store would read it."""
        return Contents(self.checkpoint, self.banks, columns_of(self.listed.values()))

    def delta(self, base: Checkpoint) -> Delta:
        """As a store would read it, but with more removed: all that ever was."""
        before = self._before[base]
        added = [item for item_id, item in self.listed.items() if item_id not in before]
        removed = [
            IdRange(EntryId(item_id), end)
            for item_id, end in self._ends.items()
            if item_id not in self.listed
        ]
        return Delta(base, self.checkpoint, self.banks, merge_ranges(removed), columns_of(added))

    def matches(self, item: Item) -> list[Match]:
        """What a snapshot has to find, by comparing everything with everything."""
        return Naive(self.banks, self.listed.values()).matches(item)

    def judge(self, item: Item) -> Verdict:
        """What a snapshot has to say."""
        return Naive(self.banks, self.listed.values()).judge(item)
