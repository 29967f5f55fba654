"""No hash of a query and no caller's address leaves the server process by any way but the wire.

A canary goes through success, every kind of error, a crash, a deadline, streams and garbage
of a real process; then all that the process wrote and all that callers were told is searched
for it in every form in which a program writes bytes.
"""

import base64
import re
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import grpc
import pytest

from bench.running import ROOT, RunningServer, running_server
from firstseen.v1 import match_pb2, match_pb2_grpc, review_pb2, review_pb2_grpc, types_pb2
from tests.server.worlds import check, item_of, make_store, message, pdq, raw_call, trailers, value

# Every byte is over 127, so that none of them reads as a letter in an escaped form.
CANARY: Final = bytes(0x80 + (i * 37 + 11) % 128 for i in range(32))
WINDOW_BYTES: Final = 6  # a piece of the canary is as bad as the whole
TIMEOUT_S: Final = 20.0


def forms(piece: bytes) -> Iterator[bytes]:
    """How a program may write bytes."""
    yield piece
    yield piece.hex().encode()
    yield piece.hex().upper().encode()
    yield piece.hex(" ").encode()
    yield piece.hex(":").encode()
    yield repr(piece)[2:-1].encode()
    yield "".join(f"\\{byte:03o}" for byte in piece).encode()
    yield "".join(f"\\u{byte:04x}" for byte in piece).encode()
    yield ", ".join(map(str, piece)).encode()
    yield piece.decode("latin-1").encode()
    yield base64.b64encode(piece)
    yield base64.urlsafe_b64encode(piece)


def traces(text: bytes) -> list[bytes]:
    """The forms of the canary that a text holds."""
    pieces = [CANARY[i : i + WINDOW_BYTES] for i in range(len(CANARY) - WINDOW_BYTES + 1)]
    number = str(int.from_bytes(CANARY)).encode()
    return [form for piece in pieces for form in forms(piece) if form in text] + [
        number for _ in range(number in text)
    ]


@pytest.mark.parametrize("index", range(12))
def test_any_form_of_the_canary_is_found(index: int) -> None:
    written = list(forms(CANARY))[index]
    assert traces(b"before " + written + b" after")
    assert not traces(list(forms(bytes(32)))[index])


