"""How a command ends: one table from errors to exit codes."""

from enum import IntEnum
from typing import Final

from engine.errors import (
    CorruptError,
    EngineError,
    InvalidInputError,
    StoreFullError,
    StoreUnusableError,
    WriterBusyError,
)
from indexer.feeds.reading import FeedError


class ExitCode(IntEnum):
    """Exit codes, for scripts; told in docs/formats.md."""

    DONE = 0
    REJECTS = 1
    USAGE = 2
    STORE_UNUSABLE = 3
    STORE_DAMAGED = 4
    STORE_BUSY = 5
    STORE_FULL = 6
    FILE = 7
    FAULT = 70
    STOPPED = 130


BY_ERROR: Final[tuple[tuple[type[Exception], ExitCode], ...]] = (
    (InvalidInputError, ExitCode.USAGE),
    (StoreUnusableError, ExitCode.STORE_UNUSABLE),
    (CorruptError, ExitCode.STORE_DAMAGED),
    (WriterBusyError, ExitCode.STORE_BUSY),
    (StoreFullError, ExitCode.STORE_FULL),
    (EngineError, ExitCode.FAULT),
    (FeedError, ExitCode.FILE),
    (OSError, ExitCode.FILE),
)


def exit_code(error: Exception) -> ExitCode | None:
    """The code for an expected error; None for a fault of the program."""
    return next((code for type_, code in BY_ERROR if isinstance(error, type_)), None)
