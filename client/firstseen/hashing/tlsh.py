"""TLSH of a text, kept for exchange.

A reviewer is shown an equal one, and no verdict rests on it. Lists of others hash raw text or whole
files, and this is of normalised text, so equality with theirs is rare.
"""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Final

from firstseen.items import Hash, HashType, HashValue

_VERSION: Final = "T1"  # before the 70 digits, since TLSH 4


def tlsh_hash(text: str) -> tuple[Hash, ...]:
    """The TLSH of a normalised text in UTF-8; none without the `tlsh` package.

    Nor of a text with too few different bytes for one.
    """
    library = _library()
    if library is None:
        return ()
    digest: str = library.hash(text.encode("utf-8", "replace"))
    if not digest.startswith(_VERSION):
        return ()
    return (Hash(HashType.TLSH, HashValue(bytes.fromhex(digest.removeprefix(_VERSION)))),)


@cache
def _library() -> ModuleType | None:
    try:
        return import_module("tlsh")
    except ModuleNotFoundError:  # it is optional: it is only there as source in C++
        return None
