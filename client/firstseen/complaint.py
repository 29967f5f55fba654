"""What a command says of what went wrong: one line on stderr, and an exit code."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console

from firstseen.progress import printable

EXIT_ERROR: Final = 1
_UNREADABLE: Final = "cannot be read"


def reason_of(path: Path, error: Exception | None) -> str:
    """As `reason`, of a file that was to be hashed."""
    if isinstance(error, IsADirectoryError):
        return f"a folder, not a file: name its files, as {printable(shlex.quote(str(path)))}/*"
    return reason(error)


def reason(error: Exception | None) -> str:
    """Why there is nothing of a file, without its name."""
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, OSError):
        return error.strerror or _UNREADABLE
    return printable(str(error))


def complain(text: str) -> None:
    """Writes a line of what went wrong."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"firstseen: {printable(text)}", style="red", markup=False)


def complain_of(failed: Iterable[tuple[Path, Exception]]) -> int:
    """Writes a line for each file that failed; gives the exit code."""
    code = 0
    for path, error in failed:
        complain(f"{printable(path)}: {reason_of(path, error)}")
        code = EXIT_ERROR
    return code
