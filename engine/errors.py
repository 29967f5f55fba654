"""The errors of the engine, one class for each thing a caller can do about it.

A message names the field and the shape, never a hash value. What gRPC status an
error becomes is the server's business.
"""


class EngineError(Exception):
    """What every error of the engine derives from."""


class InvalidInputError(EngineError):
    """The caller's value is wrong; the same call will fail again.

    Attributes:
        field: path of the wrong field, such as `hashes[3].value`; empty when there is none.
        problem: what is wrong with it, without the value.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem


class LimitError(InvalidInputError):
    """The caller's value is well-formed but larger than this engine accepts."""


class NotReadyError(EngineError):
    """The list is not loaded or not known to be fresh; the same call may work later."""


class LogTruncatedError(EngineError):
    """The log does not lead from the asked checkpoint to its head; read the whole list anew."""


class WriterBusyError(EngineError):
    """Another process is writing to the store."""


class StoreFullError(EngineError):
    """The store has no room left; nothing of the failed change was kept."""


class StoreUnusableError(EngineError):
    """There is no store that this program can open: missing, locked, or of a newer format."""


class StoreMissingError(StoreUnusableError):
    """There is no store where one is looked for."""


class CorruptError(EngineError):
    """What was read is not what was written; restore a backup or rebuild."""
