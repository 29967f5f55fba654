"""Opening the store for a command, and finding banks in it by name."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.errors import InvalidInputError, WriterBusyError
from engine.lmdb_store import LmdbWriter
from engine.policy import Bank
from engine.store import StoreReader
from indexer.console import Console, took

WAIT_LIMIT_MS: Final = 600_000  # clearing a bank takes half a minute for each million hashes
_SAID_AFTER_MS: Final = 1_000  # a batch of a load is on disk by then
_LOOK_S: Final = 0.01  # a load leaves the store for as long as reading its next batch takes


def writing(
    path: Path,
    console: Console,
    *,
    may_wait: bool = True,
    pause: Callable[[float], None] = time.sleep,
) -> LmdbWriter:
    """The store, opened to change it; waits until no other process does, and says so.

    Raises:
        WriterBusyError: one still does after `WAIT_LIMIT_MS`, or at all.
    """
    started_ms, said = console.clock.monotonic_ms(), False
    limit_ms = WAIT_LIMIT_MS if may_wait else 0
    while True:
        try:
            return LmdbWriter(path)
        except WriterBusyError as error:
            waited_ms = console.clock.monotonic_ms() - started_ms
            if waited_ms >= limit_ms:
                raise WriterBusyError(f"{error}; waited {took(waited_ms)} for it") from None
            if waited_ms >= _SAID_AFTER_MS and not said:
                said = True
                console.note(f"{error}; waiting for up to {took(limit_ms)}, Ctrl-C gives up")
        pause(_LOOK_S)


def note_more_coming(console: Console) -> None:
    """Says that what was taken out is not all, where more was listed meanwhile or will be."""
    console.note(
        "others write to this store: what they list after this has looked stays listed; "
        "run it again when they have ended"
    )


def find_bank(store: StoreReader, name: str) -> Bank | None:
    """The bank of that name."""
    return next((bank for bank in store.banks() if bank.name == name), None)


def require_bank(store: StoreReader, name: str) -> Bank:
    """The bank of that name.

    Raises:
        InvalidInputError: there is none.
    """
    bank = find_bank(store, name)
    if bank is None:
        names = ", ".join(bank.name for bank in store.banks())
        raise InvalidInputError(
            name,
            f"no such bank; there are: {names}"
            if names
            else "the store has no bank yet; `banks create` makes one",
        )
    return bank
