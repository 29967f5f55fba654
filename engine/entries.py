"""Entries and listed items, one by one and as columns, and the digest of a list."""

import hashlib
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, NamedTuple, NewType

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.hashes import SPECS, Hash, HashType, Item
from engine.policy import BankId
from engine.turns import in_turns

EntryId = NewType("EntryId", int)
ItemId = NewType("ItemId", int)

MAX_SEVERITY: Final = 9
MAX_LABEL_BYTES: Final = 1_000
_DIGEST_MODULUS: Final = 1 << 256
_TOLD_ROWS: Final = 4_096  # four milliseconds
_TURN_ROWS: Final = 128  # a tenth of a millisecond
_COPIED_ROWS: Final = 4_096  # some tenths of a millisecond when their memory is new
_ENTRY_HEADER: Final = struct.Struct(">QQHB")  # entry id, item id, bank id, hash type
_PLACES: Final = range(224, -1, -32)  # of the digits of 32 bits of a digest, the highest first


@dataclass(frozen=True, slots=True)
class Labels:
    """What the unit wrote of a listed item.

    Attributes:
        category: what kind of material, in the unit's words.
        severity: 0 (not said) to 9.
        source: where the listing comes from.
        reference: the unit's own reference.

    Raises:
        InvalidInputError: severity or a length is out of range.
    """

    category: str = ""
    severity: int = 0
    source: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.severity <= MAX_SEVERITY:
            raise InvalidInputError("severity", f"want 0 to {MAX_SEVERITY}")
        for name in ("category", "source", "reference"):
            if len(getattr(self, name).encode()) > MAX_LABEL_BYTES:
                raise InvalidInputError(name, f"over {MAX_LABEL_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be listed."""

    item: Item
    labels: Labels = Labels()


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An item as a bank lists it.

    Its hashes are entries with consecutive ids, and its own id is that of the first:
    hash number i of the item is entry `item_id + i`.
    """

    item_id: ItemId
    bank_id: BankId
    item: Item
    labels: Labels

    @property
    def end_id(self) -> EntryId:
        """One past the id of its last entry."""
        return EntryId(self.item_id + len(self.item.hashes))


@dataclass(frozen=True, slots=True)
class IdRange:
    """The entry ids from `first` up to but not including `end`."""

    first: EntryId
    end: EntryId


def merge_ranges(ranges: Iterable[IdRange]) -> tuple[IdRange, ...]:
    """Sorts ranges that do not overlap and joins those that touch."""
    merged: list[IdRange] = []
    for part in sorted(ranges, key=lambda r: r.first):
        if merged and merged[-1].end == part.first:
            merged[-1] = IdRange(merged[-1].first, part.end)
        else:
            merged.append(part)
    return tuple(merged)


# The position of an entry that is of no frame and no page: larger than any.
NO_POSITION: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True, repr=False)
class Columns:
    """Entries of one hash type, row by row, in ascending order of entry id.

    The entries of an item are neighbours. The text form says how many entries there are and
    shows no value.

    Attributes:
        values: uint8, shape (n, size_bytes).
        entry_ids: uint64, shape (n,), ascending.
        item_ids: uint64, shape (n,), ascending.
        bank_ids: uint16, shape (n,).
        media_types: uint8, shape (n,): what the item is.
        positions: uint32, shape (n,): milliseconds of the frame or index of the page that the
            hash is of, `NO_POSITION` when it is of neither.
    """

    values: npt.NDArray[np.uint8]
    entry_ids: npt.NDArray[np.uint64]
    item_ids: npt.NDArray[np.uint64]
    bank_ids: npt.NDArray[np.uint16]
    media_types: npt.NDArray[np.uint8]
    positions: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.entry_ids)

    def __repr__(self) -> str:
        return f"<{len(self)} entries of {self.values.shape[1]} bytes>"

    @classmethod
    def empty(cls, hash_type: HashType) -> "Columns":
        """No entries."""
        return _empty(hash_type)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The columns by name, as the constructor takes them."""
        return {name: getattr(self, name) for name in _COLUMN_NAMES}

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Columns":
        """The entries at `rows` (a mask, or row numbers in ascending order)."""
        return Columns(**{name: _taken(column, rows) for name, column in self.arrays().items()})

    def none(self) -> "Columns":
        """No entries, of the same type."""
        return Columns(**{name: column[:0] for name, column in self.arrays().items()})

    @classmethod
    def concat(cls, parts: Sequence["Columns"]) -> "Columns":
        """The entries of one after the other; the ids of each are larger than those before."""
        if len(parts) == 1:
            return parts[0]
        columns = [part.arrays() for part in parts]
        return cls(**{name: _joined([c[name] for c in columns]) for name in columns[0]})

    def rows_in(self, ranges: Iterable[IdRange]) -> npt.NDArray[np.int64]:
        """The numbers of the rows whose entry id lies in one of the sorted ranges."""
        bounds = np.array([(r.first, r.end) for r in ranges], np.uint64).reshape(-1, 2)
        firsts = np.searchsorted(self.entry_ids, bounds[:, 0])
        ends = np.searchsorted(self.entry_ids, bounds[:, 1])
        parts = [np.arange(a, b) for a, b in zip(firsts, ends, strict=True) if a < b]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def digest_sum(self, hash_type: HashType, told: Callable[[int], None] | None = None) -> int:
        """The sum mod 2^256 of the digests of these entries; `told` how many now and then."""
        total = 0
        for start in range(0, len(self), _TOLD_ROWS):
            if told is not None:
                told(start)
            total += self._digest_sum(hash_type, slice(start, start + _TOLD_ROWS))
        return total % _DIGEST_MODULUS

    def _digest_sum(self, hash_type: HashType, rows: slice) -> int:
        """The sum of the digests of some rows, as `entry_digest` has them; modulo nothing."""
        values = self.values[rows]
        encoded = np.empty((len(values), _ENTRY_HEADER.size + values.shape[1]), np.uint8)
        encoded[:, :8] = _big_endian(self.entry_ids[rows], ">u8")
        encoded[:, 8:16] = _big_endian(self.item_ids[rows], ">u8")
        encoded[:, 16:18] = _big_endian(self.bank_ids[rows], ">u2")
        encoded[:, 18] = hash_type
        encoded[:, 19:] = values
        sha256, data, size = hashlib.sha256, encoded.tobytes(), encoded.shape[1]
        ends, part = range(size, len(data) + 1, size), _TURN_ROWS
        digests = b"".join(
            b"".join([sha256(data[end - size : end]).digest() for end in ends[at : at + part]])
            for at in in_turns(range(0, len(ends), part))
        )
        # Digits of 32 bits are summed one by one; of `_TOLD_ROWS` no sum leaves 64 bits.
        digits = np.frombuffer(digests, ">u4").reshape(-1, 8).sum(axis=0, dtype=np.uint64)
        return sum(digit << place for digit, place in zip(digits.tolist(), _PLACES, strict=True))


_COLUMN_NAMES: Final = tuple(column.name for column in fields(Columns))


class ColumnsBuilder:
    """Collects entries of one hash type, in ascending order of entry id."""

    def __init__(self, hash_type: HashType) -> None:
        self._size_bytes = SPECS[hash_type].size_bytes
        self._values = bytearray()
        # Arrays and not lists: of ten million entries, a gigabyte less.
        self._entry_ids = array("Q")
        self._item_ids = array("Q")
        self._bank_ids = array("H")
        self._media_types = bytearray()
        self._positions = array("I")

    def __len__(self) -> int:
        return len(self._entry_ids)

    def add(self, entry_id: int, item: "EntryHead", value: bytes, position: int) -> None:
        """Adds one entry."""
        item_id, bank_id, media_type = item
        self._values += value
        self._entry_ids.append(entry_id)
        self._item_ids.append(item_id)
        self._bank_ids.append(bank_id)
        self._media_types.append(media_type)
        self._positions.append(position)

    def extend(self, columns: Columns) -> None:
        """Adds entries."""
        self._values += columns.values.tobytes()
        self._entry_ids.frombytes(columns.entry_ids.tobytes())
        self._item_ids.frombytes(columns.item_ids.tobytes())
        self._bank_ids.frombytes(columns.bank_ids.tobytes())
        self._media_types += columns.media_types.tobytes()
        self._positions.frombytes(columns.positions.tobytes())

    def build(self) -> Columns:
        """The entries added so far; nothing can be added any more."""
        return Columns(
            np.frombuffer(self._values, np.uint8).reshape(-1, self._size_bytes),
            np.frombuffer(self._entry_ids, np.uint64),
            np.frombuffer(self._item_ids, np.uint64),
            np.frombuffer(self._bank_ids, np.uint16),
            np.frombuffer(self._media_types, np.uint8),
            np.frombuffer(self._positions, np.uint32),
        )


def _taken(column: npt.NDArray[Any], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The rows of a column, by a mask or by their numbers."""
    if len(rows) <= _COPIED_ROWS:
        taken: npt.NDArray[Any] = column[rows]
        return taken
    is_mask = rows.dtype == np.bool_
    count = int(np.count_nonzero(rows)) if is_mask else len(rows)
    blocks = _blocks(len(rows))
    pieces = (column[some][rows[some]] if is_mask else column[rows[some]] for some in blocks)
    return _filled(column, count, pieces)


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One column after the other."""
    count = sum(map(len, parts))
    if count <= _COPIED_ROWS:
        return np.concatenate(parts)
    pieces = (part[some] for part in parts for some in _blocks(len(part)))
    return _filled(parts[0], count, pieces)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _COPIED_ROWS) for start in range(0, count, _COPIED_ROWS))


