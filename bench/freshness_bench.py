"""How long after a commit the server answers by it, end to end over gRPC.

A change is committed and from that moment `Check` is called without pause until the verdict
is the new one on every one of some connections, which the kernel gives to the server's workers. The
moments of the commits are spread over the server's polling.

Meanwhile hashes may be listed at some rate, and right before it an eighth of the list, which has
the server build another segment. What that does to other people's checks is measured, too: by
itself while the workers take up the eighth, and from then on until the segment is there.
"""

import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import grpc
import numpy as np

from bench.generators import Generators, Load, generators
from bench.load_client import CHANNELS, Job, Stub, write_requests
from bench.run_file import Row, Run, percentiles
from bench.running import RunningServer, running_server
from bench.stores import make_store, new_items, start_limit_s, with_workers, worker_count
from bench.workload import Values, Workload, hashes
from engine.clock import SystemClock
from engine.entries import ItemId
from engine.hashes import HashType, HashValue
from engine.lmdb_store import LmdbWriter
from firstseen.v1 import match_pb2, types_pb2

LIMIT_S: Final = 60.0
_PHASE_S: Final = 0.1  # longer than the server's polling interval
_LOAD_EVERY_S: Final = 0.1
_BULK: Final = 10_000  # hashes of one commit when as many as possible are listed
_GROWTH: Final = 8  # that share more, and the builder makes another segment (server/builder.py)
_EARLY: Final = {"index": {"segment_min_entries": 1_000}}  # builds of short lists, too
_BUILD_LIMIT_S: Final = 300.0


class _Background:
    """Lists new hashes in a thread until it is told to end; shares the writer."""

    def __init__(self, writer: LmdbWriter, lock: threading.Lock, seed: int) -> None:
        self._writer = writer
        self._lock = lock
        self._bank_id = writer.banks()[0].bank_id
        self._chance = np.random.default_rng(seed + 11)
        self._end = threading.Event()
        self.newest: Values = np.empty((0, 32), np.uint8)

    def list_bulk(self, bulk: int) -> None:
        """Lists so many hashes at once."""
        for start in range(0, bulk, _BULK):
            self._list(min(_BULK, bulk - start))

    @contextmanager
    def running(self, rate_per_s: int) -> Iterator[Self]:
        """Lists so many hashes a second for the block."""
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(self._run, rate_per_s)
            try:
                yield self
            finally:
                self._end.set()
                work.result()

    def _run(self, rate_per_s: int) -> None:
        start_s, listed = time.monotonic(), 0
        while not self._end.wait(_LOAD_EVERY_S):
            due = round((time.monotonic() - start_s) * rate_per_s) - listed
            if due > 0:
                self._list(due)
                listed += due

    def _list(self, count: int) -> None:
        fresh = self._chance.integers(0, 256, (count, 32), np.uint8)
        with self._lock:
            self._writer.load(self._bank_id, new_items(fresh))
        self.newest = fresh[-1:]


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What else happens while changes are timed.

    Attributes:
        load_rate_per_s: hashes listed in a second.
        during_build: whether an eighth of the list is added first.
        query_s: seconds for which the checks of others are timed, again and again until the segment
            is there.
    """

    load_rate_per_s: int = 0
    during_build: bool = False
    query_s: float = 3.0


def run(work: Workload, changes: int, meanwhile: Meanwhile = Meanwhile(), workers: int = 0) -> Run:
    """Lists and withdraws one picture at a time.

    Args:
        work: what is listed beforehand.
        changes: how many loads, and as many withdrawals.
        meanwhile: what else happens.
        workers: of the server; 0 for one of each core.

    Raises:
        TimeoutError: a change was not served within a minute, or no segment built.
    """
    workers = worker_count(workers)
    listed = work.listed()
    # Near nothing that is listed, for sure: real ones meet by chance, and stay known.
    extra = hashes(changes, work.seed + 3, "balanced")
    # So much that it is over an eighth of the list with it, from which on the builder builds.
    bulk = work.size // (_GROWTH - 1) + 1 if meanwhile.during_build else 0
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="firstseen-freshness-") as name, ExitStack() as stack:
        store, asked = Path(name) / "store", Path(name) / "asked.requests"
        make_store(store, listed)
        queries = work.queries(1_000, listed)
        write_requests(asked, [_request(value) for value in queries])
        server = stack.enter_context(
            running_server(
                store, {**with_workers(workers), **_EARLY}, start_limit_s=start_limit_s(work.size)
            )
        )
        loaders = stack.enter_context(generators(1))
        writer = stack.enter_context(LmdbWriter(store, SystemClock()))
        lock = threading.Lock()
        job = Job(server.match, str(asked), "closed", meanwhile.query_s)
        rows.append({"what": "checks, quiet", **loaders.run(job).latencies.row()})
        if meanwhile.load_rate_per_s or bulk:
            background = _Background(writer, lock, work.seed)
            # Counted from here on: of a short list it may be built before the bulk is taken up.
            before = _segments(server)
            if bulk:
                background.list_bulk(bulk)
                what = f"checks, while {bulk:,} are taken up"
                rows.append({"what": what, **loaders.run(job).latencies.row()})
                _await_known(server.match, background.newest[0])
            with background.running(meanwhile.load_rate_per_s):
                load = _queried(loaders, job, server, before + meanwhile.during_build)
            built = _segments(server) - before
            row = {"what": "checks, meanwhile", **load.latencies.row()}
            rows.append({**row, "segments_built": built})
        background = _Background(writer, lock, work.seed + 1)
        before = _segments(server)
        background.list_bulk(bulk + bulk // 4)
        with background.running(meanwhile.load_rate_per_s):
            changed = _changed(server.match, writer, lock, extra, work.seed)
        built = _segments(server) - before
        rows = [{**row, "segments_built": built} for row in changed] + rows
    settings = {
        "entry_count": work.size,
        "kind": work.kind,
        "changes": changes,
        "load_rate": meanwhile.load_rate_per_s,
        "during_build": meanwhile.during_build,
        "workers": workers,
        "seed": work.seed,
    }
    return Run("freshness", settings, rows)


def _queried(loaders: Generators, job: Job, server: RunningServer, segments: int) -> Load:
    """Checks of others while the list grows, until so many segments have been built in all.

    Raises:
        TimeoutError: they are not.
    """
    loads, end_s = [loaders.run(job)], time.monotonic() + _BUILD_LIMIT_S
    while _segments(server) < segments:
        if time.monotonic() > end_s:
            raise TimeoutError(f"no segment is built within {_BUILD_LIMIT_S:.0f} s")
        loads.append(loaders.run(job))
    return Load.joined(loads)


def _segments(server: RunningServer) -> int:
    """How many segments the server's builder says it has made."""
    return server.output().count(b'"segment_built"')


