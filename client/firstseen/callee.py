"""Whom a client calls, so that an error says which server it is of and how it was called.

A server's text for a failed call is the business of `wire`; here is what only the caller knows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from firstseen.errors import CallError, InvalidItemError, UsageError
from firstseen.options import Plaintext, Tls
from firstseen.usage import problem_of_address, require


class Service(StrEnum):
    """What a client asks for; the text is what it says when nobody answers."""

    MATCH = (
        "no checks are answered here, as at the unit's port (review.listen of the server's "
        "configuration): call the reporters' port (match.listen)"
    )
    REVIEW = (
        "no reviews are answered here, as at the reporters' port (match.listen of the server's "
        "configuration): call the unit's port (review.listen)"
    )


_REFUSED: Final = "connection refused"
# What gRPC's core says of a connection that did not come about (grpcio 1.85.3), in lower
# case, and what that means. The first that is found counts.
_REASONS: Final = (
    ("wrong_version_number", "it does not speak TLS (to call without: Plaintext(), --plaintext)"),
    ("certificate_verify_failed", "its certificate is out of date, or of no trusted authority"),
    ("hostname verification", "its certificate is of another name"),
    ("handshake failed", "the TLS handshake failed"),
    ("http1.x server", "it speaks HTTP/1.1 and not gRPC"),
    ("errors resolving", "no such host"),
    (_REFUSED, "nothing listens there"),
)
_NOT_CONNECTED: Final = "failed to connect"
_HUNG_UP: Final = ("socket closed", "connection reset")


@dataclass(frozen=True, slots=True)
class Callee:
    """A server as its client knows it.

    Attributes:
        address: `host:port`.
        security: how it is called.
        service: what it is asked for.

    Raises:
        UsageError: it cannot be called so.
    """

    address: str
    security: Tls | Plaintext
    service: Service = Service.MATCH

    def __post_init__(self) -> None:
        require("address", self.address, str, "HOST:PORT, as a str")
        if problem := problem_of_address(self.address):
            raise UsageError(f"address: {problem}")
        require("security", self.security, (Tls, Plaintext), "Tls() or Plaintext()")

    def not_reached(self, text: str) -> str:
        """What kept gRPC from reaching it, by gRPC's own text, which holds addresses."""
        said = text.lower()
        reason = next((reason for sign, reason in _REASONS if sign in said), "")
        if not reason and _NOT_CONNECTED in said and any(sign in said for sign in _HUNG_UP):
            reason = (
                "it hangs up, and may speak TLS (to call so: Tls(), no --plaintext)"
                if isinstance(self.security, Plaintext)
                else "it hangs up, and may want a client certificate, or another one"
            )
        if _REFUSED in said and not self._is_one_address():
            # gRPC tells only of the one it tried last.
            reason += f", or not on each address of {self._host()} (name one of them to be sure)"
        return f"the server cannot be reached{reason and ': '}{reason}"

    def _host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    def _is_one_address(self) -> bool:
        """Whether it is a number, and no name, which may stand for several."""
        try:
            ip_address(self._host())
        except ValueError:
            return False
        return True

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors of calls inside hold the address; one of an item would be the same elsewhere."""
        try:
            yield
        except CallError as error:
            if not isinstance(error, InvalidItemError):
                error.address = self.address
            raise
