"""What Python touches while a file is hashed: files that are written, the network, programs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OUTSIDE = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "urllib.",
)
_CHANGES = (
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
)


class _Watch:
    """One for the process: a hook cannot be taken away again."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.touched: list[str] = []
        self._is_hooked = False

    def begin(self, folder: Path) -> None:
        if not self._is_hooked:
            sys.addaudithook(self.note)
            self._is_hooked = True
        self.touched = []
        self.folder = folder

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.folder is None:
            return
        if event.startswith(_OUTSIDE):
            self.touched.append(event)
        elif event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING and self._is_outside(path):
                self.touched.append(f"{event} {path!r}")
        elif event.startswith(_CHANGES) and self._is_outside(arguments[0]):
            self.touched.append(f"{event} {arguments[0]!r}")

    def _is_outside(self, path: object) -> bool:
        if self.folder is None or not isinstance(path, str | bytes | os.PathLike):
            return False  # a number: opened before
        return self.folder not in Path(os.fsdecode(path)).absolute().parents


_watch = _Watch()


@contextmanager
def touched(folder: Path) -> Iterator[list[str]]:
    """Lists what is written outside a folder, and each use of the network or of another program.

    Libraries in C are not seen; what they leave in the working folder is for the caller to look at.
    """
    _watch.begin(folder)
    try:
        yield _watch.touched
    finally:
        _watch.folder = None
