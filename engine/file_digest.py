"""Digests of large files, and how the processes of one server tell them to one another.

A segment of ten million hashes has 2.8 GB: two seconds and a half of SHA-256 on one core, and each
process that maps it must know that it is whole. Those that start together share the work: a file
that one of them has just digested, and that has not been written since, is not digested again.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from engine.clock import Clock
from engine.turns import in_turns

# Blocks are digested on all cores at once; 16 MiB are 14 ms of SHA-256 on one.
_BLOCK_BYTES: Final = 16 << 20
# Read at a time, into the same buffer, so that what is digested is in the cache of its core.
_PIECE_BYTES: Final = 256 << 10
# What was digested longer ago is digested again: long enough for the processes of a server to
# start, short enough that one that starts again later sees a disk that has gone bad.
VALID_MS: Final = 60_000

Digest = Callable[[Path], str]
"""The digest of a file, as `file_digest` gives it."""


def file_digest(file: Path) -> str:
    """SHA-256 over the SHA-256 of each block of a file, in hex.

    Raises:
        OSError: it cannot be read.
    """
    own = threading.local()
    with file.open("rb") as stream, ThreadPoolExecutor(os.cpu_count()) as pool:
        descriptor, size = stream.fileno(), os.fstat(stream.fileno()).st_size

        def block(start: int) -> bytes:
            if not hasattr(own, "buffer"):
                own.buffer = bytearray(_PIECE_BYTES)
            return _block_digest(descriptor, start, min(start + _BLOCK_BYTES, size), own.buffer)

        blocks = pool.map(block, range(0, size, _BLOCK_BYTES))
        return hashlib.sha256(b"".join(blocks)).hexdigest()


def _block_digest(descriptor: int, start: int, end: int, buffer: bytearray) -> bytes:
    """SHA-256 of a part of a file; of less, when the file has become shorter meanwhile."""
    made = hashlib.sha256()
    for piece in in_turns(_pieces(descriptor, start, end, buffer)):
        made.update(piece)
    return made.digest()


def _pieces(descriptor: int, start: int, end: int, buffer: bytearray) -> Iterator[memoryview]:
    """A part of a file, as much of it at a time as the buffer holds."""
    view = memoryview(buffer)
    while start < end and (count := os.preadv(descriptor, [view[: end - start]], start)):
        yield view[:count]
        start += count


class SharedDigests:
    """Digests that processes tell one another through a file that only they have open.

    It is one without a name, made by the parent of all and handed down, so it ends with them, and
    nobody else can write what is believed here. A digest is believed for `VALID_MS`, of a file
    of the same place, size and times of change.
    """

    def __init__(self, descriptor: int, clock: Clock) -> None:
        """Shares through an open file.

        Args:
            descriptor: of the file; stays the caller's.
            clock: its monotonic time is the same in all processes of a machine.
        """
        self._descriptor = descriptor
        self._clock = clock
        self._thread_lock = threading.Lock()

    def digest(self, file: Path) -> str:
        """As `file_digest`, or what another process has just found.

        While one process digests, the others wait: together they are no faster.

        Raises:
            OSError: it cannot be read.
        """
        with self._lock():
            stamp = _stamp(file)
            found = self._told(stamp)
            if found is None:
                found = file_digest(file)
                if _stamp(file) == stamp:
                    self._tell(stamp, found)
            return found

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Held by one thread of one process; let go by the system when the process dies."""
        with self._thread_lock:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _told(self, stamp: list[int]) -> str | None:
        oldest_ms = self._clock.monotonic_ms() - VALID_MS
        size = os.fstat(self._descriptor).st_size
        for line in reversed(os.pread(self._descriptor, size, 0).splitlines()):
            said = _read(line)
            if said.get("stamp") == stamp and said["at_ms"] >= oldest_ms:
                return str(said["digest"])
        return None

    def _tell(self, stamp: list[int], digest: str) -> None:
        said = {"stamp": stamp, "digest": digest, "at_ms": self._clock.monotonic_ms()}
        line = json.dumps(said).encode() + b"\n"
        os.pwrite(self._descriptor, line, os.fstat(self._descriptor).st_size)


def _stamp(file: Path) -> list[int]:
    """What changes when a file is written or another takes its place."""
    status = file.stat()
    return [
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]


def _read(line: bytes) -> dict[str, Any]:
    """What a line says; nothing, when whoever wrote it died in the middle."""
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return said
