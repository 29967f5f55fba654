"""One LMDB environment and its tables, in the engine's words; the only file that imports lmdb.

It knows how a store's file is opened, read, written and refused, and nothing of what
is in the records.
"""

import errno
import os
import resource
import shutil
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Final, cast

import lmdb

from engine.errors import (
    CorruptError,
    InvalidInputError,
    StoreFullError,
    StoreMissingError,
    StoreUnusableError,
)
from engine.read_count import ReadCount

FORMAT_VERSION: Final = 1
_FORMAT_KEY: Final = b"format"
_FORMAT: Final = struct.Struct(">I")
_DATA_FILE: Final = "data.mdb"
_MAX_READERS: Final = 512  # one for each process that follows, and some that died


class Table(Enum):
    """The tables of a store; keys are big-endian, so that they sort by number."""

    META = b"meta"
    LOG = b"log"
    BANKS = b"banks"
    ITEMS = b"items"
    VALUES = b"values"


_SORTED_DUPLICATES: Final = frozenset({Table.VALUES})
_FULL_CODES: Final = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_FULL: Final = tuple(map(os.strerror, _FULL_CODES))
_COMMIT_BYTES: Final = 1 << 20  # LMDB writes no more at a time than this
_GROWTH_BYTES: Final = 16 << 20
_SPARE_BYTES: Final = 16 << 20  # how much longer the file is than what is in use, by a hole
_DENIED: Final = tuple(os.strerror(code) for code in (errno.EACCES, errno.EPERM, errno.EROFS))


@contextmanager
def _engine_errors(path: Path) -> Iterator[None]:
    """Says LMDB's errors in the engine's words."""
    try:
        yield
    except lmdb.MapFullError as error:
        raise StoreFullError(f"{path}: the store has reached its map size") from error
    except (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError) as error:
        raise CorruptError(f"{path}: not readable as a store: {error}") from error
    except lmdb.ReadersFullError as error:
        raise StoreUnusableError(f"{path}: locked: too many processes read it") from error
    except lmdb.NotFoundError as error:
        raise StoreUnusableError(f"{path}: LMDB, but not a Firstseen store") from error
    except lmdb.Error as error:
        text = str(error)
        # LMDB says of a write that was cut short no more than that it failed.
        is_cut_short = os.strerror(errno.EIO) in text and not _has_room(path)
        if is_cut_short or any(reason in text for reason in _FULL):
            raise StoreFullError(f"{path}: the disk is full") from error
        if any(reason in text for reason in _DENIED):
            raise StoreUnusableError(f"{path}: locked: no permission") from error
        raise StoreUnusableError(f"{path}: {text}") from error


def _has_room(path: Path) -> bool:
    """Whether the disk, and what this process may write of one file, leave room for a commit."""
    largest_bytes, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    written_bytes = (path / _DATA_FILE).stat().st_blocks * 512  # less than its size: it has a hole
    is_limited = largest_bytes != resource.RLIM_INFINITY
    is_at_limit = is_limited and largest_bytes - written_bytes < _COMMIT_BYTES
    return not is_at_limit and shutil.disk_usage(path).free >= _COMMIT_BYTES


