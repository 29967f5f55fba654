"""Who else works on a store: the writer's lock, and a sign that a load is under way.

Both are locks of files beside the store's, which die with their process. LMDB has a lock of its
own for writers, but waits for it without end and without a word.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.errors import StoreMissingError, StoreUnusableError, WriterBusyError

_WRITER_FILE: Final = "writer.lock"
_LOADS_FILE: Final = "loads.lock"


def lock_writer(path: Path) -> int:
    """Takes the writer's lock; whoever closes the descriptor gives it back.

    Raises:
        WriterBusyError: another process has it.
        StoreUnusableError: there is no store, or no right to write to it.
    """
    if not path.is_dir():
        kind = StoreUnusableError if path.exists() else StoreMissingError
        raise kind(f"{path}: no store here (no such folder)")
    lock_fd = _opened(path, _WRITER_FILE)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock_fd)
        raise WriterBusyError(f"{path}: another process is writing to the store") from error
    return lock_fd


@contextmanager
def load_under_way(path: Path) -> Iterator[None]:
    """Lets `is_load_under_way` say so; any number of loads may be at once.

    Raises:
        StoreUnusableError: there is no right to write to the store.
    """
    lock_fd = _opened(path, _LOADS_FILE)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock_fd)


def is_load_under_way(path: Path) -> bool:
    """Whether a load may list more of what it reads."""
    try:
        lock_fd = os.open(path / _LOADS_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # nothing was ever loaded, or it is not ours to know
        return False
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock_fd)
    return False


def _opened(path: Path, name: str) -> int:
    try:
        return os.open(path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    except OSError as error:
        raise StoreUnusableError(f"{path}: locked: {error.strerror}") from error
