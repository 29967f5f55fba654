"""How a client connects, how long it waits, and how it tries again."""

from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final

import grpc

from firstseen.errors import UsageError
from firstseen.usage import require

_RECONNECT_MS: Final = (100, 2_000)


@dataclass(frozen=True, slots=True)
class Tls:
    """An encrypted connection.

    Attributes:
        root_certificates: PEM of the authorities to trust; None for those that come with gRPC.
        private_key: PEM, for servers that ask who calls (the unit's review service).
        certificate_chain: PEM, belonging to `private_key`.

    Raises:
        UsageError: one of them is no bytes, such as the path of a file.
    """

    root_certificates: bytes | None = None
    private_key: bytes | None = field(default=None, repr=False)
    certificate_chain: bytes | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            require(name, getattr(self, name), (bytes, NoneType), "the bytes of a PEM file")


@dataclass(frozen=True, slots=True)
class Plaintext:
    """A connection that anyone on the way can read: for trying out on one machine."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a client behaves.

    Attributes:
        deadline_ms: the most a check may take, with everything tried again.
        first_backoff_ms: the most to wait before a second attempt. A wait is drawn evenly from
            0 to its most (full jitter), so that phones do not come back all at once.
        max_backoff_ms: each attempt doubles the most, up to this.
        policy_lifetime_ms: how long to go by what the server said it judges.
        batch_items: files of one `CheckStream` call; a server takes 256 unanswered by default.
        batch_wait_ms: how long to gather files before asking about those there are.
        dihedral: whether files are checked with their mirrored and rotated forms.
        exact_when_undecodable: whether a video that cannot be decoded, or a document that cannot
            be read, is checked by its exact hashes alone. NOVEL then says only that this very
            file is not listed.

    Raises:
        UsageError: a number is none, or is not positive.
    """

    deadline_ms: int = 2_000
    first_backoff_ms: int = 100
    max_backoff_ms: int = 2_000
    policy_lifetime_ms: int = 300_000
    batch_items: int = 32
    batch_wait_ms: int = 250
    dihedral: bool = True
    exact_when_undecodable: bool = False

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            require(name, value, (int, float), "a number")
            if not isinstance(value, bool) and value <= 0:
                raise UsageError(f"{name}: want more than 0")


def channel_arguments() -> list[tuple[str, Any]]:
    """What every channel is opened with."""
    first_ms, most_ms = _RECONNECT_MS
    return [
        # What to try again is decided in `attempts`, by status; gRPC's own retries are blind to it.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", first_ms),
        ("grpc.min_reconnect_backoff_ms", first_ms),
        ("grpc.max_reconnect_backoff_ms", most_ms),
        # The library's name and version are nobody's business.
        ("grpc.primary_user_agent", "firstseen"),
    ]


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """What gRPC wants of `tls`."""
    return grpc.ssl_channel_credentials(
        tls.root_certificates, tls.private_key, tls.certificate_chain
    )
