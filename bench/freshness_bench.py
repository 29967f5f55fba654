"""How long after a commit the server answers by it, end to end over gRPC.

A change is committed and from that moment `Check` is called without pause until the verdict
is the new one on every one of some connections, which the kernel gives to the server's workers. The
moments of the commits are spread over the server's polling.

Meanwhile hashes may be listed at some rate, and right before it an eighth of the list, which has
the server build another segment; the next time that eighth is withdrawn, which does so, too, and
keeps the list at its length. What that does to other people's checks is measured, too, by
turns with checks while nothing else happens: what a machine does by itself is then in all of them.
"""

import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
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
from engine.entries import Checkpoint, ItemId
from engine.hashes import HashType, HashValue
from engine.lmdb_store import LmdbWriter
from engine.time_slice import ask_long_slices
from firstseen.v1 import match_pb2, types_pb2
from server.builder import BUILD_INTERVAL_MS, REBUILD_SHARE

LIMIT_S: Final = 60.0
_PHASE_S: Final = 0.1  # longer than the server's polling interval
_LOAD_EVERY_S: Final = 0.1
_BULK: Final = 10_000  # hashes of one commit when as many as possible are listed
_BLOCK_S: Final = 1.0  # of checks, after which it is seen whether it is over
_LOOK_S: Final = 0.1
_MIN_ENTRIES: Final = 1_000
_EARLY: Final = {"index": {"segment_min_entries": _MIN_ENTRIES}}  # builds of short lists, too
_BUILD_LIMIT_S: Final = 300.0


