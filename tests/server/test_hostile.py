"""Callers that do what they should not: the right status, and others are served on."""

import resource
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.running import ROOT, RunningServer, running_server
from firstseen import Plaintext, wire
from firstseen.callee import Callee
from firstseen.errors import UnavailableError
from firstseen.v1 import match_pb2, match_pb2_grpc, review_pb2, review_pb2_grpc, types_pb2
from server.boundary import IDLE_TEXT, NO_ROOM_TEXT, RETRY_DELAY_MS
from tests.server.test_states import within_patience
from tests.server.worlds import check, item_of, message, pdq, raw_call, value

TIMEOUT_S = 30.0
CONNECTIONS = 1_000


@pytest.fixture(autouse=True)
def others_are_served(running: RunningServer) -> Iterator[None]:
    """After each attack a new caller gets the right answer."""
    yield
    serves(running)


def serves(running: RunningServer) -> None:
    with grpc.insecure_channel(running.match) as channel:
        stub = match_pb2_grpc.MatchServiceStub(channel)
        answer = stub.Check(check(message(0)), timeout=TIMEOUT_S)
    assert answer.verdict == types_pb2.VERDICT_KNOWN
    assert running.process.poll() is None


def refused(
    match: match_pb2_grpc.MatchServiceStub, item: types_pb2.Item
) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        match.Check(check(item), timeout=TIMEOUT_S)
    return caught.value.code(), caught.value.details() or ""


@pytest.mark.parametrize("size", [0, 1, 31, 33, 100_000])
def test_hash_of_a_wrong_size_is_refused(match: match_pb2_grpc.MatchServiceStub, size: int) -> None:
    assert refused(match, item_of([pdq(bytes(size))])) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        f"hashes[0].value: {size} bytes, want 32",
    )


def test_ten_thousand_hashes_in_an_item_are_refused(
    match: match_pb2_grpc.MatchServiceStub,
) -> None:
    many = item_of([pdq(value(0))] * 10_000)
    assert refused(match, many)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    # Short ones pass the limit on bytes, and are counted before any is looked at.
    short = item_of([types_pb2.Hash(type=types_pb2.HASH_TYPE_MD5)] * 10_000)
    assert refused(match, short) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "hashes: 10000 hashes, want at most 4096",
    )


def test_most_hashes_allowed_are_answered(match: match_pb2_grpc.MatchServiceStub) -> None:
    item = item_of([pdq(value(5_000 + i)) for i in range(1_023)] + [pdq(value(0))])
    answer = match.Check(check(item), timeout=TIMEOUT_S)
    assert answer.verdict == types_pb2.VERDICT_KNOWN


def test_hundred_megabytes_in_a_message_are_refused(running: RunningServer) -> None:
    unlimited = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(running.match, options=unlimited) as channel:
        raw = raw_call(channel, "/firstseen.v1.MatchService/Check")
        with pytest.raises(grpc.RpcError) as caught:
            raw(bytes(100_000_000), timeout=TIMEOUT_S)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_message_in_a_stream_is_too_large_only_that_stream_ends(
    match: match_pb2_grpc.MatchServiceStub,
) -> None:
    large = match_pb2.CheckStreamRequest(item=item_of([pdq(bytes(600_000))]))
    with pytest.raises(grpc.RpcError) as caught:
        list(match.CheckStream(iter([large]), timeout=TIMEOUT_S))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_unknown_numbers_are_refused(match: match_pb2_grpc.MatchServiceStub) -> None:
    unknown = types_pb2.Hash.FromString(b"\x08\x63")
    assert refused(match, item_of([unknown])) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "hashes[0].type: unknown number",
    )
    media = types_pb2.Item.FromString(b"\x08\x63")
    assert refused(match, media) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "media_type: unknown number",
    )


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 4_096,
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4_096,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 512,
    ],
    ids=["zeros", "http1", "http2", "tls"],
)
def test_garbage_on_the_port_is_hung_up_on(running: RunningServer, garbage: bytes) -> None:
    with socket.create_connection(address_of(running), timeout=TIMEOUT_S) as caller:
        caller.sendall(garbage)
        serves(running)
        try:
            while caller.recv(4_096):
                pass
        except ConnectionResetError:
            return  # hung up on, with bytes of ours unread