def _changed(
    address: str, writer: LmdbWriter, lock: threading.Lock, values: Values, seed: int
) -> list[Row]:
    """Lists and withdraws values one by one; how long each change took to be served."""
    chance = random.Random(seed)  # noqa: S311
    bank_id = writer.banks()[0].bank_id
    loads_ms, withdrawals_ms = [], []
    with _stubs(address) as stubs:
        for value in values:
            request = _request(value)
            time.sleep(chance.random() * _PHASE_S)
            with lock:
                writer.load(bank_id, new_items(value[np.newaxis]))
                committed_s = time.perf_counter()
            loads_ms.append(_wait_ms(stubs, request, types_pb2.VERDICT_KNOWN, committed_s))
            time.sleep(chance.random() * _PHASE_S)
            with lock:
                (item_id,) = writer.find(HashType.PDQ, HashValue(value.tobytes()))
                writer.withdraw([ItemId(item_id)])
                committed_s = time.perf_counter()
            withdrawals_ms.append(_wait_ms(stubs, request, types_pb2.VERDICT_NOVEL, committed_s))
    return [
        {"what": "load to KNOWN", **percentiles(np.array(loads_ms), "ms")},
        {"what": "withdraw to NOVEL", **percentiles(np.array(withdrawals_ms), "ms")},
    ]


@contextmanager
def _stubs(address: str) -> Iterator[Sequence[Stub]]:
    """Connections of their own, which the kernel gives to the workers."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with ExitStack() as stack:
        yield [
            Stub(stack.enter_context(grpc.insecure_channel(address, options)))
            for _ in range(CHANNELS)
        ]


def _await_known(address: str, value: Values) -> None:
    """Waits until the workers know a hash that was listed.

    Raises:
        TimeoutError: they do not.
    """
    with _stubs(address) as stubs:
        _wait_ms(stubs, _request(value), types_pb2.VERDICT_KNOWN, time.perf_counter())


def _request(value: Values) -> match_pb2.CheckRequest:
    hash_ = types_pb2.Hash(type=types_pb2.HASH_TYPE_PDQ, value=value.tobytes(), quality=100)
    item = types_pb2.Item(media_type=types_pb2.MEDIA_TYPE_IMAGE, hashes=[hash_])
    return match_pb2.CheckRequest(item=item)


def _wait_ms(
    stubs: Sequence[Stub],
    request: match_pb2.CheckRequest,
    verdict: types_pb2.Verdict,
    committed_s: float,
) -> float:
    for stub in stubs:
        while stub.Check(request, timeout=LIMIT_S).verdict != verdict:
            if time.perf_counter() - committed_s > LIMIT_S:
                name = types_pb2.Verdict.Name(verdict)
                raise TimeoutError(f"not {name} within {LIMIT_S:.0f} s of the commit")
    return (time.perf_counter() - committed_s) * 1000