class Transaction:
    """A transaction over the tables."""

    __slots__ = ("_tables", "_txn")

    def __init__(self, txn: lmdb.Transaction, tables: dict[Table, lmdb._Database]) -> None:
        self._txn = txn
        self._tables = tables

    @property
    def change_number(self) -> int:
        """The number of the newest change that it sees; of one that writes, its own."""
        return int(self._txn.id())

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value of a key (the smallest, where there are several)."""
        return cast("bytes | None", self._txn.get(key, db=self._tables[table]))

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Sets the value of a key."""
        self._txn.put(key, value, db=self._tables[table])

    def put_many(
        self, table: Table, rows: Iterable[tuple[bytes, bytes]], *, append: bool = False
    ) -> None:
        """Sets many; `append` when every key is larger than any in the table.

        Raises:
            CorruptError: with `append`, a key was not.
        """
        consumed, added = self._txn.cursor(self._tables[table]).putmulti(rows, append=append)
        if append and consumed != added:
            raise CorruptError(f"table {table.name.lower()}: holds keys beyond its end")

    def delete(self, table: Table, key: bytes, value: bytes = b"") -> None:
        """Removes a key, or one of its values."""
        self._txn.delete(key, value, db=self._tables[table])

    def scan(self, table: Table, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Every row from `start` on, by key."""
        cursor = self._txn.cursor(self._tables[table])
        found = cursor.set_range(start) if start else cursor.first()
        return cast("Iterator[tuple[bytes, bytes]]", iter(cursor if found else ()))

    def duplicates(self, table: Table, key: bytes) -> list[bytes]:
        """Every value of one key."""
        cursor = self._txn.cursor(self._tables[table])
        return list(cast("Iterator[bytes]", cursor.iternext_dup())) if cursor.set_key(key) else []

    def has(self, table: Table, key: bytes, value: bytes) -> bool:
        """Whether a key has this value."""
        return bool(self._txn.cursor(self._tables[table]).set_key_dup(key, value))

    def count(self, table: Table) -> int:
        """How many rows a table has."""
        return int(self._txn.stat(self._tables[table])["entries"])

    def floor_key(self, table: Table, key: bytes) -> bytes | None:
        """The largest key that is not larger than `key`."""
        cursor = self._txn.cursor(self._tables[table])
        if cursor.set_range(key):
            if cursor.key() == key:
                return key
            found = cursor.prev()
        else:
            found = cursor.last()
        return cast("bytes", cursor.key()) if found else None


class Environment:
    """A store's file, opened. One a process: LMDB's locks do not survive a second one."""

    def __init__(self, path: Path, *, readonly: bool) -> None:
        """Opens what is there; never makes a store.

        Raises:
            StoreUnusableError: there is none, it is locked, or of a newer format.
            CorruptError: it is damaged.
        """
        self._path = path
        self._data_file = path / _DATA_FILE
        self._reads = ReadCount()
        _data_size_bytes(path)
        with _engine_errors(path):
            self._env = lmdb.open(
                os.fspath(path),
                map_size=0,
                max_dbs=len(Table),
                max_readers=_MAX_READERS,
                readonly=readonly,
                create=False,
            )
            try:
                # Reading past the end of a truncated file would kill the process. What is used is
                # asked first: a writer beside us makes the file longer before it says so.
                used_bytes = self.used_bytes
                size_bytes = _data_size_bytes(path)
                if size_bytes < used_bytes:
                    raise CorruptError(
                        f"{path}: {_DATA_FILE} has {size_bytes} bytes, want {used_bytes}"
                    )
                self._tables = _open_tables(self._env, [Table.META], create=False)
                self._check_format()
                self._tables = _open_tables(self._env, Table, create=False)
            except BaseException:
                self._env.close()
                raise
        self._file_id = self._current_file_id()

    @classmethod
    def create(cls, path: Path, map_size_bytes: int, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Makes an empty store with `rows` in its meta table, all of it or nothing.

        Raises:
            InvalidInputError: there is a store already.
            StoreUnusableError: the folder cannot be made or written.
            StoreFullError: the disk is full.
        """
        if (path / _DATA_FILE).exists():
            raise InvalidInputError("store", f"{path} holds a store already")
        building = path / f".creating-{os.getpid()}"
        try:
            building.mkdir(parents=True)
            with (
                _engine_errors(path),
                lmdb.open(os.fspath(building), map_size=map_size_bytes, max_dbs=len(Table)) as env,
            ):
                tables = _open_tables(env, Table, create=True)
                with env.begin(write=True) as txn:
                    meta = Transaction(txn, tables)
                    meta.put(Table.META, _FORMAT_KEY, _FORMAT.pack(FORMAT_VERSION))
                    for key, value in rows:
                        meta.put(Table.META, key, value)
            # A link, unlike a rename, does not replace a store that came in between.
            os.link(building / _DATA_FILE, path / _DATA_FILE)
        except FileExistsError as error:
            raise InvalidInputError("store", f"{path} holds a store already") from error
        except OSError as error:
            raise StoreUnusableError(f"{path}: {error.strerror}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _check_format(self) -> None:
        with self.read() as txn:
            stored = txn.get(Table.META, _FORMAT_KEY)
        if stored is None or len(stored) != _FORMAT.size:
            raise StoreUnusableError(
                f"{self._path}: the store has no format version; it was never finished"
            )
        (version,) = _FORMAT.unpack(stored)
        if version > FORMAT_VERSION:
            raise StoreUnusableError(
                f"{self._path}: store format {version}, "
                f"this program reads up to {FORMAT_VERSION}: upgrade it"
            )

    def close(self) -> None:
        """Lets go of the file."""
        self._env.close()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """The store at its newest checkpoint; does not wait for the writer.

        When the writer has let the file grow, waits for the reads of other threads to end.

        Raises:
            StoreUnusableError: they do not.
        """
        with _engine_errors(self._path):
            while True:
                with self._reads.one():
                    try:
                        txn = self._env.begin()
                    except lmdb.MapResizedError:
                        pass
                    else:
                        with txn:
                            yield Transaction(txn, self._tables)
                        return
                # Maps the file anew, which would cut every read that is under way.
                with self._reads.none():
                    self._env.set_mapsize(0)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A change: on disk when the block ends, or nothing of it when it raises."""
        self._reach(_SPARE_BYTES)
        with _engine_errors(self._path), self._env.begin(write=True) as txn:
            yield Transaction(txn, self._tables)
        self._reach(0)

    def _reach(self, spare_bytes: int) -> None:
        """Makes the file longer than what is in use, so that it never looks cut short.

        Pages that a change takes at the file's end and frees again count as used and are never
        written. Before a change there is a hole for them, so that no kill can come in between; one
        that needs more is seen to after it.

        Raises:
            StoreFullError: the disk is full, where a hole takes room.
            StoreUnusableError: the file cannot be made longer.
        """
        used_bytes, size_bytes = self.used_bytes, _data_size_bytes(self._path)
        if size_bytes >= used_bytes + spare_bytes // 2:
            return
        largest_bytes, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        want_bytes = used_bytes + spare_bytes
        if largest_bytes != resource.RLIM_INFINITY:
            want_bytes = min(want_bytes, largest_bytes)
        if size_bytes >= want_bytes:
            return
        try:
            os.truncate(self._data_file, want_bytes)
        except OSError as error:
            if error.errno in _FULL_CODES:
                raise StoreFullError(f"{self._path}: the disk is full") from error
            raise StoreUnusableError(f"{self._path}: {error.strerror}") from error

    def grow(self) -> None:
        """Lets the file grow further than it was made for; readers follow by themselves."""
        with _engine_errors(self._path), self._reads.none():
            self._env.set_mapsize(
                self.map_size_bytes + max(_GROWTH_BYTES, self.map_size_bytes // 4)
            )

    @property
    def used_bytes(self) -> int:
        """Bytes of the file in use."""
        return int((self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"])

    @property
    def map_size_bytes(self) -> int:
        """The most that the file can grow to."""
        return int(self._env.info()["map_size"])

    @property
    def change_number(self) -> int:
        """The number of the newest change that was written down; takes no transaction.

        A transaction may not see that change yet: it is written to disk before it is shown.

        Raises:
            StoreUnusableError: the store is closed.
        """
        with _engine_errors(self._path), self._reads.one():
            return int(self._env.info()["last_txnid"])

    def is_replaced(self) -> bool:
        """Whether the folder now holds another file than the one opened."""
        return self._current_file_id() != self._file_id

    def _current_file_id(self) -> tuple[int, int] | None:
        try:
            status = self._data_file.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _data_size_bytes(path: Path) -> int:
    try:
        size_bytes = (path / _DATA_FILE).stat().st_size
    except FileNotFoundError as error:
        raise StoreMissingError(f"{path}: no store here ({error.strerror})") from error
    except OSError as error:
        raise StoreUnusableError(f"{path}: no store here ({error.strerror})") from error
    if size_bytes == 0:
        raise StoreUnusableError(f"{path}: no store here ({_DATA_FILE} is empty)")
    return size_bytes


def _open_tables(
    env: lmdb.Environment, tables: Iterable[Table], *, create: bool
) -> dict[Table, lmdb._Database]:
    opened = {}
    for table in tables:
        sorted_ = table in _SORTED_DUPLICATES
        opened[table] = env.open_db(table.value, create=create, dupsort=sorted_, dupfixed=sorted_)
    return opened