def test_thousand_idle_connections_others_are_served(running: RunningServer) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CONNECTIONS + 200:
        pytest.skip("this account may not open a thousand sockets")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CONNECTIONS + 200), hard))
    try:
        with ExitStack() as idle:
            for _ in range(CONNECTIONS):
                connection = socket.create_connection(address_of(running), timeout=TIMEOUT_S)
                idle.enter_context(connection)
            serves(running)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_streams_fill_their_room_calls_and_health_are_answered(store: Path) -> None:
    limits = {"limits": {"max_calls_in_flight": 1, "max_streams_in_flight": 2}}
    with running_server(store, limits) as small, ExitStack() as idle:
        channel = idle.enter_context(grpc.insecure_channel(small.match))
        stub, health = match_pb2_grpc.MatchServiceStub(channel), health_pb2_grpc.HealthStub(channel)
        end = threading.Event()
        idle.callback(end.set)
        first = match_pb2.CheckStreamRequest(tag=1, item=message(0))

        def requests() -> Iterator[match_pb2.CheckStreamRequest]:
            yield first
            end.wait(TIMEOUT_S)

        streams = [stub.CheckStream(requests(), timeout=TIMEOUT_S) for _ in range(2)]
        assert [next(stream).tag for stream in streams] == [1, 1]
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        for _ in range(3):
            assert stub.Check(check(message(0)), timeout=TIMEOUT_S).verdict
            assert health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S).status
        with pytest.raises(grpc.RpcError) as caught:
            next(stub.CheckStream(iter([first]), timeout=TIMEOUT_S))
        assert (caught.value.code(), caught.value.details()) == (
            grpc.StatusCode.UNAVAILABLE,
            NO_ROOM_TEXT,
        )
        streams[0].cancel()
        assert within_patience(lambda: can_stream(stub, first))
        watch.cancel()
        streams[1].cancel()


def test_idle_stream_is_ended_and_its_room_is_free(store: Path) -> None:
    limits = {"limits": {"max_stream_idle_ms": 1_000, "max_streams_in_flight": 1}}
    with (
        running_server(store, limits) as small,
        grpc.insecure_channel(small.match) as channel,
    ):
        stub, end = match_pb2_grpc.MatchServiceStub(channel), threading.Event()
        first = match_pb2.CheckStreamRequest(tag=1, item=message(0))

        def requests() -> Iterator[match_pb2.CheckStreamRequest]:
            yield first
            end.wait(TIMEOUT_S)

        stream = stub.CheckStream(requests(), timeout=TIMEOUT_S)
        assert next(stream).tag == 1
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        end.set()
        error = wire.from_rpc_error(caught.value, Callee(small.match, Plaintext()))
        assert isinstance(error, UnavailableError)
        assert (str(error), error.retry_after_ms) == (IDLE_TEXT, RETRY_DELAY_MS)
        assert within_patience(lambda: can_stream(stub, first))


def test_caller_takes_no_answers_its_stream_is_cut_and_holds_up_nothing(store: Path) -> None:
    settings = {
        "limits": {"max_stream_idle_ms": 1_000, "max_streams_in_flight": 1},
        "shutdown": {"grace_ms": 600_000},
    }
    narrow = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384)]
    with (
        running_server(store, settings) as small,
        grpc.insecure_channel(small.match, options=narrow) as channel,
    ):
        stub = match_pb2_grpc.MatchServiceStub(channel)
        first = match_pb2.CheckStreamRequest(tag=1, item=message(0))
        # Over a connection that there is, what is asked first comes first.
        assert stub.Check(check(message(0)), timeout=TIMEOUT_S).verdict
        stream = stub.CheckStream(repeat(first, 20_000), timeout=TIMEOUT_S)
        assert within_patience(lambda: not can_stream(stub, first))
        assert within_patience(lambda: can_stream(stub, first))
        assert small.stop() == 0  # within the patience of `stop`, not the grace
        stream.cancel()


def can_stream(stub: match_pb2_grpc.MatchServiceStub, first: match_pb2.CheckStreamRequest) -> bool:
    try:
        return bool(next(stub.CheckStream(iter([first]), timeout=TIMEOUT_S)).tag)
    except grpc.RpcError:
        return False


def test_more_calls_than_allowed_are_refused_and_health_is_answered(
    store: Path, tmp_path: Path
) -> None:
    limits, go = {"limits": {"max_calls_in_flight": 1}}, tmp_path / "go"
    faulty = (sys.executable, str(ROOT / "tests" / "server" / "faulty_server.py"), f"busy={go}")
    exact = types_pb2.Hash(type=types_pb2.HASH_TYPE_SHA256, value=bytes(32))
    slow = types_pb2.Item(media_type=types_pb2.MEDIA_TYPE_DOCUMENT, hashes=[exact])
    with (
        running_server(store, limits, faulty) as small,
        grpc.insecure_channel(small.review) as channel,
    ):
        stub, health = (
            review_pb2_grpc.ReviewServiceStub(channel),
            health_pb2_grpc.HealthStub(channel),
        )
        request = review_pb2.ExplainRequest(item=slow)
        calls = [stub.Explain.future(request, timeout=TIMEOUT_S) for _ in range(3)]
        assert within_patience(lambda: sum(call.done() for call in calls) == 2)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S).status
        go.touch()
        ends = sorted(str(call.code()) for call in calls)
        assert ends == [str(grpc.StatusCode.OK), *[str(grpc.StatusCode.UNAVAILABLE)] * 2]
        assert stub.Explain(request, timeout=TIMEOUT_S).verdict


def address_of(running: RunningServer) -> tuple[str, int]:
    host, _, port = running.match.rpartition(":")
    return host, int(port)
