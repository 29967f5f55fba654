"""What `Check` costs over gRPC, side by side with an empty call on the same stack.

Both servers run with as many workers; blocks of load on one and on the other alternate, so that
whatever else the machine does hits both alike. The load comes from processes of its own.

    one client          how long an answer takes, by what is asked
    many clients        closed loop: how many answers there are in a second
    streams, batches    the ways to ask for more than one hash
    fixed rates         open loop: how long an answer takes while so many checks arrive
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import workload
from bench.generators import Generators, Load, generators, processor_s
from bench.load_client import Job, write_requests
from bench.run_file import Row, Run
from bench.running import OWN_GROUP, ROOT, environment, running_server
from bench.stores import make_store, start_limit_s, with_workers, worker_count
from bench.workload import Workload
from firstseen.v1 import match_pb2, types_pb2

BLOCKS: Final = 4  # of each server, in turns
TIMEOUT_S: Final = 30.0
CLIENTS: Final = (1, 2, 4, 8)
STREAMS: Final = (1, 8)
# Of what the empty server answers in closed loop; beyond some share, ours cannot follow.
LOADS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
# What the SDK sends of a photograph: eight forms and a negative, and four tiles; of one with
# borders, whose inside it hashes too, as well the forms of that and of its main part.
FORMS: Final = 9
FORMS_WITH_BORDERS: Final = 25
TILES: Final = 4
BATCH: Final = 64
REQUESTS: Final = 2_000  # of each kind, asked over and over
PDQ_ONLY: Final = "1 PDQ"
SDK: Final = "9 PDQ, 4 tiles, SHA-256, MD5 (a photograph, by the SDK)"
SDK_WITH_BORDERS: Final = "25 PDQ, 4 tiles, SHA-256, MD5 (one with borders)"
BATCHED: Final = f"{BATCH} PDQ in one item"


_WITH_QUALITY: Final = (types_pb2.HASH_TYPE_PDQ, types_pb2.HASH_TYPE_PDQ_TILE)


@contextmanager
def empty_server(workers: int = 1) -> Iterator[tuple[str, int]]:
    """Runs the empty server; gives its address and process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.empty_server", str(workers)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=OWN_GROUP,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    try:
        yield f"127.0.0.1:{int(process.stdout.readline())}", process.pid
    finally:
        process.stdin.close()
        process.wait(TIMEOUT_S)
        process.stdout.close()


def _hash(kind: types_pb2.HashType, value: bytes) -> types_pb2.Hash:
    quality = 100 if kind in _WITH_QUALITY else None
    return types_pb2.Hash(type=kind, value=value, quality=quality)


def cases(
    listed: workload.Values, count: int, seed: int, kind: str = "balanced"
) -> dict[str, list[types_pb2.Item]]:
    """The items of each kind of check, `count` of each.

    Half of the single hashes are copies of something listed; of the forms of one picture none
    is, as of most pictures that are checked.
    """
    near = workload.queries(listed, count, seed, kind=kind)[:, np.newaxis]
    forms = FORMS_WITH_BORDERS + TILES
    far = workload.queries(listed, count * forms, seed + 5, 0.0, kind).reshape(count, forms, -1)
    exact = np.random.default_rng(seed).integers(0, 256, (count, 48), np.uint8)

    def items(
        perceptual: workload.Values, pdqs: int, tiles: int = 0, *, with_exact: bool
    ) -> list[types_pb2.Item]:
        found = []
        for row, digests in zip(perceptual, exact, strict=True):
            hashes = [_hash(types_pb2.HASH_TYPE_PDQ, value.tobytes()) for value in row[:pdqs]]
            last = row[len(row) - tiles :]
            hashes += [_hash(types_pb2.HASH_TYPE_PDQ_TILE, value.tobytes()) for value in last]
            if with_exact:
                hashes.append(_hash(types_pb2.HASH_TYPE_SHA256, digests[:32].tobytes()))
                hashes.append(_hash(types_pb2.HASH_TYPE_MD5, digests[32:].tobytes()))
            found.append(types_pb2.Item(media_type=types_pb2.MEDIA_TYPE_IMAGE, hashes=hashes))
        return found

    return {
        PDQ_ONLY: items(near, 1, with_exact=False),
        "1 PDQ, SHA-256, MD5": items(near, 1, with_exact=True),
        SDK: items(far, FORMS, TILES, with_exact=True),
        SDK_WITH_BORDERS: items(far, FORMS_WITH_BORDERS, TILES, with_exact=True),
        "SHA-256, MD5": items(far, 0, with_exact=True),
    }


def batches(listed: workload.Values, count: int, seed: int, kind: str) -> list[types_pb2.Item]:
    """Items of many hashes, as of a video's frames; half of the hashes are known."""
    values = workload.queries(listed, count * BATCH, seed + 7, kind=kind).reshape(count, BATCH, -1)
    return [
        types_pb2.Item(
            media_type=types_pb2.MEDIA_TYPE_IMAGE,
            hashes=[_hash(types_pb2.HASH_TYPE_PDQ, value.tobytes()) for value in row],
        )
        for row in values
    ]


@dataclass(frozen=True, slots=True)
class _Target:
    """A server under load, and what the load got."""

    address: str
    pid: int


