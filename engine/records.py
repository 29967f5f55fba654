"""How the store writes things down: versioned, checksummed binary records.

Every record is `version (u8) | CRC-32 of the body (u32) | body`, big-endian. The
checksum finds damage to one record; the list's digest finds damage to the whole.
A new version of a record is a new number here, and old ones stay readable.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.entries import (
    NO_POSITION,
    Checkpoint,
    Columns,
    EntryId,
    IdRange,
    ItemId,
    Labels,
    ListedItem,
)
from engine.errors import CorruptError, EngineError
from engine.hashes import SPECS, Hash, HashType, HashValue, Item, MediaType
from engine.policy import Bank, BankId, BankPolicy, BankRole, TypePolicy
from engine.store import ChangeKind, LogRecord

RECORD_VERSION: Final = 1

_FRAME: Final = struct.Struct(">BI")  # version, CRC-32 of the body
_ITEM: Final = struct.Struct(">HBI")  # bank id, media type, how many hashes
_HASH: Final = struct.Struct(">BBBI")  # type, quality, kind of position, position
_LABELS: Final = struct.Struct(">BHHH")  # severity, bytes of category, source, reference
_BANK: Final = struct.Struct(">BBBHB")  # role, enabled, bytes of name, of note, how many types
_TYPE: Final = struct.Struct(">BHB")  # hash type, max distance, min quality
_CHECKPOINT: Final = struct.Struct(">QQ32s")  # sequence, entry count, digest
_CHANGE: Final = struct.Struct(">QBHQQHI")  # time, kind, bank, added range, reason, ranges
_RANGE: Final = struct.Struct(">QQ")
_HEAD: Final = struct.Struct(">QH")  # next entry id, next bank id

_NO_QUALITY: Final = 255
_NO_POSITION: Final = 0
_FRAME_POSITION: Final = 1
_PAGE_POSITION: Final = 2
_SIZES: Final = {int(hash_type): spec.size_bytes for hash_type, spec in SPECS.items()}


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends, and the next ids to give out.

    Attributes:
        checkpoint: the list now.
        next_entry_id: from 1; ids are never reused.
        next_bank_id: from 1; ids are never reused.
    """

    checkpoint: Checkpoint
    next_entry_id: EntryId
    next_bank_id: BankId


def _frame(body: bytes) -> bytes:
    return _FRAME.pack(RECORD_VERSION, zlib.crc32(body)) + body


def _body(record: bytes, what: str) -> bytes:
    """Takes a record's frame off.

    Raises:
        CorruptError: the frame does not fit the body.
    """
    if len(record) < _FRAME.size:
        raise CorruptError(f"{what}: {len(record)} bytes, too short for a record")
    version, checksum = _FRAME.unpack_from(record)
    if version != RECORD_VERSION:
        raise CorruptError(f"{what}: record version {version}, want {RECORD_VERSION}")
    body = record[_FRAME.size :]
    if zlib.crc32(body) != checksum:
        raise CorruptError(f"{what}: checksum does not fit")
    return body


@lru_cache(maxsize=4096)
def _labels_bytes(labels: Labels) -> bytes:
    texts = [text.encode() for text in (labels.category, labels.source, labels.reference)]
    return _LABELS.pack(labels.severity, *map(len, texts)) + b"".join(texts)


def _hash_bytes(hash_: Hash) -> bytes:
    kind, position = _NO_POSITION, 0
    if hash_.frame_offset_ms is not None:
        kind, position = _FRAME_POSITION, hash_.frame_offset_ms
    elif hash_.page_index is not None:
        kind, position = _PAGE_POSITION, hash_.page_index
    quality = _NO_QUALITY if hash_.quality is None else hash_.quality
    return _HASH.pack(hash_.type, quality, kind, position) + hash_.value


def encode_item(bank_id: BankId, item: Item, labels: Labels) -> bytes:
    """An item as its bank lists it; its id is the record's key."""
    hashes = b"".join([_hash_bytes(hash_) for hash_ in item.hashes])
    head = _ITEM.pack(bank_id, item.media_type, len(item.hashes))
    return _frame(head + hashes + _labels_bytes(labels))


def decode_entries(record: bytes, what: str) -> tuple[int, int, list[tuple[int, bytes, int]]]:
    """Only what an index needs of an item.

    Returns:
        its bank, its media type, and for each hash its type, value and position (as
        `Columns.positions` has it).

    Raises:
        CorruptError: the record is damaged.
    """
    body = _body(record, what)
    try:
        bank_id, media_type, count = _ITEM.unpack_from(body)
        at = _ITEM.size
        found = []
        for _ in range(count):
            hash_type, _, kind, position = _HASH.unpack_from(body, at)
            start = at + _HASH.size
            at = start + _SIZES[hash_type]
            found.append((hash_type, body[start:at], position if kind else NO_POSITION))
    except (struct.error, LookupError) as error:
        raise CorruptError(f"{what}: malformed") from error
    return bank_id, media_type, found


