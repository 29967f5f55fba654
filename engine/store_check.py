"""Recomputes a store from its records and says what does not agree.

Four things must tell the same story: the log (which ids were given out and taken back,
and what count and digest that makes), the items, the reverse map, and the head.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from engine import records
from engine.entries import (
    EMPTY_CHECKPOINT,
    Checkpoint,
    EntryId,
    IdRange,
    ItemId,
    ListedItem,
    item_digests,
)
from engine.errors import CorruptError
from engine.lmdb_env import Table, Transaction
from engine.lmdb_reader import HEAD_KEY, U16, U64, LmdbReader, item_of, value_key
from engine.policy import BankId

Progress = Callable[[int, int], None]
_DIGEST_MODULUS = 1 << 256


@dataclass
class _Told:
    """What one part of the store says of the whole."""

    last: Checkpoint = EMPTY_CHECKPOINT
    next_id: int = 1
    entry_count: int = 0
    digest_sum: int = 0
    removed: list[IdRange] = field(default_factory=list)


def check_store(reader: LmdbReader, progress: Progress | None = None) -> Iterator[str]:
    """Checks everything and yields a line for each thing wrong; none means clean.

    Args:
        reader: the store, which may be in use.
        progress: called with (entries checked, entries in all) now and then.
    """
    with reader.environment.read() as txn:
        stored = txn.get(Table.META, HEAD_KEY)
        try:
            if stored is None:
                raise CorruptError("head: missing")
            head = records.decode_head(stored)
        except CorruptError as error:
            yield str(error)
            return
        log = _Told()
        yield from _check_log(txn, log)
        if log.last != head.checkpoint:
            yield f"head: sequence {head.checkpoint.sequence}, the log ends at {log.last.sequence}"
        if log.next_id != head.next_entry_id:
            yield f"head: next entry id {head.next_entry_id}, the log gave out up to {log.next_id}"
        bank_ids: set[BankId] = set()
        yield from _check_banks(txn, head.next_bank_id, bank_ids)
        items = _Told()
        yield from _check_items(txn, log, bank_ids, items, progress)
        if items.entry_count != head.checkpoint.entry_count:
            yield f"head: {head.checkpoint.entry_count} entries, the items have {items.entry_count}"
        if items.digest_sum % _DIGEST_MODULUS != head.checkpoint.digest:
            yield "head: the digest is not that of the items"
        yield from _check_values(txn, items.entry_count)


def _check_log(txn: Transaction, told: _Told) -> Iterator[str]:
    for key, stored in txn.scan(Table.LOG):
        sequence = U64.unpack(key)[0]
        if sequence != told.last.sequence + 1:
            yield f"log record {told.last.sequence + 1}: missing"
        try:
            record = records.decode_change(sequence, stored)
        except CorruptError as error:
            yield str(error)
            told.last = Checkpoint(sequence, told.last.entry_count, told.last.digest)
            continue
        if record.added.first < record.added.end:
            if record.added.first != told.next_id:
                first = record.added.first
                yield f"log record {sequence}: gives out id {first}, want {told.next_id}"
            told.next_id = record.added.end
            told.entry_count += record.added.end - record.added.first
        for part in record.removed:
            told.entry_count -= part.end - part.first
            if part.end > told.next_id:
                yield f"log record {sequence}: removes ids that were never given out"
        told.removed.extend(record.removed)
        if record.checkpoint.entry_count != told.entry_count:
            yield (
                f"log record {sequence}: {record.checkpoint.entry_count} entries, "
                f"its changes make {told.entry_count}"
            )
        told.last = record.checkpoint
    told.removed.sort(key=lambda part: part.first)
    for before, after in zip(told.removed, told.removed[1:], strict=False):
        if after.first < before.end:
            yield f"log: entry {after.first} is removed twice"


def _check_banks(txn: Transaction, next_bank_id: int, found: set[BankId]) -> Iterator[str]:
    names = set()
    for key, stored in txn.scan(Table.BANKS):
        bank_id = BankId(U16.unpack(key)[0])
        found.add(bank_id)
        try:
            bank = records.decode_bank(bank_id, stored)
        except CorruptError as error:
            yield str(error)
            continue
        if bank_id >= next_bank_id:
            yield f"bank {bank_id}: its id was never given out"
        if bank.name in names:
            yield f"bank {bank_id}: a second bank named {bank.name}"
        names.add(bank.name)


def _check_items(
    txn: Transaction,
    log: _Told,
    bank_ids: set[BankId],
    told: _Told,
    progress: Progress | None,
) -> Iterator[str]:
    removed = iter([*log.removed, IdRange(EntryId(log.next_id), EntryId(log.next_id))])
    gap = next(removed)
    expected: int = 1
    for key, stored in txn.scan(Table.ITEMS):
        item_id = ItemId(U64.unpack(key)[0])
        while expected == gap.first and gap.first < gap.end:
            expected, gap = gap.end, next(removed, gap)
        try:
            listed = records.decode_item(item_id, stored)
        except CorruptError as error:
            yield str(error)
            continue
        if item_id > expected:
            yield f"items: entries {expected} to {item_id - 1} are missing"
        elif item_id < expected:
            yield f"item {item_id}: overlaps what is before it, or was removed"
        expected = max(expected, listed.end_id)
        while gap.end <= expected and gap.first < gap.end:
            gap = next(removed, IdRange(EntryId(log.next_id), EntryId(log.next_id)))
        if listed.bank_id not in bank_ids:
            yield f"item {item_id}: of bank {listed.bank_id}, which does not exist"
        told.entry_count += len(listed.item.hashes)
        told.digest_sum += sum(item_digests(listed))
        yield from _check_mapped(txn, listed)
        if progress is not None and told.entry_count % 1024 < len(listed.item.hashes):
            progress(told.entry_count, log.entry_count)
    while expected == gap.first and gap.first < gap.end:
        expected, gap = gap.end, next(removed, gap)
    if expected < log.next_id:
        yield f"items: entries {expected} to {log.next_id - 1} are missing"
    elif expected > log.next_id:
        yield f"items: entries {log.next_id} to {expected - 1} are not in the log"


def _check_mapped(txn: Transaction, listed: ListedItem) -> Iterator[str]:
    for entry_id, hash_ in enumerate(listed.item.hashes, listed.item_id):
        if not txn.has(Table.VALUES, value_key(listed.bank_id, hash_), U64.pack(entry_id)):
            yield f"reverse map: entry {entry_id} is missing"


def _check_values(txn: Transaction, entry_count: int) -> Iterator[str]:
    """Every entry is in the map by now, so the map is right when it is as large."""
    mapped = txn.count(Table.VALUES)
    if mapped == entry_count:
        return
    yield f"reverse map: {mapped} rows, want {entry_count}"
    for key, stored in txn.scan(Table.VALUES):
        entry_id = EntryId(U64.unpack(stored)[0])
        if not _is_entry(txn, key, entry_id):
            yield f"reverse map: a row for entry {entry_id}, which is not listed under it"


def _is_entry(txn: Transaction, key: bytes, entry_id: EntryId) -> bool:
    try:
        item_id = item_of(txn, entry_id)
        stored = txn.get(Table.ITEMS, U64.pack(item_id))
        if stored is None:
            return False
        listed = records.decode_item(item_id, stored)
    except CorruptError:
        return False
    index = entry_id - item_id
    hashes = listed.item.hashes
    return index < len(hashes) and value_key(listed.bank_id, hashes[index]) == key
