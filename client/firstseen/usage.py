"""Whether a program passes what is wanted; if not, an error that says both in words.

It is cheap: a check is asked for once a call. No text holds what was passed but an address.
"""

import re
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Final

from firstseen.errors import UsageError

BYTES: Final = (bytes, bytearray, memoryview)
ITEM: Final = "an Item, as hash_file gives"
_MAX_PORT: Final = 65_535
# A name, an IPv4 address or an IPv6 address in brackets.
_ADDRESS: Final = re.compile(
    r"(?:[^\s:/\[\]]+|\[[0-9a-fA-F:.]+(?:%[\w.-]+)?\]):([0-9]{1,5})", re.ASCII
)
# What is longer, or all of hexadecimal digits, may be a key or a hash that was passed by mistake.
_MAX_SHOWN: Final = 60
_HEX: Final = re.compile(r"[0-9a-fA-F]{16,}")


def require(name: str, value: object, kinds: type | tuple[type, ...], want: str) -> None:
    """Refuses an argument of another type.

    Args:
        name: of the argument.
        value: what was passed.
        kinds: what may be.
        want: that in words.

    Raises:
        UsageError: it is of none of them.
    """
    if not isinstance(value, kinds):
        raise refusal(name, value, want)


def refusal(name: str, value: object, want: str) -> UsageError:
    """The error of an argument of the wrong type."""
    passed = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    return UsageError(f"{name}: want {want}, not {passed}")


def problem_of_address(text: str) -> str:
    """What is wrong with an address; empty when it is `host:port`."""
    if text.startswith(("http:", "https:")):
        return "want HOST:PORT, without http"
    found = _ADDRESS.fullmatch(text)
    if not found or not 1 <= int(found[1]) <= _MAX_PORT:
        is_shown = len(text) <= _MAX_SHOWN and not _HEX.search(text)
        passed = repr(text) if is_shown else f"{len(text)} characters"
        return f"want HOST:PORT, as localhost:50051, not {passed}"
    return ""


def path_of(path: str | Path) -> Path:
    """The path of a file.

    Raises:
        UsageError: it is none.
    """
    require("path", path, (str, PathLike), "a path, as a str or a Path")
    return Path(path)


def paths_of(paths: Iterable[str | Path]) -> Iterator[Path]:
    """The paths of many files, each when it is asked for.

    Raises:
        UsageError: it is one path, or none.
    """
    # A str would be taken for as many paths as it has letters.
    if isinstance(paths, str | bytes) or not hasattr(paths, "__iter__"):
        raise refusal("paths", paths, "several paths, as a list")
    return map(path_of, paths)
