"""Stores, items and requests for the server's tests."""

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc

import firstseen
from bench.running import environment
from engine.entries import Labels, NewItem
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from engine.lmdb_store import LmdbWriter, create_store
from engine.policy import BankPolicy
from firstseen.v1 import match_pb2, types_pb2
from server.boundary import DETAILS_KEY

SEED: Final = 20_26
# Where it is shown what is answered, and not how soon: a busy machine stops for seconds.
PATIENT: Final = firstseen.Options(deadline_ms=30_000)


def value(number: int) -> HashValue:
    """Value number `number`: far from every other one."""
    return HashValue(random.Random(SEED + number).randbytes(32))


def new_item(number: int) -> NewItem:
    """A picture to list."""
    item = Item(MediaType.IMAGE, (Hash(HashType.PDQ, value(number), 100),))
    return NewItem(item, Labels("category", 3, "source", f"case {number}"))


def make_store(path: Path, count: int = 3) -> Path:
    """A store with one bank, `REMOVED`, that lists pictures 0 to `count - 1`."""
    create_store(path)
    with LmdbWriter(path) as writer:
        bank = writer.put_bank("REMOVED", BankPolicy())
        writer.load(bank.bank_id, [new_item(number) for number in range(count)])
    return path


def run_server(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command line of the server to its end."""
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def message(number: int, quality: int | None = 100) -> types_pb2.Item:
    """Picture `number`, as a client sends it."""
    return item_of([pdq(value(number), quality)])


def sent(number: int) -> firstseen.Item:
    """Picture `number`, as the SDK takes it."""
    hash_ = firstseen.Hash(firstseen.HashType.PDQ, firstseen.HashValue(value(number)), 100)
    return firstseen.Item(firstseen.MediaType.IMAGE, (hash_,))


def pdq(content: bytes, quality: int | None = 100) -> types_pb2.Hash:
    """One PDQ hash."""
    return types_pb2.Hash(type=types_pb2.HASH_TYPE_PDQ, value=content, quality=quality)


def item_of(hashes: Sequence[types_pb2.Hash]) -> types_pb2.Item:
    """A picture with these hashes."""
    return types_pb2.Item(media_type=types_pb2.MEDIA_TYPE_IMAGE, hashes=hashes)


def check(item: types_pb2.Item) -> match_pb2.CheckRequest:
    """The request of `Check`."""
    return match_pb2.CheckRequest(item=item)


def trailers(error: grpc.RpcError) -> list[tuple[str, bytes]]:
    """The trailing metadata of an error, as it came."""
    metadata: Any = error.trailing_metadata()
    return [(key, v if isinstance(v, bytes) else v.encode()) for key, v in metadata or ()]


def trailer(error: grpc.RpcError) -> bytes:
    """The details of an error, as they came."""
    return dict(trailers(error)).get(DETAILS_KEY, b"")


def raw_call(channel: grpc.Channel, method: str) -> Any:
    """Calls a method with bytes for bytes."""
    make: Any = channel.unary_unary
    return make(method)


def raw_stream(channel: grpc.Channel, method: str) -> Any:
    """Calls a streaming method with bytes for bytes."""
    make: Any = channel.stream_stream
    return make(method)