def decode_alike(
    item_ids: npt.NDArray[np.uint64], stored: Sequence[bytes]
) -> Mapping[HashType, Columns] | None:
    """What `decode_entries` says of several items, if their records are laid out alike.

    Args:
        item_ids: shape (n,), ascending.
        stored: their records, of one length.

    Returns:
        the entries, or None where the layouts differ or anything is wrong: `decode_entries` then
        says what.
    """
    layout = _layout(stored[0])
    if layout is None:
        return None
    table = np.frombuffer(b"".join(stored), np.uint8).reshape(len(stored), -1)
    starts_by_type, same = layout
    if (table[:, same] != table[0, same]).any():
        return None
    checksums = _big_endian(table, 1, ">u4").tolist()
    if checksums != [zlib.crc32(record[_FRAME.size :]) for record in stored]:
        return None
    bank_ids = _big_endian(table, _FRAME.size, ">u2").astype(np.uint16)
    media_types = table[:, _FRAME.size + 2]
    found = {}
    for hash_type, places in starts_by_type.items():
        indexes, starts = np.array(places, np.int64).T
        begins = starts[:, np.newaxis]
        values = table[:, begins + np.arange(_HASH.size, _HASH.size + _SIZES[hash_type])]
        positions = np.ascontiguousarray(table[:, begins + np.arange(3, 7)]).view(">u4")[:, :, 0]
        ids = item_ids[:, np.newaxis] + indexes.astype(np.uint64)
        found[hash_type] = Columns(
            values.reshape(-1, values.shape[2]),
            ids.reshape(-1),
            item_ids.repeat(len(starts)),
            bank_ids.repeat(len(starts)),
            media_types.repeat(len(starts)),
            np.where(table[:, starts + 2], positions, NO_POSITION).astype(np.uint32).reshape(-1),
        )
    return found


def _layout(
    record: bytes,
) -> tuple[dict[HashType, list[tuple[int, int]]], npt.NDArray[np.int64]] | None:
    """For each hash type its hashes' numbers and where they start, and which bytes say all that."""
    try:
        _, _, count = _ITEM.unpack_from(record, _FRAME.size)
        at = _FRAME.size + _ITEM.size
        # The version, how many hashes, and each one's type.
        same = [0, *range(at - 4, at)]
        starts_by_type: dict[HashType, list[tuple[int, int]]] = {}
        for index in range(count):
            hash_type = HashType(record[at])
            starts_by_type.setdefault(hash_type, []).append((index, at))
            same.append(at)
            at += _HASH.size + _SIZES[hash_type]
    except (struct.error, ValueError, LookupError):
        return None
    is_whole = record[0] == RECORD_VERSION and at <= len(record)
    return (starts_by_type, np.array(same, np.int64)) if is_whole else None


def _big_endian(table: npt.NDArray[np.uint8], at: int, dtype: str) -> npt.NDArray[Any]:
    """A number of each row."""
    size = np.dtype(dtype).itemsize
    return np.ascontiguousarray(table[:, at : at + size]).view(dtype)[:, 0]


def decode_item(item_id: ItemId, record: bytes) -> ListedItem:
    """Reads a whole item back.

    Raises:
        CorruptError: the record is damaged.
    """
    what = f"item {item_id}"
    body = _body(record, what)
    try:
        bank_id, media_type, count = _ITEM.unpack_from(body)
        at = _ITEM.size
        hashes = []
        for _ in range(count):
            type_number, quality, kind, position = _HASH.unpack_from(body, at)
            start = at + _HASH.size
            at = start + _SIZES[type_number]
            hashes.append(
                Hash(
                    HashType(type_number),
                    HashValue(body[start:at]),
                    None if quality == _NO_QUALITY else quality,
                    position if kind == _FRAME_POSITION else None,
                    position if kind == _PAGE_POSITION else None,
                )
            )
        item = Item(MediaType(media_type), tuple(hashes))
        return ListedItem(item_id, BankId(bank_id), item, _decode_labels(body, at))
    except (struct.error, ValueError, LookupError, EngineError) as error:
        raise CorruptError(f"{what}: malformed") from error


def _decode_labels(body: bytes, at: int) -> Labels:
    severity, *sizes = _LABELS.unpack_from(body, at)
    at += _LABELS.size
    if len(body) != at + sum(sizes):
        raise ValueError("labels do not end with the record")
    texts = []
    for size in sizes:
        texts.append(body[at : at + size].decode())
        at += size
    return Labels(texts[0], severity, texts[1], texts[2])


