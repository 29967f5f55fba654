"""Changing the store on LMDB: every change is one transaction and one record of the log.

How it is laid out is told in `lmdb_reader`.
"""

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from engine import records
from engine.clock import Clock, SystemClock
from engine.entries import (
    EMPTY_CHECKPOINT,
    Checkpoint,
    EntryId,
    IdRange,
    ItemId,
    ListedItem,
    NewItem,
    entry_digest,
    item_digests,
    merge_ranges,
)
from engine.errors import (
    InvalidInputError,
    StoreFullError,
)
from engine.hashes import MediaType
from engine.lmdb_env import Environment, Table, Transaction
from engine.lmdb_reader import (
    BIRTH,
    HEAD_KEY,
    STORE_KEY,
    U16,
    U64,
    LmdbReader,
    StoreStat,
    value_key,
)
from engine.policy import MAX_BANK_ID, Bank, BankId, BankPolicy
from engine.records import Head
from engine.store import ChangeKind, LoadResult, LogRecord, RemoveResult
from engine.store_lock import lock_writer
from engine.turns import in_turns

__all__ = ["DEFAULT_MAP_SIZE_BYTES", "LmdbReader", "LmdbWriter", "StoreStat", "create_store"]

# Address space, not disk: the file grows as it is used. 64 GiB holds about 200 million hashes.
DEFAULT_MAP_SIZE_BYTES: Final = 64 << 30
MAX_REASON_BYTES: Final = 1_000

_Changed = TypeVar("_Changed", Bank, RemoveResult)
_NO_BANK: Final = BankId(0)
_NO_IDS: Final = IdRange(EntryId(0), EntryId(0))


def create_store(
    path: Path, *, map_size_bytes: int = DEFAULT_MAP_SIZE_BYTES, clock: Clock | None = None
) -> None:
    """Makes an empty store in a folder that has none, all of it or nothing.

    Raises:
        InvalidInputError: there is a store already.
        StoreUnusableError: the folder cannot be made or written.
        StoreFullError: the disk is full.
    """
    birth = BIRTH.pack(uuid.uuid4().bytes, (clock or SystemClock()).unix_ms())
    head = Head(EMPTY_CHECKPOINT, EntryId(1), BankId(1))
    rows = [(STORE_KEY, birth), (HEAD_KEY, records.encode_head(head))]
    Environment.create(path, map_size_bytes, rows)


