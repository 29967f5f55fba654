"""One process that loads a server with checks and says how long each took.

A Python client costs as much as the server does, so several of these share the load; `generators`
runs them. A job is a line of JSON on stdin. The process connects, writes `ready`, waits for
a line with the moment to begin at, does the job and writes what it saw.

Closed loop: each client asks again once it is answered, as people do who wait. Open loop: checks
leave at fixed moments whatever has been answered, as from many phones that know nothing of
each other; a check is timed from the moment it ought to have left, so that a server which stalls
is charged for all that wait (no coordinated omission).
"""

import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import grpc

from bench.histogram import Histogram
from firstseen.v1 import match_pb2, match_pb2_grpc

CALL_LIMIT_S: Final = 30.0
# Connections of one client. The kernel gives each to some worker of the server; with this many, no
# worker is left without.
CHANNELS: Final = 4
STREAM_WINDOW: Final = 64  # unanswered items of one stream; the SDK has 32, a server takes 256
_SIZE_BYTES: Final = 4  # of the number before each request in a file

Stub = match_pb2_grpc.MatchServiceStub
Requests = Sequence[match_pb2.CheckRequest]


@dataclass(frozen=True, slots=True)
class Job:
    """What one process does.

    Attributes:
        address: of the server.
        file: of requests, see `write_requests`.
        mode: `closed`, `open` or `stream`.
        seconds: how long.
        clients: of `closed` and `stream`: how many ask at a time.
        rate_per_s: of `open`: how many checks leave in a second.
        first: the request to begin with, so that processes ask different things.
    """

    address: str
    file: str
    mode: str
    seconds: float
    clients: int = 1
    rate_per_s: float = 0.0
    first: int = 0


def write_requests(path: Path, requests: Requests) -> None:
    """Writes requests to a file, each after its size."""
    with path.open("wb") as stream:
        for request in requests:
            data = request.SerializeToString()
            stream.write(len(data).to_bytes(_SIZE_BYTES, "little") + data)


@cache
def read_requests(path: str) -> Requests:
    """Reads such a file."""
    data, found, at = Path(path).read_bytes(), [], 0
    while at < len(data):
        end = at + _SIZE_BYTES + int.from_bytes(data[at : at + _SIZE_BYTES], "little")
        found.append(match_pb2.CheckRequest.FromString(data[at + _SIZE_BYTES : end]))
        at = end
    return found


class _Log:
    """How long calls took and how they failed, from many threads."""

    def __init__(self) -> None:
        self.latencies = Histogram()
        self.errors: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, latencies_ns: Sequence[int], errors: Counter[str]) -> None:
        with self._lock:
            self.latencies.record_all(latencies_ns)
            self.errors += errors


def _closed(job: Job, stubs: Sequence[Stub], start_s: float, log: _Log) -> None:
    """One client that asks again once it is answered."""
    requests = read_requests(job.file)
    latencies_ns: list[int] = []
    errors: Counter[str] = Counter()
    turn = cycle(stubs)
    at = job.first
    end_ns = round((start_s + job.seconds) * 1e9)
    _sleep_until(start_s)
    # One call at least: on a busy machine a short block may be over before it begins.
    while (began_ns := time.monotonic_ns()) < end_ns or at == job.first:
        try:
            next(turn).Check(requests[at % len(requests)], timeout=CALL_LIMIT_S)
        except grpc.RpcError as error:
            errors[_name(error)] += 1
        else:
            latencies_ns.append(time.monotonic_ns() - began_ns)
        at += 1
    log.add(latencies_ns, errors)


def _open(job: Job, stubs: Sequence[Stub], start_s: float, log: _Log) -> None:
    """Sends at fixed moments and waits for nothing in between."""
    requests = read_requests(job.file)
    latencies_ns: list[int] = []
    errors: Counter[str] = Counter()
    count = max(round(job.rate_per_s * job.seconds), 1)
    left = threading.Semaphore(0)

    def answered(future: Any, due_ns: int) -> None:  # noqa: ANN401
        error = future.exception()
        if error is None:
            latencies_ns.append(time.monotonic_ns() - due_ns)
        else:
            errors[_name(error)] += 1
        left.release()

    turn = cycle(stubs)
    for number in range(count):
        due_s = start_s + number / job.rate_per_s
        _sleep_until(due_s)
        request = requests[(job.first + number) % len(requests)]
        future = next(turn).Check.future(request, timeout=CALL_LIMIT_S)
        due_ns = round(due_s * 1e9)
        future.add_done_callback(lambda done, due_ns=due_ns: answered(done, due_ns))
    for _ in range(count):
        left.acquire()
    log.add(latencies_ns, errors)


def _stream(job: Job, stubs: Sequence[Stub], start_s: float, log: _Log) -> None:
    """One stream with a window of unanswered items."""
    requests = read_requests(job.file)
    room = threading.Semaphore(STREAM_WINDOW)
    sent_ns: list[int] = []
    latencies_ns: list[int] = []
    errors: Counter[str] = Counter()

    def asked() -> Iterator[match_pb2.CheckStreamRequest]:
        while time.monotonic() < start_s + job.seconds or not sent_ns:
            room.acquire()
            item = requests[(job.first + len(sent_ns)) % len(requests)].item
            sent_ns.append(time.monotonic_ns())
            yield match_pb2.CheckStreamRequest(tag=len(sent_ns) - 1, item=item)

    _sleep_until(start_s)
    try:
        for answer in stubs[0].CheckStream(asked(), timeout=job.seconds + CALL_LIMIT_S):
            room.release()
            if answer.HasField("error"):
                errors["item"] += 1
            else:
                latencies_ns.append(time.monotonic_ns() - sent_ns[answer.tag])
    except grpc.RpcError as error:
        errors[_name(error)] += 1
        room.release()  # lets the sender end
    log.add(latencies_ns, errors)


def _name(error: Any) -> str:  # noqa: ANN401
    code = error.code() if isinstance(error, grpc.Call) else None
    return code.name if code else type(error).__name__


def _sleep_until(moment_s: float) -> None:
    pause_s = moment_s - time.monotonic()
    if pause_s > 0:
        time.sleep(pause_s)


_MODES: Final = {"closed": _closed, "open": _open, "stream": _stream}


def _do(job: Job) -> None:
    """Connects, waits for the moment to begin, does a job and writes what it saw."""
    clients = 1 if job.mode == "open" else job.clients
    options = [("grpc.use_local_subchannel_pool", 1)]
    log = _Log()
    with contextlib.ExitStack() as stack:
        groups = [
            [
                Stub(stack.enter_context(grpc.insecure_channel(job.address, options)))
                for _ in range(CHANNELS)
            ]
            for _ in range(clients)
        ]
        for stubs in groups:
            for stub in stubs:
                stub.Check(read_requests(job.file)[0], timeout=CALL_LIMIT_S)
        print("ready", flush=True)
        start_s = float(sys.stdin.readline())
        work = _MODES[job.mode]
        threads = [
            threading.Thread(target=work, args=(job, stubs, start_s, log)) for stubs in groups
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    elapsed_s = time.monotonic() - start_s
    print(
        json.dumps(
            {
                "latencies": log.latencies.encoded(),
                "count": log.latencies.count,
                "errors": dict(log.errors),
                "elapsed_s": elapsed_s,
            }
        ),
        flush=True,
    )


def main() -> None:
    """Does the jobs on stdin until it ends."""
    # Answers are taken by a thread of gRPC's; the default of 5 ms would be seen in the latencies.
    sys.setswitchinterval(0.0005)
    for line in sys.stdin:
        _do(Job(**json.loads(line)))


if __name__ == "__main__":
    main()
