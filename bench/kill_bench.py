"""What a killed worker costs those who ask: the SDK under load while workers are killed.

The SDK tries again by itself, so its user sees a slower answer and no error. Every underlying
attempt is counted, every answer compared with what is right, and the second after each kill looked
at by itself, since that is when calls are lost.
"""

import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import numpy.typing as npt

from bench.run_file import Row, Run, percentiles
from bench.running import RunningServer, running_server
from bench.stores import make_store, sent_item, start_limit_s, with_workers, worker_count
from bench.workload import MAX_DISTANCE_BITS, Workload
from engine.faiss_index import FaissFlatIndex
from firstseen import CallError
from firstseen.attempts import Attempts
from firstseen.callee import Callee
from firstseen.client import attempt
from firstseen.options import Options, Plaintext, channel_arguments
from firstseen.v1 import match_pb2, match_pb2_grpc, types_pb2
from firstseen.wire import to_item

CLIENTS: Final = 4
REQUESTS: Final = 500
REPLACED_LIMIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Question:
    request: match_pb2.CheckRequest
    verdict: types_pb2.Verdict


@dataclass
class _Seen:
    """What one client saw.

    Attributes:
        calls: of each call when it began and how long it took, in seconds, its attempts, whether it
            failed and whether its answer was wrong.
        failures: how those failed.
    """

    calls: list[tuple[float, float, int, bool, bool]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def run(work: Workload, kills: int, every_s: float = 3.0, workers: int = 0) -> Run:
    """Kills a worker every few seconds under load.

    Args:
        work: what is listed and asked.
        kills: how many workers are killed.
        every_s: seconds from one to the next.
        workers: of the server, two at least for others to take over; 0 for one of each core,
            and two where there is one.

    Raises:
        ValueError: fewer than two workers.
    """
    workers = workers or max(worker_count(), 2)
    if workers < 2:
        raise ValueError("one worker serves: nobody takes over from it, want two")
    with tempfile.TemporaryDirectory(prefix="firstseen-kill-") as name:
        store = Path(name) / "store"
        listed = work.listed()
        make_store(store, listed)
        questions = _questions(work)
        with running_server(
            store, with_workers(workers), start_limit_s=start_limit_s(work.size)
        ) as server:
            seen, killed_s = _loaded(server, questions, kills, every_s)
    calls = np.array(sorted(call for one in seen for call in one.calls))
    failures = Counter(name for one in seen for name in one.failures)
    rows = [_row("all of it", calls) | {"failures": dict(failures)}]
    hit = np.zeros(len(calls), bool)
    for moment_s in killed_s:
        hit |= (calls[:, 0] >= moment_s - 0.05) & (calls[:, 0] < moment_s + 1.0)
    rows += [_row("in the second of a kill", calls[hit]), _row("at other times", calls[~hit])]
    settings = {
        "entry_count": work.size,
        "kind": work.kind,
        "workers": workers,
        "clients": CLIENTS,
        "kills": len(killed_s),
        "seed": work.seed,
    }
    return Run("kill", settings, rows)


def _questions(work: Workload) -> list[_Question]:
    """Requests and what a scan says of them."""
    listed = work.listed()
    values = work.queries(REQUESTS, listed)
    known = set(FaissFlatIndex.build(listed).search(values, MAX_DISTANCE_BITS).queries.tolist())
    return [
        _Question(
            match_pb2.CheckRequest(item=to_item(sent_item(value))),
            types_pb2.VERDICT_KNOWN if number in known else types_pb2.VERDICT_NOVEL,
        )
        for number, value in enumerate(values)
    ]


def _loaded(
    server: RunningServer, questions: Sequence[_Question], kills: int, every_s: float
) -> tuple[list[_Seen], list[float]]:
    """Asks from several clients while workers are killed; what they saw, and when that was."""
    end = threading.Event()
    seen = [_Seen() for _ in range(CLIENTS)]
    threads = [
        threading.Thread(target=_ask, args=(server.match, questions, number, end, one))
        for number, one in enumerate(seen)
    ]
    for thread in threads:
        thread.start()
    killed: list[int] = []
    killed_s: list[float] = []
    try:
        for number in range(kills):
            time.sleep(every_s)
            workers = _whole(server, killed)
            killed.append(workers[number % len(workers)])
            killed_s.append(time.monotonic())
            os.kill(killed[-1], signal.SIGKILL)
        time.sleep(every_s)
    finally:
        end.set()
        for thread in threads:
            thread.join()
    return seen, killed_s


def _whole(server: RunningServer, killed: Sequence[int]) -> list[int]:
    """The workers, once those that were killed have been replaced.

    Raises:
        TimeoutError: they are not.
    """
    end_s = time.monotonic() + REPLACED_LIMIT_S
    while not set(workers := server.worker_pids()).isdisjoint(killed):
        if time.monotonic() > end_s:
            raise TimeoutError(f"no new worker within {REPLACED_LIMIT_S:.0f} s")
        time.sleep(0.05)
    return workers


def _ask(
    address: str, questions: Sequence[_Question], number: int, end: threading.Event, seen: _Seen
) -> None:
    """One client of the SDK, which tries again as its users' do, and counts."""
    tried = 0
    options = Options()
    callee = Callee(address, Plaintext())
    # As the SDK connects, but for each client by itself: so they are spread over the workers.
    arguments = [*channel_arguments(), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, arguments) as channel:
        stub = match_pb2_grpc.MatchServiceStub(channel)

        def call(request: match_pb2.CheckRequest, left_s: float) -> match_pb2.CheckResponse:
            nonlocal tried
            tried += 1
            answer: match_pb2.CheckResponse = stub.Check(request, timeout=left_s)
            return answer

        at = number * len(questions) // CLIENTS
        while not end.is_set():
            question = questions[at % len(questions)]
            at, tried, began_s = at + 1, 0, time.monotonic()
            failed = wrong = False
            try:
                answer = attempt(partial(call, question.request), Attempts(options), callee)
                wrong = answer.verdict != question.verdict
            except CallError as error:
                failed = True
                seen.failures.append(type(error).__name__)
            took_s = time.monotonic() - began_s
            seen.calls.append((began_s, took_s, tried, failed, wrong))


def _row(what: str, calls: npt.NDArray[np.float64]) -> Row:
    if not len(calls):
        return {"what": what, "calls": 0}
    return {
        "what": what,
        "calls": len(calls),
        "retried": int((calls[:, 2] > 1).sum()),
        "failed": int(calls[:, 3].sum()),
        "wrong": int(calls[:, 4].sum()),
        "latency": percentiles(calls[:, 1] * 1000, "ms"),
    }