class LmdbWriter(LmdbReader):
    """A store opened by its one writer; see `engine.store.StoreWriter`."""

    _readonly = False

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Opens the store for writing.

        Raises:
            WriterBusyError: another process writes to it.
            StoreUnusableError: there is none, it is locked, or of a newer format.
            CorruptError: it is damaged.
        """
        self._clock = clock or SystemClock()
        self._lock_fd = lock_writer(path)
        try:
            super().__init__(path)
        except BaseException:
            os.close(self._lock_fd)
            raise

    def close(self) -> None:
        """See `StoreReader.close`."""
        super().close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _append(
        self,
        txn: Transaction,
        head: Head,
        record: LogRecord,
        *,
        next_bank_id: BankId | None = None,
    ) -> None:
        key = U64.pack(record.checkpoint.sequence)
        txn.put(Table.LOG, key, records.encode_change(record))
        new_head = Head(
            record.checkpoint,
            max(head.next_entry_id, record.added.end),
            head.next_bank_id if next_bank_id is None else next_bank_id,
        )
        txn.put(Table.META, HEAD_KEY, records.encode_head(new_head))

    def _record(
        self,
        checkpoint: Checkpoint,
        kind: ChangeKind,
        *,
        bank_id: BankId = _NO_BANK,
        added: IdRange = _NO_IDS,
        removed: tuple[IdRange, ...] = (),
        reason: str = "",
    ) -> LogRecord:
        if len(reason.encode()) > MAX_REASON_BYTES:
            raise InvalidInputError("reason", f"over {MAX_REASON_BYTES} bytes")
        time_ms = self._clock.unix_ms()
        return LogRecord(checkpoint, time_ms, kind, bank_id, added, removed, reason)

    def put_bank(self, name: str, policy: BankPolicy, note: str = "") -> Bank:
        """See `StoreWriter.put_bank`."""

        def change() -> Bank:
            with self._env.write() as txn:
                head = self._head(txn)
                same = next((b for b in self._banks(txn) if b.name == name), None)
                if same is None and head.next_bank_id > MAX_BANK_ID:
                    raise InvalidInputError("name", f"there are {MAX_BANK_ID} banks already")
                bank = Bank(head.next_bank_id if same is None else same.bank_id, name, policy, note)
                if bank == same:
                    return bank
                txn.put(Table.BANKS, U16.pack(bank.bank_id), records.encode_bank(bank))
                checkpoint = head.checkpoint.plus(entries=0, digest_sum=0)
                record = self._record(
                    checkpoint, ChangeKind.BANK, bank_id=bank.bank_id, reason=name
                )
                next_bank_id = BankId(max(head.next_bank_id, bank.bank_id + 1))
                self._append(txn, head, record, next_bank_id=next_bank_id)
                return bank

        return self._with_room(change)

    def load(self, bank_id: BankId, items: Sequence[NewItem], reason: str = "") -> LoadResult:
        """See `StoreWriter.load`."""
        with self._env.write() as txn:
            self._require_bank(txn, bank_id)
            head = self._head(txn)
            next_id: int = head.next_entry_id
            digest_sum = 0
            item_rows: list[tuple[bytes, bytes]] = []
            value_rows: list[tuple[bytes, bytes]] = []
            by_type = dict.fromkeys(MediaType, 0)
            for new in in_turns(self._new_items(txn, bank_id, items)):
                item_id = next_id
                by_type[new.item.media_type] += 1
                item_rows.append(
                    (U64.pack(item_id), records.encode_item(bank_id, new.item, new.labels))
                )
                for hash_ in new.item.hashes:
                    value_rows.append((value_key(bank_id, hash_), U64.pack(next_id)))
                    digest_sum += entry_digest(next_id, item_id, bank_id, hash_.type, hash_.value)
                    next_id += 1
            added = IdRange(head.next_entry_id, EntryId(next_id))
            result = LoadResult(
                head.checkpoint,
                len(item_rows),
                len(value_rows),
                len(items) - len(item_rows),
                by_type,
            )
            if not item_rows:
                return result
            # Sorted, so that neighbours in the tree are written one after the other.
            txn.put_many(Table.VALUES, in_turns(sorted(value_rows)))
            txn.put_many(Table.ITEMS, in_turns(item_rows), append=True)
            checkpoint = head.checkpoint.plus(entries=len(value_rows), digest_sum=digest_sum)
            record = self._record(
                checkpoint, ChangeKind.LOAD, bank_id=bank_id, added=added, reason=reason
            )
            self._append(txn, head, record)
        return replace(result, checkpoint=checkpoint)

    def withdraw(self, item_ids: Sequence[ItemId], reason: str = "") -> RemoveResult:
        """See `StoreWriter.withdraw`."""

        def change() -> RemoveResult:
            with self._env.write() as txn:
                listed = []
                for item_id in dict.fromkeys(item_ids):
                    record = txn.get(Table.ITEMS, U64.pack(item_id))
                    if record is not None:
                        listed.append(records.decode_item(item_id, record))
                return self._remove(txn, listed, ChangeKind.WITHDRAW, _NO_BANK, reason, None)

        return self._with_room(change)

    def _with_room(self, change: Callable[[], _Changed]) -> _Changed:
        """Makes a change that a full map must not prevent.

        What is wrongly listed has to come out at once, and LMDB needs free pages for that
        too. The map is address space; only a full disk is an end.
        """
        try:
            return change()
        except StoreFullError:
            self._env.grow()
            return change()

    def clear(
        self, bank_id: BankId, reason: str = "", progress: Callable[[int], None] | None = None
    ) -> RemoveResult:
        """See `StoreWriter.clear`."""

        def change() -> RemoveResult:
            with self._env.write() as txn:
                self._require_bank(txn, bank_id)
                listed = [
                    item
                    for key, record in txn.scan(Table.ITEMS)
                    if (item := records.decode_item(ItemId(U64.unpack(key)[0]), record)).bank_id
                    == bank_id
                ]
                return self._remove(txn, listed, ChangeKind.CLEAR, bank_id, reason, progress)

        return self._with_room(change)

    def _remove(
        self,
        txn: Transaction,
        listed: Sequence[ListedItem],
        kind: ChangeKind,
        bank_id: BankId,
        reason: str,
        progress: Callable[[int], None] | None,
    ) -> RemoveResult:
        head = self._head(txn)
        if not listed:
            return RemoveResult(head.checkpoint, 0, 0)
        digest_sum = 0
        for done, item in enumerate(in_turns(listed), 1):
            txn.delete(Table.ITEMS, U64.pack(item.item_id))
            for entry_id, hash_ in enumerate(item.item.hashes, item.item_id):
                key = value_key(item.bank_id, hash_)
                txn.delete(Table.VALUES, key, U64.pack(entry_id))
            digest_sum += sum(item_digests(item))
            if progress is not None:
                progress(done)
        removed = merge_ranges(IdRange(EntryId(i.item_id), i.end_id) for i in listed)
        entry_count = sum(r.end - r.first for r in removed)
        checkpoint = head.checkpoint.plus(entries=-entry_count, digest_sum=-digest_sum)
        record = self._record(checkpoint, kind, bank_id=bank_id, removed=removed, reason=reason)
        self._append(txn, head, record)
        return RemoveResult(checkpoint, len(listed), entry_count)
