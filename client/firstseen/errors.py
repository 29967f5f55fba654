"""What can go wrong, one class for each thing a caller can do about it.

No message ever holds a hash. How a server's status becomes one of these is told in `wire`.
"""


class FirstseenError(Exception):
    """What every error of this package derives from."""


class UsageError(FirstseenError, ValueError):
    """A call of this package is not as it is meant: a fault of the program that makes it."""


class MediaError(FirstseenError):
    """The file cannot be hashed: not of a known format, damaged, or too large."""


class CallError(FirstseenError):
    """The server gave no verdict. Treat the item as UNSURE, never as NOVEL.

    Attributes:
        address: `host:port` of the server, with which the text then begins; empty when the
            error is of an item.
    """

    address: str = ""

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.address}: {text}" if self.address else text


class InvalidItemError(CallError):
    """The server refused the item; the same item will be refused again.

    Attributes:
        field: path of the wrong field, such as `hashes[3].value`; empty when unknown.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class LimitExceededError(InvalidItemError):
    """The item is larger than the server takes; see `Client.policy`."""


class UnavailableError(CallError):
    """The server cannot be reached, has no fresh list, or is going down; later it may answer.

    Attributes:
        retry_after_ms: how long the server asks to wait; None when it does not say.
    """

    def __init__(self, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class DeadlineError(CallError):
    """No answer came in time."""


class DeniedError(CallError):
    """The server does not answer this client."""


class ServerError(CallError):
    """The server failed, or answered what this client does not understand."""
