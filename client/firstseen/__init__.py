"""Firstseen's SDK: hashes files on the device and asks a server whether they are known.

Names are imported when they are first used: a program that needs only the contract
(`firstseen.v1`) loads neither picture decoders nor PDQ.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from firstseen.asking import FileAnswer
    from firstseen.async_client import AsyncClient
    from firstseen.client import Client
    from firstseen.errors import (
        CallError,
        DeadlineError,
        DeniedError,
        FirstseenError,
        InvalidItemError,
        LimitExceededError,
        MediaError,
        ServerError,
        UnavailableError,
    )
    from firstseen.hashing.file import hash_file
    from firstseen.items import (
        Answer,
        Checkpoint,
        Hash,
        HashType,
        HashValue,
        Item,
        MediaType,
        Policy,
        Verdict,
    )
    from firstseen.options import Options, Plaintext, Tls
    from firstseen.review import Explanation, Match, Priority, ReviewClient, Strength

_HOMES: Final = {
    "firstseen.asking": ("FileAnswer",),
    "firstseen.async_client": ("AsyncClient",),
    "firstseen.client": ("Client",),
    "firstseen.errors": (
        "CallError",
        "DeadlineError",
        "DeniedError",
        "FirstseenError",
        "InvalidItemError",
        "LimitExceededError",
        "MediaError",
        "ServerError",
        "UnavailableError",
    ),
    "firstseen.hashing.file": ("hash_file",),
    "firstseen.items": (
        "Answer",
        "Checkpoint",
        "Hash",
        "HashType",
        "HashValue",
        "Item",
        "MediaType",
        "Policy",
        "Verdict",
    ),
    "firstseen.options": ("Options", "Plaintext", "Tls"),
    "firstseen.review": ("Explanation", "Match", "Priority", "ReviewClient", "Strength"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  as the dictionary has them
    "AsyncClient",
    "Client",
    "ReviewClient",
    "Answer",
    "CallError",
    "Checkpoint",
    "DeadlineError",
    "DeniedError",
    "Explanation",
    "FileAnswer",
    "FirstseenError",
    "Hash",
    "HashType",
    "HashValue",
    "InvalidItemError",
    "Item",
    "LimitExceededError",
    "Match",
    "Priority",
    "Strength",
    "MediaError",
    "MediaType",
    "Options",
    "Plaintext",
    "Policy",
    "ServerError",
    "Tls",
    "UnavailableError",
    "Verdict",
    "hash_file",
]


def __getattr__(name: str) -> object:
    """Imports a public name when it is asked for (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