class Background:
    """Lists new hashes, also in a thread until it is told to end."""

    def __init__(self, writer: LmdbWriter, seed: int) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._bank_id = writer.banks()[0].bank_id
        self._chance = np.random.default_rng(seed + 11)
        self._end = threading.Event()
        self._bulk: tuple[Checkpoint, int] | None = None  # after where so many are to be withdrawn

    def change_bulk(self, count: int) -> None:
        """Lists so many hashes at once, and the next time withdraws them; not while `running`."""
        if self._bulk is None:
            self._bulk = self._writer.head(), count
            for start in range(0, count, _BULK):
                self._list_new(min(_BULK, count - start))
            return
        (base, bulk), self._bulk = self._bulk, None
        listed = self._writer.delta(base, bulk).columns[HashType.PDQ]
        if len(listed) != bulk:
            raise RuntimeError(f"{len(listed):,} hashes were listed in bulk, want {bulk:,}")
        self._writer.withdraw([ItemId(item_id) for item_id in listed.item_ids.tolist()])

    @contextmanager
    def running(self, rate_per_s: int) -> Iterator[Self]:
        """Lists so many hashes a second for the block."""
        self._end.clear()
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(self._run, rate_per_s)
            try:
                yield self
            finally:
                self._end.set()
                work.result()

    def _run(self, rate_per_s: int) -> None:
        ask_long_slices()  # as the indexer
        start_s, listed = time.monotonic(), 0
        while not self._end.wait(_LOAD_EVERY_S):
            due = round((time.monotonic() - start_s) * rate_per_s) - listed
            if due > 0:
                self._list_new(due)
                listed += due

    def list_one(self, value: Values) -> float:
        """Lists a hash; returns when it was committed, by `time.perf_counter`."""
        return self._list(value[np.newaxis])

    def withdraw_one(self, value: Values) -> float:
        """Withdraws a hash; returns when it was committed, by `time.perf_counter`."""
        with self._lock:
            (item_id,) = self._writer.find(HashType.PDQ, HashValue(value.tobytes()))
            self._writer.withdraw([ItemId(item_id)])
            return time.perf_counter()

    def _list_new(self, count: int) -> None:
        self._list(self._chance.integers(0, 256, (count, 32), np.uint8))

    def _list(self, values: Values) -> float:
        with self._lock:
            self._writer.load(self._bank_id, new_items(values))
            return time.perf_counter()


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What else happens while changes are timed.

    Attributes:
        load_rate_per_s: hashes listed in a second.
        during_build: whether an eighth of the list is listed first, or withdrawn again.
        query_s: seconds for which the checks of others are timed at a time; while a segment is
            built, until every process has taken it up.
        rounds: how many times.
    """

    load_rate_per_s: int = 0
    during_build: bool = False
    query_s: float = 3.0
    rounds: int = 4


class _Others:
    """The checks of somebody else: how long they took, by what else happened."""

    def __init__(self, loaders: Generators, job: Job) -> None:
        self._loaders = loaders
        self._job = job
        self._loads: dict[str, list[Load]] = {}

    def ask(self, what: str, is_over: Callable[[], bool]) -> None:
        """Asks without pause until it is over."""
        loads = self._loads.setdefault(what, [])
        loads.append(self._loaders.run(self._job))
        while not is_over():
            loads.append(self._loaders.run(self._job))

    def rows(self) -> list[Row]:
        """What was found."""
        return [
            {"what": what, **Load.joined(loads).latencies.row()}
            for what, loads in self._loads.items()
        ]


class _Segments:
    """The segments that a server makes, as it tells of them."""

    def __init__(self, server: RunningServer, writer: LmdbWriter, workers: int) -> None:
        self._server = server
        self._writer = writer
        self._processes = workers + 1  # the builder takes up what it has made, too
        self._seen = 0
        self._next_s = time.monotonic()

    def are_made(self) -> bool:
        """Whether the list is long enough for one."""
        return self._writer.head().entry_count >= _MIN_ENTRIES

    def bulk(self) -> int:
        """So many hashes are over an eighth of the list with them, and it is made anew."""
        return max(self._writer.head().entry_count // (REBUILD_SHARE - 1) + 1, _MIN_ENTRIES)

    def built(self) -> int:
        """How many there were so far."""
        return len(self._told("segment_built"))

    def await_adopted(self, number: int) -> None:
        """Waits until there were so many and every process has taken up the newest.

        Raises:
            TimeoutError: they are not.
        """
        is_over = self.is_adopted(number)
        while not is_over():
            time.sleep(_LOOK_S)
        if self.built() != self._seen:
            self._seen = self.built()
            self._next_s = time.monotonic() + BUILD_INTERVAL_MS / 1000

    def await_next(self) -> None:
        """Waits until the server may build another."""
        time.sleep(max(self._next_s - time.monotonic(), 0.0))

    def is_adopted(self, number: int) -> Callable[[], bool]:
        """Whether that is so and no other is being built, to be asked again and again.

        Raises:
            TimeoutError: it is not for minutes; raised when it is asked.
        """
        end_s = time.monotonic() + _BUILD_LIMIT_S

        def is_over() -> bool:
            if time.monotonic() > end_s:
                raise TimeoutError(
                    f"no segment is built and taken up by all within {_BUILD_LIMIT_S:.0f} s"
                )
            built = self._told("segment_built")
            if len(built) < max(number, len(self._told("segment_building"))):
                return False
            adopted = self._told("segment_adopted")
            return not built or adopted.count(built[-1]) >= self._processes

        return is_over

    def _told(self, event: str) -> list[str | None]:
        """Each time that the server's processes have told this: of which segment."""
        whole, _, _ = self._server.output().rpartition(b"\n")
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]
        return [line.get("segment") for line in lines if line["event"] == event]


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
        segments = _Segments(server, writer, workers)
        if segments.are_made():
            segments.await_adopted(1)
        before = segments.built()
        job = Job(server.match, str(asked), "closed", min(meanwhile.query_s, _BLOCK_S))
        others = _Others(loaders, job)
        background = Background(writer, work.seed)
        if meanwhile.during_build:
            segments.await_next()
            background.change_bulk(segments.bulk() * 5 // 4)
        with background.running(meanwhile.load_rate_per_s):
            changed = _changed(server.match, background, extra, work.seed)
        built = segments.built()
        if meanwhile.during_build:
            segments.await_adopted(before + 1)
        for _ in range(meanwhile.rounds):
            _ask_others(others, background, segments, meanwhile)
    settings = {
        "entry_count": work.size,
        "kind": work.kind,
        "changes": changes,
        "load_rate": meanwhile.load_rate_per_s,
        "during_build": meanwhile.during_build,
        "rounds": meanwhile.rounds,
        "workers": workers,
        "seed": work.seed,
    }
    rows = [{**row, "segments_built": built - before} for row in changed] + others.rows()
    return Run("freshness", settings, rows)


def _ask_others(
    others: _Others, background: Background, segments: _Segments, meanwhile: Meanwhile
) -> None:
    """Checks of others while nothing else happens, while hashes are listed, while one is built.

    Raises:
        TimeoutError: no segment is built.
    """
    segments.await_adopted(segments.built())  # a short list grows by an eighth in no time
    others.ask("checks, quiet", _after_s(meanwhile.query_s))
    if meanwhile.load_rate_per_s:
        with background.running(meanwhile.load_rate_per_s):
            others.ask("checks, hashes listed", _after_s(meanwhile.query_s))
    if meanwhile.during_build:
        segments.await_adopted(segments.built())
        number = segments.built() + 1
        segments.await_next()
        background.change_bulk(segments.bulk())
        with background.running(meanwhile.load_rate_per_s):
            others.ask("checks, segment built", segments.is_adopted(number))


def _after_s(duration_s: float) -> Callable[[], bool]:
    """Whether so much time has passed from now on."""
    end_s = time.monotonic() + duration_s
    return lambda: time.monotonic() >= end_s


def _changed(address: str, background: Background, values: Values, seed: int) -> list[Row]:
    """Lists and withdraws values one by one; how long each change took to be served."""
    chance = random.Random(seed)  # noqa: S311
    loads_ms, withdrawals_ms = [], []
    with _stubs(address) as stubs:
        for value in values:
            request = _request(value)
            time.sleep(chance.random() * _PHASE_S)
            committed_s = background.list_one(value)
            loads_ms.append(_wait_ms(stubs, request, types_pb2.VERDICT_KNOWN, committed_s))
            time.sleep(chance.random() * _PHASE_S)
            committed_s = background.withdraw_one(value)
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
