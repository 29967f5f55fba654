"""The addresses of a server: had by one supervisor, listened on by all of its workers.

SO_REUSEPORT lets several processes of one account listen on one port. It would as well let a
second server take half of the first one's calls, so the supervisor takes each address for
itself before it lets workers in. It holds a socket there that never listens.
"""

import errno
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Self

from server.config import Address, Config

_Place = tuple[socket.AddressFamily, tuple[str, int]]


class ListenError(Exception):
    """An address cannot be listened on, or its credentials cannot be used."""


class Ports:
    """The addresses of a configuration, held until `close`.

    Attributes:
        addresses: where each listener is reached, by its name; no port is 0.
    """

    def __init__(self, config: Config) -> None:
        """Takes every address of `config`.

        Raises:
            ListenError: one is taken, or is not this machine's.
        """
        self._held: list[socket.socket] = []
        self.addresses: dict[str, Address] = {}
        try:
            for name, address in listens(config).items():
                self.addresses[name] = self._hold(name, address)
        except ListenError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the addresses."""
        while self._held:
            self._held.pop().close()

    def _hold(self, name: str, address: Address) -> Address:
        port = address.port
        absent = None
        for family, (host, _) in _places(name, address):
            try:
                held = _take(family, host, port)
            except OSError as error:
                # "localhost" may stand for a family that this machine has not: gRPC takes those
                # that there are, too.
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise _refusal(name, address, error) from error
                absent = error
            else:
                self._held.append(held)
                port = held.getsockname()[1]
        if port == 0 or (absent is not None and not self._held):
            raise _refusal(name, address, absent) from absent
        return address.with_port(port)


def listens(config: Config) -> dict[str, Address]:
    """The configured address of each listener there is, by its name."""
    found = {"match": config.match.listen}
    if config.review is not None:
        found["review"] = config.review.listen
    return found


def with_addresses(config: Config, addresses: Mapping[str, Address]) -> Config:
    """The configuration at the addresses that were taken for it."""
    config = replace(config, match=replace(config.match, listen=addresses["match"]))
    if config.review is None:
        return config
    return replace(config, review=replace(config.review, listen=addresses["review"]))


def problem_of(name: str, address: Address) -> str:
    """Why a worker cannot listen on an address, as the system says it; empty when it can.

    Raises:
        ListenError: the address is no place at all.
    """
    for family, (host, port) in _places(name, address):
        try:
            with _bound(family, host, port, socket.SO_REUSEPORT) as tried:
                tried.listen()
        except OSError as error:
            return error.strerror or ""
    return ""


def _refusal(name: str, address: Address, error: Exception | None) -> ListenError:
    cause = error.strerror if isinstance(error, OSError) and error.strerror else "no such address"
    return ListenError(f"{name}.listen: cannot listen on {address}: {cause}")


def _places(name: str, address: Address) -> list[_Place]:
    """What an address stands for, as gRPC reads it: either wildcard means every family."""
    if address.host in {"0.0.0.0", "::"}:  # noqa: S104  asked for by the operator
        if socket.has_dualstack_ipv6():
            return [(socket.AF_INET6, ("::", address.port))]
        return [(socket.AF_INET, ("0.0.0.0", address.port))]  # noqa: S104
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _refusal(name, address, error) from error
    return [(family, (str(place[0]), address.port)) for family, _, _, _, place in found]


def _take(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """A socket that holds a place against all but sockets with SO_REUSEPORT of this account.

    The first socket is refused where another one listens or is held; SO_REUSEADDR lets it pass
    connections that have ended (TIME_WAIT). The second takes its place without SO_REUSEADDR, so
    that the next supervisor's first is refused. Two that start within the microseconds between
    the two binds can still both pass.

    Raises:
        OSError: the place cannot be had.
    """
    with _bound(family, host, port, socket.SO_REUSEADDR) as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return _bound(family, host, first.getsockname()[1], socket.SO_REUSEPORT)


def _bound(family: socket.AddressFamily, host: str, port: int, option: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
