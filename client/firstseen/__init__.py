"""Firstseen's SDK: hashes files on the device and asks a server whether they are known.

    from firstseen import Client

    with Client("match.example:443") as client:
        print(client.check_file("picture.jpg").verdict.name)

`Client` is for threads, `AsyncClient` for asyncio: `check_file` and `check_many` hash files and
ask, `check` asks about an `Item` that `hash_file`, `hash_items`, `stream_items` or `hash_image`
made. An `Answer` has a `Verdict` and the `Checkpoint` of the list it was judged by. `Tls`,
`Plaintext` and `Options` say how to call. Without a verdict there is a `FirstseenError`: a
`MediaError` of the file or a `CallError` of the server; either way a person looks, for it is
never NOVEL. `ReviewClient` is for the unit, and explains. docs/sdk.md tells it by examples.

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
        UsageError,
    )
    from firstseen.hashing.file import FileOptions, hash_file, hash_items, stream_items
    from firstseen.hashing.image import hash_image
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
        "UsageError",
    ),
    "firstseen.hashing.file": ("FileOptions", "hash_file", "hash_items", "stream_items"),
    "firstseen.hashing.image": ("hash_image",),
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
    "FileOptions",
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
    "UsageError",
    "Verdict",
    "hash_file",
    "hash_image",
    "hash_items",
    "stream_items",
]


def __getattr__(name: str) -> object:
    """Imports a public name when it is asked for (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
