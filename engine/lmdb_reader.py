"""Reading the store on LMDB, beside its writer.

Tables (see `lmdb_env.Table`):

    meta    b"store" -> id and birth, b"head" -> Head
    log     sequence u64 -> LogRecord
    banks   bank id u16 -> Bank
    items   item id u64 (that of its first entry) -> item with its hashes and labels
    values  bank id u16, hash type u8, value -> entry ids u64, sorted (the reverse map)

The reverse map answers "is this listed already" and "which item lists this value";
searching by distance is the snapshot's business.
"""

import struct
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, Self

import numpy as np

from engine import records
from engine.entries import (
    EMPTY_CHECKPOINT,
    Checkpoint,
    Columns,
    ColumnsBuilder,
    EntryHead,
    EntryId,
    IdRange,
    ItemId,
    ListedItem,
    NewItem,
    merge_ranges,
)
from engine.errors import CorruptError, InvalidInputError, LogTruncatedError
from engine.hashes import SPECS, Hash, HashType, HashValue, Item
from engine.lmdb_env import FORMAT_VERSION, Environment, Table, Transaction
from engine.log_span import span
from engine.policy import Bank, BankId
from engine.progress import Stage, untold
from engine.records import Head
from engine.store import Contents, Delta, LoadResult, LogRecord
from engine.turns import in_turns

STORE_KEY: Final = b"store"
HEAD_KEY: Final = b"head"
BIRTH: Final = struct.Struct(">16sQ")  # store id, created
U16: Final = struct.Struct(">H")
U64: Final = struct.Struct(">Q")
VALUE_KEY: Final = struct.Struct(">HB")
_TOLD_ENTRIES: Final = 65_536  # a fifth of a second
# Of items that are read at once: some tenths of a millisecond; of large ones a millisecond.
_BLOCK_ITEMS: Final = 512
_BLOCK_BYTES: Final = 1 << 17
_FEW_ITEMS: Final = 8  # under so many, one by one is as quick

Row = tuple[bytes, bytes]
"""A key and what is stored under it."""


def entries_with(txn: Transaction, key: bytes) -> list[EntryId]:
    """The entries under a key of the reverse map."""
    return [EntryId(U64.unpack(stored)[0]) for stored in txn.duplicates(Table.VALUES, key)]


def item_of(txn: Transaction, entry_id: EntryId) -> ItemId:
    """The item an entry belongs to: the last one that begins at or before it.

    Raises:
        CorruptError: there is none.
    """
    key = txn.floor_key(Table.ITEMS, U64.pack(entry_id))
    if key is None:
        raise CorruptError(f"entry {entry_id}: belongs to no item")
    return ItemId(U64.unpack(key)[0])


def value_key(bank_id: int, hash_: Hash) -> bytes:
    """The key of a hash in the reverse map."""
    return VALUE_KEY.pack(bank_id, hash_.type) + hash_.value


def _probe(item: Item) -> Hash:
    """The hash by which to look for an equal item: an exact one is shared the least."""
    for hash_ in item.hashes:
        if not SPECS[hash_.type].perceptual:
            return hash_
    return item.hashes[0]


def _blocks(txn: Transaction, part: IdRange) -> Iterator[list[Row]]:
    """The items of a range, some at a time: of large ones fewer."""
    end_key = U64.pack(part.end)
    block: list[Row] = []
    size_bytes = 0
    for row in txn.scan(Table.ITEMS, U64.pack(part.first)):
        if row[0] >= end_key:
            break
        block.append(row)
        size_bytes += len(row[1])
        if len(block) >= _BLOCK_ITEMS or size_bytes >= _BLOCK_BYTES:
            yield block
            block, size_bytes = [], 0
    if block:
        yield block


def _record_size(row: Row) -> int:
    return len(row[1])


def _add(builders: Mapping[int, ColumnsBuilder], run: Sequence[Row]) -> int:
    """Adds the entries of a run of items; returns how many.

    Raises:
        CorruptError: a record is damaged.
    """
    if len(run) >= _FEW_ITEMS:
        keys, stored = zip(*run, strict=True)
        item_ids = np.frombuffer(b"".join(keys), ">u8").astype(np.uint64)
        alike = records.decode_alike(item_ids, stored)
        if alike is not None:
            for hash_type, columns in alike.items():
                builders[hash_type].extend(columns)
            return sum(map(len, alike.values()))
    count = 0
    for key, record in run:
        item_id = int.from_bytes(key)
        bank_id, media_type, entries = records.decode_entries(record, f"item {item_id}")
        item = EntryHead(item_id, bank_id, media_type)
        for entry_id, (number, value, position) in enumerate(entries, item_id):
            builders[number].add(entry_id, item, value, position)
        count += len(entries)
    return count


