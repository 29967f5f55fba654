"""How the server ends; told in docs/operate.md."""

import shlex
from enum import IntEnum
from pathlib import Path

from engine.errors import CorruptError, EngineError, StoreMissingError


class ExitCode(IntEnum):
    """Exit codes of the supervisor and of its workers, for scripts."""

    STOPPED = 0
    CONFIG = 2
    STORE_UNUSABLE = 3
    STORE_DAMAGED = 4
    LISTEN = 5
    FAULT = 70


def of_store(path: Path, error: EngineError) -> tuple[ExitCode, str]:
    """How a server ends that cannot serve from its store, and what it says."""
    text = str(error) if str(path) in str(error) else f"{path}: {error}"
    if isinstance(error, StoreMissingError):
        text += f"; to make one: python -m indexer init --store {shlex.quote(str(path))}"
    is_damage = isinstance(error, CorruptError)
    return ExitCode.STORE_DAMAGED if is_damage else ExitCode.STORE_UNUSABLE, text