class Caller:
    """Calls a server and keeps all that it is told."""

    def __init__(self, running: RunningServer) -> None:
        self.told: list[bytes] = []
        self.codes: list[grpc.StatusCode] = []
        self.ports: set[int] = set()
        self._running = running

    def tell(self, call: Callable[[], Any]) -> None:
        """Makes a call that succeeds or fails, and keeps what comes back."""
        try:
            answers = call()
        except grpc.RpcError as error:
            self.codes.append(error.code())
            self.told += [
                str(part).encode() + repr(part).encode()
                for part in (error.details(), cast("Any", error).initial_metadata(), error)
            ]
            self.told += [part for pair in trailers(error) for part in (pair[0].encode(), pair[1])]
        else:
            self.codes.append(grpc.StatusCode.OK)
            self.told += [answer.SerializeToString() for answer in answers]
        self.ports |= local_ports(port_of(self._running.match))
        self.ports |= local_ports(port_of(self._running.review))


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def local_ports(server_port: int) -> set[int]:
    """This machine's ends of the connections to a port."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote = (int(part.rpartition(":")[2], 16) for part in line.split()[1:3])
        if remote == server_port:
            found.add(local)
    return found


def media(kind: types_pb2.MediaType) -> types_pb2.Item:
    """The canary as a whole-file hash of a video or a document."""
    exact = types_pb2.Hash(type=types_pb2.HASH_TYPE_SHA256, value=CANARY)
    return types_pb2.Item(media_type=kind, hashes=[exact])


def wrong_items() -> Iterator[types_pb2.Item]:
    """Items of the canary, each refused for another reason."""
    yield item_of([pdq(CANARY, None)])
    yield item_of([pdq(CANARY, 101)])
    yield item_of([pdq(CANARY + CANARY)])
    yield item_of([types_pb2.Hash(type=types_pb2.HASH_TYPE_MD5, value=CANARY)])
    yield item_of([types_pb2.Hash(value=CANARY)])
    yield types_pb2.Item(hashes=[pdq(CANARY)])
    yield item_of([pdq(CANARY)] * 5_000)
    yield item_of([pdq(CANARY * 20_000)])


def canary_of(kind: types_pb2.HashType) -> types_pb2.Hash:
    """The canary as a hash of any type of 32 bytes."""
    has_quality = kind in (types_pb2.HASH_TYPE_PDQ_TILE, types_pb2.HASH_TYPE_PAGE_PDQ)
    return types_pb2.Hash(type=kind, value=CANARY, quality=100 if has_quality else None)


def all_items() -> list[types_pb2.Item]:
    frame = types_pb2.Hash(
        type=types_pb2.HASH_TYPE_PDQ, value=CANARY, quality=100, frame_offset_ms=1_000
    )
    tile = canary_of(types_pb2.HASH_TYPE_PDQ_TILE)
    of_text = map(
        canary_of,
        (
            types_pb2.HASH_TYPE_TEXT_SHA256,
            types_pb2.HASH_TYPE_SIMHASH,
            types_pb2.HASH_TYPE_MINHASH,
            types_pb2.HASH_TYPE_PAGE_PDQ,
        ),
    )
    others = [
        media(types_pb2.MEDIA_TYPE_VIDEO),
        types_pb2.Item(media_type=types_pb2.MEDIA_TYPE_VIDEO, hashes=[frame, tile]),
        types_pb2.Item(media_type=types_pb2.MEDIA_TYPE_DOCUMENT, hashes=of_text),
    ]
    return [item_of([pdq(CANARY), tile]), *list(wrong_items())[:7], *others, message(0)]


def one(method: Callable[..., Any], request: object) -> list[Any]:
    """The one answer to a request."""
    return [method(request, timeout=TIMEOUT_S)]


def exercise(running: RunningServer, caller: Caller) -> None:
    """Sends the canary in every way there is."""
    with (
        grpc.insecure_channel(running.match) as open_,
        grpc.insecure_channel(running.review) as unit,
    ):
        match = match_pb2_grpc.MatchServiceStub(open_)
        review = review_pb2_grpc.ReviewServiceStub(unit)
        good = item_of([pdq(CANARY)])
        document = media(types_pb2.MEDIA_TYPE_DOCUMENT)
        for item in [good, *wrong_items(), media(types_pb2.MEDIA_TYPE_VIDEO)]:
            caller.tell(partial(one, match.Check, check(item)))
        caller.tell(lambda: [match.Check(check(good))])
        caller.tell(lambda: [match.Check(check(document), timeout=0.2)])
        stream = [match_pb2.CheckStreamRequest(tag=1, item=item) for item in all_items()]
        caller.tell(lambda: list(match.CheckStream(iter(stream), timeout=TIMEOUT_S)))
        late = [match_pb2.CheckStreamRequest(tag=1, item=document)]
        caller.tell(lambda: list(match.CheckStream(iter(late), timeout=0.2)))
        for item in [good, *wrong_items()]:
            request = review_pb2.ExplainRequest(item=item)
            caller.tell(partial(one, review.Explain, request))
            referrals = [review_pb2.Referral(tag=1, item=item)]
            order = review_pb2.PrioritiseRequest(referrals=referrals)
            caller.tell(partial(one, review.Prioritise, order))
        raw = raw_call(open_, "/firstseen.v1.MatchService/Check")
        caller.tell(lambda: [Raw(raw(CANARY, timeout=TIMEOUT_S))])
        named = raw_call(open_, f"/firstseen.v1.MatchService/{CANARY.hex()}")
        caller.tell(lambda: [Raw(named(b"", timeout=TIMEOUT_S))])
        headers = (("canary", CANARY.hex()), ("canary-bin", CANARY))
        caller.tell(
            lambda: [match.Check(check(good), timeout=TIMEOUT_S, metadata=headers)],
        )
    with socket.create_connection(("127.0.0.1", port_of(running.match)), timeout=5) as garbage:
        caller.ports.add(garbage.getsockname()[1])
        garbage.sendall(CANARY * 100)


class Raw:
    """Bytes that came where a message was awaited."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def SerializeToString(self) -> bytes:  # noqa: N802  as a message has it
        return self._content


def launcher(fault: str) -> tuple[str, ...]:
    return (sys.executable, str(ROOT / "tests" / "server" / "faulty_server.py"), fault)


def test_canary_goes_everywhere_and_is_found_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an operator might have set; gRPC's own traces hold messages and addresses.
    monkeypatch.setenv("GRPC_VERBOSITY", "DEBUG")
    monkeypatch.setenv("GRPC_TRACE", "all")
    store = make_store(tmp_path / "store")
    with running_server(store, {"log": {"level": "debug"}}, launcher("calls")) as running:
        caller = Caller(running)
        exercise(running, caller)
        assert running.stop() == 0
        output = running.output()
    assert {code.name for code in caller.codes} == {
        "OK",
        "INVALID_ARGUMENT",
        "RESOURCE_EXHAUSTED",
        "INTERNAL",
        "DEADLINE_EXCEEDED",
        "UNIMPLEMENTED",
    }
    assert traces(output) == []
    assert [found for told in caller.told if (found := traces(told))] == []
    # It did crash, and said where and nothing else.
    assert b'"event": "internal_error"' in output
    assert b'"error_type": "ValueError", "location": "tests/server/faulty_server.py:' in output
    assert b"Traceback" not in output
    # No caller is named.
    assert caller.ports
    assert b"127.0.0.1" not in output
    written = {int(number) for number in re.findall(rb"(?<![\d.])\d+(?![\d.])", output)}
    assert caller.ports & written == set()


def test_server_that_leaks_is_caught(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    with running_server(store, None, launcher("leak")) as running:
        with grpc.insecure_channel(running.match) as channel:
            stub = match_pb2_grpc.MatchServiceStub(channel)
            stub.Check(check(item_of([pdq(CANARY)])), timeout=TIMEOUT_S)
        running.stop()
        assert traces(running.output())


def test_values_are_not_shown_when_formatted() -> None:
    assert "hash of 32 bytes" in repr(value(1))
    assert not traces(f"{type(value(1))(CANARY)} {type(value(1))(CANARY)!r}".encode())
