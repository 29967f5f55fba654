"""Addresses: one server has them, and all of its workers may listen there."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.config import Address, Config, parse_config
from server.ports import ListenError, Ports, with_addresses


def config_at(host: str, port: int, review: str | None = None) -> Config:
    listener = {"plaintext": True}
    table: dict[str, object] = {
        "store": {"path": "store"},
        "match": {**listener, "listen": f"{host}:{port}"},
    }
    if review is not None:
        table["review"] = {**listener, "listen": review}
    return parse_config(table, Path("/folder"))


@contextmanager
def listening(address: Address, *options: int) -> Iterator[socket.socket]:
    with socket.socket() as made:
        for option in options:
            made.setsockopt(socket.SOL_SOCKET, option, 1)
        made.bind((address.host, address.port))
        made.listen()
        yield made


WORKER = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def test_port_is_zero_one_is_found_and_workers_share_it() -> None:
    with Ports(config_at("127.0.0.1", 0, "127.0.0.1:0")) as ports:
        match, review = ports.addresses["match"], ports.addresses["review"]
        assert 0 not in {match.port, review.port}
        assert match.port != review.port
        with listening(match, *WORKER), listening(match, *WORKER):
            pass


def test_second_server_is_refused_before_and_while_workers_listen() -> None:
    with Ports(config_at("127.0.0.1", 0)) as ports:
        address = ports.addresses["match"]
        again = config_at("127.0.0.1", address.port)
        with pytest.raises(ListenError, match=f"match.listen: cannot listen on {address}"):
            Ports(again)
        with listening(address, *WORKER), pytest.raises(ListenError):
            Ports(again)
    with Ports(again):
        pass


@pytest.mark.parametrize("options", [(), (socket.SO_REUSEADDR,), WORKER])
def test_somebody_else_listens_is_refused(options: tuple[int, ...]) -> None:
    with listening(Address("127.0.0.1", 0), *options) as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "0.0.0.0"):
            with pytest.raises(ListenError, match=f"{host}:{port}: Address already in use"):
                Ports(config_at(host, port))


def test_connections_of_before_have_ended_is_no_hindrance() -> None:
    """A server that hung up leaves its port in TIME_WAIT for a minute."""
    with listening(Address("127.0.0.1", 0), *WORKER) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller:
            listener.accept()[0].close()
            assert caller.recv(1) == b""
    with Ports(config_at("127.0.0.1", port)) as ports:
        assert ports.addresses["match"].port == port
        with pytest.raises(ListenError):
            Ports(config_at("127.0.0.1", port))


@pytest.mark.parametrize(
    ("host", "cause"),
    [("192.0.2.1", "Cannot assign requested address"), ("no-such-name.invalid", r"\S")],
)
def test_address_is_not_this_machines_is_refused(host: str, cause: str) -> None:
    with pytest.raises(ListenError, match=f"cannot listen on {host}:0: {cause}"):
        Ports(config_at(host, 0))


def test_second_address_is_refused_first_is_let_go() -> None:
    with Ports(config_at("127.0.0.1", 0)) as ports:
        port = ports.addresses["match"].port
    with listening(Address("127.0.0.1", 0)) as taken:
        with pytest.raises(ListenError, match=r"review\.listen"):
            Ports(config_at("127.0.0.1", port, f"127.0.0.1:{taken.getsockname()[1]}"))
        with listening(Address("127.0.0.1", port)):
            pass


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", "[::]"])
def test_name_and_wildcards_are_one_port_of_every_family(host: str) -> None:
    config = config_at(host, 0)
    with Ports(config) as ports:
        address = ports.addresses["match"]
        assert with_addresses(config, ports.addresses).match.listen == address
        with pytest.raises(ListenError):
            Ports(config_at("127.0.0.1", address.port))
