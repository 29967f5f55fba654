"""A server process over a small store, shared by the tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from bench.running import RunningServer, running_server
from firstseen.v1 import match_pb2_grpc, review_pb2_grpc
from tests.server.worlds import make_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with pictures 0 to 2."""
    return make_store(tmp_path_factory.mktemp("world") / "store")


@pytest.fixture(scope="module")
def running(store: Path) -> Iterator[RunningServer]:
    """A server over it."""
    with running_server(store) as server:
        yield server


@pytest.fixture(scope="module")
def match(running: RunningServer) -> Iterator[match_pb2_grpc.MatchServiceStub]:
    """A client of its `MatchService`."""
    with grpc.insecure_channel(running.match) as channel:
        yield match_pb2_grpc.MatchServiceStub(channel)


@pytest.fixture(scope="module")
def review(running: RunningServer) -> Iterator[review_pb2_grpc.ReviewServiceStub]:
    """A client of its `ReviewService`."""
    with grpc.insecure_channel(running.review) as channel:
        yield review_pb2_grpc.ReviewServiceStub(channel)