@dataclass(frozen=True, slots=True)
class _Arena:
    """Both servers, the load and the requests there are."""

    loaders: Generators
    ours: _Target
    empty: _Target
    files: dict[str, Path]
    hashes: dict[str, int]
    block_s: float
    blocks: int

    def compared(self, what: str, **job: Any) -> tuple[Row, Row]:  # noqa: ANN401
        """Loads both servers in turns with a job; what each got."""
        parts: dict[_Target, list[Load]] = {self.ours: [], self.empty: []}
        spent_s = dict.fromkeys(parts, 0.0)
        plan = Job("", str(self.files[what]), seconds=self.block_s, **job)
        for block in range(self.blocks):
            for target, loads in parts.items():
                before_s = processor_s(target.pid)
                own = replace(plan, address=target.address, first=block * len(self.files) * 31)
                loads.append(self.loaders.run(own))
                spent_s[target] += processor_s(target.pid) - before_s
        ours, empty = (
            _row(Load.joined(loads), spent_s[target], self.hashes[what])
            for target, loads in parts.items()
        )
        return ours, empty


def _row(load: Load, spent_s: float, hashes: int) -> Row:
    """What some load got, with the processor time that it took the server."""
    answered = max(load.latencies.count, 1)
    row = {
        **load.latencies.row(),
        "per_s": load.per_s,
        "hashes_per_s": load.per_s * hashes,
        "processor_us": spent_s * 1e6 / answered,
        "errors": dict(load.errors),
    }
    if spent_s:
        row["hashes_per_core_s"] = answered * hashes / spent_s
    return row


def run(
    work: Workload,
    block_s: float = 0.75,
    blocks: int = BLOCKS,
    workers: int = 0,
    loads: Sequence[float] = LOADS,
) -> Run:
    """Measures latency, throughput, streams, batches and fixed rates.

    Args:
        work: what is listed and asked.
        block_s: seconds of each block of load.
        blocks: how many on each server make a figure.
        workers: of each server; 0 for one of each core.
        loads: fixed rates, as shares of what the empty server can answer.
    """
    workers = worker_count(workers)
    listed = work.listed()
    items = cases(listed, REQUESTS, work.seed, work.kind)
    items[BATCHED] = batches(listed, REQUESTS // 10, work.seed, work.kind)
    with tempfile.TemporaryDirectory(prefix="firstseen-server-") as name:
        store = Path(name) / "store"
        make_store(store, listed)
        files = {what: Path(name) / f"{number}.requests" for number, what in enumerate(items)}
        for what, found in items.items():
            write_requests(files[what], [match_pb2.CheckRequest(item=item) for item in found])
        with (
            running_server(
                store, with_workers(workers), start_limit_s=start_limit_s(work.size)
            ) as server,
            empty_server(workers) as (floor, floor_pid),
            generators() as loaders,
        ):
            arena = _Arena(
                loaders,
                _Target(server.match, server.process.pid),
                _Target(floor, floor_pid),
                files,
                {what: len(found[0].hashes) for what, found in items.items()},
                block_s,
                blocks,
            )
            rows = list(_measured(arena, loads))
    settings = {
        "entry_count": work.size,
        "kind": work.kind,
        "workers": workers,
        "block_s": block_s,
        "blocks": blocks,
        "seed": work.seed,
    }
    return Run("server", settings, rows)


def _measured(arena: _Arena, loads: Sequence[float]) -> Iterator[Row]:
    for what in arena.files:
        ours, empty = arena.compared(what, mode="closed")
        yield _compared_row(what, ours, empty)
    most_per_s = 0.0
    for what in (PDQ_ONLY, SDK):
        for clients in CLIENTS:
            ours, empty = arena.compared(what, mode="closed", clients=clients)
            most_per_s = max(most_per_s, empty["per_s"])
            yield _rate_row(f"Check of {what}, {_counted(clients, 'client')}", ours, empty)
    for what in (PDQ_ONLY, SDK):
        for streams in STREAMS:
            ours, empty = arena.compared(what, mode="stream", clients=streams)
            yield _rate_row(f"CheckStream of {what}, {_counted(streams, 'stream')}", ours, empty)
    ours, empty = arena.compared(BATCHED, mode="closed", clients=max(CLIENTS))
    yield _rate_row(f"Check of {BATCHED}, {_counted(max(CLIENTS), 'client')}", ours, empty)
    for share in loads:
        ours, empty = arena.compared(PDQ_ONLY, mode="open", rate_per_s=share * most_per_s)
        row = _compared_row(PDQ_ONLY, ours, empty)
        yield {**row, "rate_per_s": share * most_per_s, "share": share}


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _compared_row(what: str, ours: Row, empty: Row) -> Row:
    return {
        "what": what,
        "check": ours,
        "empty": empty,
        "p50_ratio": ours["p50_us"] / empty["p50_us"],
        "p99_ratio": ours["p99_us"] / empty["p99_us"],
    }


def _rate_row(what: str, ours: Row, empty: Row) -> Row:
    return {
        "what": what,
        "items_per_s": ours["per_s"],
        "empty_per_s": empty["per_s"],
        "rate_ratio": ours["per_s"] / empty["per_s"],
        "hashes_per_s": ours["hashes_per_s"],
        "loaded": ours,
        "loaded_empty": empty,
    }