def _filled(
    like: npt.NDArray[Any], count: int, pieces: Iterable[npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """A new column of so many rows, filled piece by piece."""
    column = np.empty((count, *like.shape[1:]), like.dtype)
    end = 0
    for piece in in_turns(pieces):
        begin, end = end, end + len(piece)
        column[begin:end] = piece
    return column


@cache
def _empty(hash_type: HashType) -> Columns:
    return ColumnsBuilder(hash_type).build()


def _big_endian(numbers: npt.NDArray[Any], dtype: str) -> npt.NDArray[np.uint8]:
    """The bytes of numbers, shape (n, bytes of one)."""
    return numbers.astype(dtype)[:, np.newaxis].view(np.uint8)


class EntryHead(NamedTuple):
    """What all entries of an item share."""

    item_id: int
    bank_id: int
    media_type: int


def columns_of(items: Iterable[ListedItem]) -> Mapping[HashType, Columns]:
    """Every entry of `items` (ascending by id), one set of columns for each hash type."""
    builders = {hash_type: ColumnsBuilder(hash_type) for hash_type in HashType}
    for listed in items:
        head = EntryHead(listed.item_id, listed.bank_id, listed.item.media_type)
        for index, hash_ in enumerate(listed.item.hashes):
            builders[hash_.type].add(listed.item_id + index, head, hash_.value, position_of(hash_))
    return {hash_type: builder.build() for hash_type, builder in builders.items()}


def position_of(hash_: Hash) -> int:
    """The frame or page of a hash, as `Columns.positions` has it."""
    if hash_.frame_offset_ms is not None:
        return hash_.frame_offset_ms
    return NO_POSITION if hash_.page_index is None else hash_.page_index


def entry_digest(entry_id: int, item_id: int, bank_id: int, hash_type: int, value: bytes) -> int:
    """SHA-256 of one entry, as a number: id, item, bank, type and value, big-endian."""
    encoded = _ENTRY_HEADER.pack(entry_id, item_id, bank_id, hash_type) + value
    return int.from_bytes(hashlib.sha256(encoded).digest())


def item_digests(listed: ListedItem) -> Iterator[int]:
    """The digest of each entry of an item."""
    for index, hash_ in enumerate(listed.item.hashes):
        yield entry_digest(
            listed.item_id + index, listed.item_id, listed.bank_id, hash_.type, hash_.value
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position in the log, with what the list held there.

    Attributes:
        sequence: changes so far; 0 is the empty list.
        entry_count: hashes listed.
        digest: the sum mod 2^256 of the entries' digests.
    """

    sequence: int
    entry_count: int
    digest: int

    @classmethod
    def at(cls, sequence: int, entry_count: int, digest_sum: int) -> "Checkpoint":
        """The checkpoint of a list whose entries' digests have this sum, modulo nothing yet."""
        return cls(sequence, entry_count, digest_sum % _DIGEST_MODULUS)

    def plus(self, *, entries: int, digest_sum: int) -> "Checkpoint":
        """The next checkpoint, after entries were added (or, negative, removed)."""
        return Checkpoint.at(
            self.sequence + 1, self.entry_count + entries, self.digest + digest_sum
        )

    def digest_bytes(self) -> bytes:
        """The digest as 32 bytes, big-endian."""
        return self.digest.to_bytes(32)


EMPTY_CHECKPOINT: Final = Checkpoint(0, 0, 0)
