"""An error of a call says which server it is of, and what was wrong with the way there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

import grpc
import pytest

from firstseen import (
    AsyncClient,
    CallError,
    Client,
    DeadlineError,
    Hash,
    HashType,
    HashValue,
    InvalidItemError,
    Item,
    MediaType,
    Options,
    Plaintext,
    ReviewClient,
    ServerError,
    Tls,
    UnavailableError,
)
from firstseen.v1 import types_pb2
from tests.client.certificates import Pair, make_pair
from tests.client.scripted_server import Script, invalid, policy, serving

ITEM = Item(MediaType.IMAGE, (Hash(HashType.SHA256, HashValue(bytes(32))),))
# A first error ends the call, and not the deadline: the wait for another try is drawn up to years.
ONCE = Options(deadline_ms=30_000, first_backoff_ms=10**11, max_backoff_ms=10**11)


@pytest.fixture
def script() -> Script:
    return Script(policy(types_pb2.HASH_TYPE_SHA256))


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    with serving(script) as bound:
        yield bound


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("own"), "own")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("other"), "other")


@contextmanager
def over_tls(own: Pair, callers: Pair | None = None) -> Iterator[int]:
    """A server that speaks TLS and answers nothing; gives its port."""
    server = grpc.server(ThreadPoolExecutor(1))
    credentials = grpc.ssl_server_credentials(
        [(own.key.read_bytes(), own.certificate.read_bytes())],
        root_certificates=callers.certificate.read_bytes() if callers else None,
        require_client_auth=callers is not None,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextmanager
def over_http() -> Iterator[str]:
    """A web server of another age, for one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        thread = Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def errors(address: str, security: Tls | Plaintext, options: Options = ONCE) -> set[str]:
    """What the sync and the async client say."""

    async def ask() -> None:
        async with AsyncClient(address, security, options) as client:
            await client.check(ITEM)

    with Client(address, security, options) as client, pytest.raises(CallError) as first:
        client.check(ITEM)
    with pytest.raises(CallError) as second:
        asyncio.run(ask())
    assert first.value.address == second.value.address == address
    assert type(first.value) is type(second.value)
    return {str(first.value), str(second.value)}


def trust(pair: Pair) -> Tls:
    return Tls(pair.certificate.read_bytes())


def test_tls_to_a_plaintext_port_is_told(address: str, own: Pair) -> None:
    (said,) = errors(address, trust(own))
    assert said == (
        f"{address}: the server cannot be reached: "
        "it does not speak TLS (to call without: Plaintext(), --plaintext)"
    )


def test_plaintext_to_a_tls_port_is_told(own: Pair) -> None:
    with over_tls(own) as port:
        (said,) = errors(f"localhost:{port}", Plaintext())
    assert said == (
        f"localhost:{port}: the server cannot be reached: "
        "it hangs up, and may speak TLS (to call so: Tls(), no --plaintext)"
    )


def test_wrong_certificates_are_told(own: Pair, other: Pair) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(over_tls(own))
        strict = stack.enter_context(over_tls(own, other))
        for address, security, reason in (
            (f"localhost:{port}", trust(other), "its certificate is out of date, or of no trusted"),
            (f"127.0.0.1:{port}", trust(own), "its certificate is of another name"),
            (f"localhost:{strict}", trust(own), "it hangs up, and may want a client certificate"),
        ):
            said = errors(address, security)
            assert len(said) == 1
            assert said.pop().startswith(f"{address}: the server cannot be reached: {reason}")


def test_address_where_nobody_is_is_told() -> None:
    reached = "the server cannot be reached"
    assert errors("127.0.0.1:1", Plaintext()) == {f"127.0.0.1:1: {reached}: nothing listens there"}
    # gRPC tells of the address that it tried last, and a name may have more.
    (said,) = errors("localhost:1", Plaintext())
    assert said.endswith("there, or not on each address of localhost (name one of them to be sure)")


def test_web_server_is_told() -> None:
    with (
        over_http() as address,
        Client(address, Plaintext(), ONCE) as client,
        pytest.raises(UnavailableError, match=r"reached: it speaks HTTP/1\.1 and not gRPC"),
    ):
        client.policy()


def test_port_of_the_unit_is_told_to_who_checks(own: Pair) -> None:
    with over_tls(own) as port:
        (said,) = errors(f"localhost:{port}", trust(own))
    assert said == (
        f"localhost:{port}: no checks are answered here, as at the unit's port (review.listen "
        "of the server's configuration): call the reporters' port (match.listen)"
    )


def test_port_of_the_reporters_is_told_to_who_reviews(address: str) -> None:
    with ReviewClient(address, Plaintext(), ONCE) as client:
        for ask in (lambda: client.explain(ITEM), lambda: client.prioritise([ITEM])):
            with pytest.raises(
                ServerError, match=r"call the unit's port \(review\.listen\)"
            ) as told:
                ask()
            assert str(told.value).startswith(f"{address}: no reviews are answered here, as at the")


def test_deadline_names_the_server(address: str, script: Script) -> None:
    ended = Event()
    script.check_steps = [lambda _, context: context.add_callback(ended.set) and ended.wait(30)]
    with (
        Client(address, Plaintext(), Options(deadline_ms=300)) as client,
        pytest.raises(DeadlineError, match=f"^{address}: no answer in time$"),
    ):
        client.check(ITEM)


def test_refused_item_is_told_without_the_server(address: str, script: Script) -> None:
    script.check_steps = [invalid("hashes[0].value")]
    with (
        Client(address, Plaintext(), ONCE) as client,
        pytest.raises(InvalidItemError, match=r"^hashes\[0\]\.value: wrong$"),
    ):
        client.check(ITEM)