@dataclass(frozen=True, slots=True)
class StoreStat:
    """How large a store is.

    Attributes:
        store_id: made with the store, kept by its backups.
        created_unix_ms: when it was made.
        format_version: of the store as a whole.
        used_bytes: of `map_size_bytes`, what is in use.
        map_size_bytes: the most it can grow to.
        items_by_bank: listed items of each bank.
        entries_by_type: listed hashes of each type.
    """

    store_id: str
    created_unix_ms: int
    format_version: int
    used_bytes: int
    map_size_bytes: int
    items_by_bank: Mapping[BankId, int]
    entries_by_type: Mapping[HashType, int]


class LmdbReader:
    """A store opened for reading; see `engine.store.StoreReader`."""

    _readonly = True

    def __init__(self, path: Path) -> None:
        """Opens the store.

        Raises:
            StoreUnusableError: there is none, it is locked, or of a newer format.
            CorruptError: it is damaged.
        """
        self._path = path
        self._env = Environment(path, readonly=self._readonly)
        # The number of the change that was read last, and the head after it.
        self._seen: tuple[int, Checkpoint] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """See `StoreReader.close`."""
        self._env.close()

    @property
    def environment(self) -> Environment:
        """The file beneath, for checking it."""
        return self._env

    def is_replaced(self) -> bool:
        """Whether the folder now holds another file than the one opened (a restored backup)."""
        return self._env.is_replaced()

    def _head(self, txn: Transaction) -> Head:
        stored = txn.get(Table.META, HEAD_KEY)
        if stored is None:
            raise CorruptError(f"{self._path}: the store has no head")
        return records.decode_head(stored)

    def head(self) -> Checkpoint:
        """See `StoreReader.head`."""
        seen = self._seen
        if seen is not None and seen[0] == self._env.change_number:
            return seen[1]
        with self._env.read() as txn:
            checkpoint = self._head(txn).checkpoint
            self._seen = txn.change_number, checkpoint
        return checkpoint

    def banks(self) -> tuple[Bank, ...]:
        """See `StoreReader.banks`."""
        with self._env.read() as txn:
            return self._banks(txn)

    def _banks(self, txn: Transaction) -> tuple[Bank, ...]:
        return tuple(
            records.decode_bank(BankId(U16.unpack(key)[0]), record)
            for key, record in txn.scan(Table.BANKS)
        )

    def contents(self, stage: Stage = untold) -> Contents:
        """See `StoreReader.contents`."""
        with self._env.read() as txn:
            head = self._head(txn)
            everything = IdRange(EntryId(0), head.next_entry_id)
            total = head.checkpoint.entry_count
            columns = self._columns(txn, [everything], lambda done: stage("read", done, total))
            return Contents(head.checkpoint, self._banks(txn), columns)

    def _columns(
        self,
        txn: Transaction,
        ranges: Sequence[IdRange],
        told: Callable[[int], None] = lambda _: None,
    ) -> Mapping[HashType, Columns]:
        """The entries of the items in the ranges; `told` how many now and then."""
        builders = {int(hash_type): ColumnsBuilder(hash_type) for hash_type in HashType}
        count, told_count = 0, 0
        for part in ranges:
            for block in _blocks(txn, part):
                # Records of one length are mostly laid out alike.
                for _, run in in_turns(groupby(block, _record_size)):
                    count += _add(builders, list(run))
                if count - told_count >= _TOLD_ENTRIES:
                    told_count = count
                    told(count)
        return {
            hash_type: builder.build() if len(builder) else Columns.empty(hash_type)
            for hash_type, builder in zip(HashType, builders.values(), strict=True)
        }

    def delta(self, base: Checkpoint, most_entries: int | None = None) -> Delta:
        """See `StoreReader.delta`."""
        with self._env.read() as txn:
            head = self._head(txn).checkpoint
            if not self._leads_on(txn, base, head):
                raise LogTruncatedError(f"the log does not lead on from sequence {base.sequence}")
            records = list(in_turns(self._log_after(txn, base.sequence)))
            if most_entries is not None:
                records = records[: span(records, most_entries)]
            end = records[-1].checkpoint if records else base
            added = [r.added for r in records if r.added.first < r.added.end]
            removed = [part for record in records for part in record.removed]
            columns = self._columns(txn, merge_ranges(added))
            return Delta(base, end, self._banks(txn), merge_ranges(removed), columns)

    def _leads_on(self, txn: Transaction, base: Checkpoint, head: Checkpoint) -> bool:
        if base.sequence > head.sequence:
            return False
        if base.sequence == 0:
            return base == EMPTY_CHECKPOINT
        stored = txn.get(Table.LOG, U64.pack(base.sequence))
        if stored is None:
            return False
        return records.decode_change(base.sequence, stored).checkpoint == base

    def _log_after(self, txn: Transaction, sequence: int) -> Iterator[LogRecord]:
        rows = txn.scan(Table.LOG, U64.pack(sequence + 1))
        for expected, (key, record) in enumerate(rows, sequence + 1):
            if U64.unpack(key)[0] != expected:
                raise CorruptError(f"log record {expected}: missing")
            yield records.decode_change(expected, record)

    def items(self, item_ids: Sequence[ItemId]) -> Mapping[ItemId, ListedItem]:
        """See `StoreReader.items`."""
        found = {}
        with self._env.read() as txn:
            for item_id in item_ids:
                record = txn.get(Table.ITEMS, U64.pack(item_id))
                if record is not None:
                    found[item_id] = records.decode_item(item_id, record)
        return found

    def iter_items(self, bank_id: BankId | None = None) -> Iterator[ListedItem]:
        """See `StoreReader.iter_items`."""
        with self._env.read() as txn:
            for key, record in txn.scan(Table.ITEMS):
                listed = records.decode_item(ItemId(U64.unpack(key)[0]), record)
                if bank_id is None or listed.bank_id == bank_id:
                    yield listed

    def iter_log(self) -> Iterator[LogRecord]:
        """See `StoreReader.iter_log`."""
        with self._env.read() as txn:
            yield from self._log_after(txn, 0)

    def find(
        self, hash_type: HashType, value: HashValue, bank_id: BankId | None = None
    ) -> tuple[ItemId, ...]:
        """See `StoreReader.find`."""
        hash_ = Hash(hash_type, value)
        with self._env.read() as txn:
            banks = [b.bank_id for b in self._banks(txn)] if bank_id is None else [bank_id]
            found = [
                item_of(txn, entry_id)
                for bank in banks
                for entry_id in entries_with(txn, value_key(bank, hash_))
            ]
        return tuple(dict.fromkeys(found))

    def preview(self, bank_id: BankId, items: Sequence[NewItem]) -> LoadResult:
        """See `StoreReader.preview`."""
        with self._env.read() as txn:
            self._require_bank(txn, bank_id)
            new = list(self._new_items(txn, bank_id, items))
            entries = sum(len(n.item.hashes) for n in new)
            by_type = Counter(n.item.media_type for n in new)
            return LoadResult(
                self._head(txn).checkpoint, len(new), entries, len(items) - len(new), by_type
            )

    def _require_bank(self, txn: Transaction, bank_id: BankId) -> None:
        if txn.get(Table.BANKS, U16.pack(bank_id)) is None:
            raise InvalidInputError("bank_id", f"there is no bank {bank_id}")

    def _new_items(
        self, txn: Transaction, bank_id: BankId, items: Sequence[NewItem]
    ) -> Iterator[NewItem]:
        """Those of `items` that the bank does not list and that did not come before."""
        before: dict[bytes, list[Item]] = {}
        for new in items:
            item = new.item
            key = value_key(bank_id, _probe(item))
            same_key = before.get(key)
            if same_key is not None and item in same_key:
                continue
            if txn.get(Table.VALUES, key) is not None and self._lists(txn, key, item):
                continue
            before.setdefault(key, []).append(item)
            yield new

    def _lists(self, txn: Transaction, key: bytes, item: Item) -> bool:
        for entry_id in entries_with(txn, key):
            item_id = item_of(txn, entry_id)
            record = txn.get(Table.ITEMS, U64.pack(item_id))
            if record is not None and records.decode_item(item_id, record).item == item:
                return True
        return False

    def stat(self) -> StoreStat:
        """How large the store is; reads every item."""
        items_by_bank: dict[BankId, int] = {}
        entries_by_type = dict.fromkeys(HashType, 0)
        with self._env.read() as txn:
            for key, record in txn.scan(Table.ITEMS):
                what = f"item {U64.unpack(key)[0]}"
                bank_id, _, entries = records.decode_entries(record, what)
                items_by_bank[BankId(bank_id)] = items_by_bank.get(BankId(bank_id), 0) + 1
                for hash_type, _, _ in entries:
                    entries_by_type[HashType(hash_type)] += 1
            birth = txn.get(Table.META, STORE_KEY)
        if birth is None or len(birth) != BIRTH.size:
            raise CorruptError(f"{self._path}: the store has no id")
        store_id, created = BIRTH.unpack(birth)
        return StoreStat(
            str(uuid.UUID(bytes=store_id)),
            created,
            FORMAT_VERSION,
            self._env.used_bytes,
            self._env.map_size_bytes,
            items_by_bank,
            entries_by_type,
        )
