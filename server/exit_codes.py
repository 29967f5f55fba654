"""How the server ends; told in docs/operate.md."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the supervisor and of its workers, for scripts."""

    STOPPED = 0
    CONFIG = 2
    STORE_UNUSABLE = 3
    STORE_DAMAGED = 4
    LISTEN = 5
    FAULT = 70
