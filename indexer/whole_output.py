"""What an export writes: a file or a folder that is there whole or not at all, for its owner alone.

It is written under a name beside its own and then renamed. Errors tell the name that was asked
for, never the other one.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import TextIO

from engine.errors import InvalidInputError


@contextmanager
def whole_file(target: Path) -> Iterator[TextIO]:
    """A text file, which replaces an older one only when it is whole.

    Args:
        target: where it will be.

    Raises:
        OSError: it cannot be written; of `target`.
    """
    with _of(target):
        if target.is_dir():
            raise OSError(errno.EISDIR, "a folder, want the name of a file")
        part = _beside(target)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as stream:  # noqa: PTH123
                yield stream
                stream.flush()
                os.fsync(descriptor)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder, new or in place of an empty one.

    Args:
        target: where it will be.

    Raises:
        InvalidInputError: it is the folder that this process is in, or above it.
        OSError: it cannot be written, or has something in it; of `target`.
    """
    if Path.cwd().is_relative_to(target.resolve()):
        raise InvalidInputError(
            str(target), "the current folder or above it; name a new folder, such as videos"
        )
    with _of(target):
        if target.is_dir() and any(target.iterdir()):
            raise OSError(errno.ENOTEMPTY, "not empty; want a folder that is new or empty")
        if target.exists() and not target.is_dir():
            raise OSError(errno.ENOTDIR, "a file; want a folder that is new or empty")
        part = _beside(target)
        part.mkdir(mode=0o700)
        try:
            yield part
            part.replace(target)  # refused for a folder that has something in it by now
        except BaseException:
            rmtree(part)
            raise


def _beside(target: Path) -> Path:
    whole = target.absolute()
    return whole.with_name(f"{whole.name}.{os.getpid()}.part")


@contextmanager
def _of(target: Path) -> Iterator[None]:
    """Lets errors of writing tell `target`."""
    try:
        yield
    except BrokenPipeError:  # of stdout or stderr
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error
