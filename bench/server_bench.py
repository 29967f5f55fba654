"""What `Check` costs over gRPC, side by side with an empty call on the same stack.

Two server processes, one client; blocks of both calls alternate, so that whatever else the machine
does hits both alike. Closed loop: the next call begins when the last has ended.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
import numpy as np

from bench import workload
from bench.freshness_bench import make_store
from bench.run_file import Row, Run, percentiles
from bench.running import ROOT, environment, running_server
from firstseen.v1 import match_pb2, match_pb2_grpc, types_pb2

BLOCK_CALLS: Final = 50
TIMEOUT_S: Final = 30.0
CLIENTS: Final = (1, 2, 4, 8)
DIHEDRAL: Final = 8

Stub = match_pb2_grpc.MatchServiceStub


@contextmanager
def empty_server() -> Iterator[str]:
    """Runs the empty server; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.empty_server"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    try:
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(TIMEOUT_S)
        process.stdout.close()


def _hash(kind: types_pb2.HashType, value: bytes) -> types_pb2.Hash:
    quality = 100 if kind == types_pb2.HASH_TYPE_PDQ else None
    return types_pb2.Hash(type=kind, value=value, quality=quality)


def cases(listed: workload.Values, count: int, seed: int) -> dict[str, list[types_pb2.Item]]:
    """The items of each kind of check, `count` of each."""
    near = workload.queries(listed, count * DIHEDRAL, seed).reshape(count, DIHEDRAL, -1)
    far = workload.hashes(count * DIHEDRAL, seed + 5).reshape(count, DIHEDRAL, -1)
    exact = np.random.default_rng(seed).integers(0, 256, (count, 48), np.uint8)

    def items(perceptual: workload.Values, pdqs: int, *, with_exact: bool) -> list[types_pb2.Item]:
        found = []
        for row, digests in zip(perceptual, exact, strict=True):
            hashes = [_hash(types_pb2.HASH_TYPE_PDQ, value.tobytes()) for value in row[:pdqs]]
            if with_exact:
                hashes.append(_hash(types_pb2.HASH_TYPE_SHA256, digests[:32].tobytes()))
                hashes.append(_hash(types_pb2.HASH_TYPE_MD5, digests[32:].tobytes()))
            found.append(types_pb2.Item(media_type=types_pb2.MEDIA_TYPE_IMAGE, hashes=hashes))
        return found

    return {
        "1 PDQ": items(near, 1, with_exact=False),
        "1 PDQ, SHA-256, MD5": items(near, 1, with_exact=True),
        "8 PDQ, SHA-256, MD5 (what the SDK sends)": items(far, DIHEDRAL, with_exact=True),
        "SHA-256, MD5": items(far, 0, with_exact=True),
    }


def _timed(stub: Stub, items: list[types_pb2.Item], into: list[float]) -> None:
    for item in items:
        request = match_pb2.CheckRequest(item=item)
        start_ns = time.perf_counter_ns()
        stub.Check(request, timeout=TIMEOUT_S)
        into.append((time.perf_counter_ns() - start_ns) / 1000)


def _compared(name: str, items: list[types_pb2.Item], ours: Stub, empty: Stub) -> Row:
    """Times both servers in turns on the same items."""
    own_us: list[float] = []
    empty_us: list[float] = []
    _timed(ours, items[:BLOCK_CALLS], [])
    _timed(empty, items[:BLOCK_CALLS], [])
    for start in range(0, len(items), BLOCK_CALLS):
        block = items[start : start + BLOCK_CALLS]
        _timed(ours, block, own_us)
        _timed(empty, block, empty_us)
    own, floor = percentiles(np.array(own_us), "us"), percentiles(np.array(empty_us), "us")
    return {
        "what": name,
        "check": own,
        "empty": floor,
        "p50_ratio": own["p50_us"] / floor["p50_us"],
        "p99_ratio": own["p99_us"] / floor["p99_us"],
    }


def _stream_rate(stub: Stub, items: list[types_pb2.Item]) -> float:
    requests = (
        match_pb2.CheckStreamRequest(tag=number, item=item) for number, item in enumerate(items)
    )
    start_s = time.perf_counter()
    answered = sum(1 for _ in stub.CheckStream(requests, timeout=TIMEOUT_S * 10))
    if answered != len(items):
        raise RuntimeError(f"{answered} answers, want {len(items)}")
    return answered / (time.perf_counter() - start_s)


def _call_rate(address: str, items: list[types_pb2.Item], clients: int) -> float:
    """Calls a second of so many clients, each with a connection of its own."""
    parts = [items[number::clients] for number in range(clients)]
    ready = threading.Barrier(clients + 1)

    def work(part: list[types_pb2.Item]) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options) as channel:
            stub = Stub(channel)
            _timed(stub, part[:5], [])
            ready.wait()
            _timed(stub, part, [])

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    ready.wait()
    start_s = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(items) / (time.perf_counter() - start_s)


def run(entry_count: int, calls: int, seed: int, kind: str = "balanced") -> Run:
    """Measures latency, streams and throughput.

    Args:
        entry_count: PDQ hashes listed.
        calls: of each kind of check.
        seed: of hashes and queries.
        kind: of list, see `workload.hashes`.
    """
    listed = workload.hashes(entry_count, seed, kind)
    items = cases(listed, calls, seed)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="firstseen-server-") as name:
        store = Path(name) / "store"
        make_store(store, listed)
        with (
            running_server(store) as server,
            empty_server() as floor,
            grpc.insecure_channel(server.match) as own_channel,
            grpc.insecure_channel(floor) as empty_channel,
        ):
            ours, empty = Stub(own_channel), Stub(empty_channel)
            rows += [_compared(what, part, ours, empty) for what, part in items.items()]
            sdk = items["8 PDQ, SHA-256, MD5 (what the SDK sends)"]
            rates = [_stream_rate(stub, sdk) for stub in (ours, empty)]
            rows.append(_rate_row("CheckStream, one stream", *rates))
            for clients in CLIENTS:
                rates = [_call_rate(at, sdk, clients) for at in (server.match, floor)]
                rows.append(_rate_row(f"Check, {clients} clients", *rates))
    settings = {"entry_count": entry_count, "calls": calls, "seed": seed, "kind": kind}
    return Run("server", settings, rows)


def _rate_row(what: str, own: float, empty: float) -> Row:
    return {"what": what, "items_per_s": own, "empty_per_s": empty, "rate_ratio": own / empty}