def encode_bank(bank: Bank) -> bytes:
    """A bank; its id is the record's key."""
    name, note = bank.name.encode(), bank.note.encode()
    types = sorted(bank.policy.types.items())
    head = _BANK.pack(bank.policy.role, bank.policy.enabled, len(name), len(note), len(types))
    limits = b"".join(_TYPE.pack(t, p.max_distance_bits, p.min_quality) for t, p in types)
    return _frame(head + limits + name + note)


@lru_cache(maxsize=1_024)
def decode_bank(bank_id: BankId, record: bytes) -> Bank:
    """Reads a bank back; of the same record the same one, since each change asks for all.

    Raises:
        CorruptError: the record is damaged.
    """
    what = f"bank {bank_id}"
    body = _body(record, what)
    try:
        role, enabled, name_size, note_size, type_count = _BANK.unpack_from(body)
        types = {}
        for index in range(type_count):
            number, max_distance, min_quality = _TYPE.unpack_from(
                body, _BANK.size + index * _TYPE.size
            )
            types[HashType(number)] = TypePolicy(max_distance, min_quality)
        at = _BANK.size + type_count * _TYPE.size
        name = body[at : at + name_size].decode()
        note = body[at + name_size : at + name_size + note_size].decode()
        policy = BankPolicy(BankRole(role), bool(enabled), _frozen(types))
        return Bank(bank_id, name, policy, note)
    except (struct.error, ValueError, LookupError, EngineError) as error:
        raise CorruptError(f"{what}: malformed") from error


def _frozen(types: dict[HashType, TypePolicy]) -> Mapping[HashType, TypePolicy]:
    return MappingProxyType(types)


def _checkpoint_bytes(checkpoint: Checkpoint) -> bytes:
    return _CHECKPOINT.pack(checkpoint.sequence, checkpoint.entry_count, checkpoint.digest_bytes())


def _decode_checkpoint(body: bytes) -> Checkpoint:
    sequence, entry_count, digest = _CHECKPOINT.unpack_from(body)
    return Checkpoint(sequence, entry_count, int.from_bytes(digest))


def encode_head(head: Head) -> bytes:
    """The head of the log."""
    ids = _HEAD.pack(head.next_entry_id, head.next_bank_id)
    return _frame(_checkpoint_bytes(head.checkpoint) + ids)


def decode_head(record: bytes) -> Head:
    """Reads the head back.

    Raises:
        CorruptError: the record is damaged.
    """
    body = _body(record, "head")
    try:
        next_entry_id, next_bank_id = _HEAD.unpack_from(body, _CHECKPOINT.size)
        return Head(_decode_checkpoint(body), EntryId(next_entry_id), BankId(next_bank_id))
    except struct.error as error:
        raise CorruptError("head: malformed") from error


def encode_change(record: LogRecord) -> bytes:
    """A record of the log; its sequence is also its key."""
    reason = record.reason.encode()
    change = _CHANGE.pack(
        record.time_unix_ms,
        record.kind,
        record.bank_id,
        record.added.first,
        record.added.end,
        len(reason),
        len(record.removed),
    )
    ranges = b"".join(_RANGE.pack(r.first, r.end) for r in record.removed)
    return _frame(_checkpoint_bytes(record.checkpoint) + change + ranges + reason)


def decode_change(sequence: int, record: bytes) -> LogRecord:
    """Reads a record of the log back.

    Raises:
        CorruptError: the record is damaged, or of another sequence.
    """
    what = f"log record {sequence}"
    body = _body(record, what)
    try:
        checkpoint = _decode_checkpoint(body)
        time_ms, kind, bank_id, first, end, reason_size, range_count = _CHANGE.unpack_from(
            body, _CHECKPOINT.size
        )
        at = _CHECKPOINT.size + _CHANGE.size
        removed = tuple(_ranges(body, at, range_count))
        at += range_count * _RANGE.size
        reason = body[at : at + reason_size].decode()
        change_kind = ChangeKind(kind)
    except (struct.error, ValueError) as error:
        raise CorruptError(f"{what}: malformed") from error
    if checkpoint.sequence != sequence:
        raise CorruptError(f"{what}: holds sequence {checkpoint.sequence}")
    added = IdRange(EntryId(first), EntryId(end))
    return LogRecord(checkpoint, time_ms, change_kind, BankId(bank_id), added, removed, reason)


def _ranges(body: bytes, at: int, count: int) -> Iterator[IdRange]:
    for index in range(count):
        first, end = _RANGE.unpack_from(body, at + index * _RANGE.size)
        yield IdRange(EntryId(first), EntryId(end))
