"""How fast each index finds everything within 31 bits: ours beside those of others.

One query at a time as a server asks, in batches, and from two threads at once; the indexes take
turns in one run. The scan says what there is to find: an exact index has to find just
that, of an approximate one the share it finds is measured.
"""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from bench.peers import FIELD, FLAT, MULTI_HASH, PeerError, RunningPeer, running
from bench.run_file import Row, Run, percentiles
from bench.workload import Workload

ROUNDS: Final = 10
# What a round may take of one index, so that the slow ones do not starve the run.
ROUND_S: Final = 0.4
QUERIES: Final = 4_000
JUDGED: Final = 400  # queries of which every answer is compared with the scan's
JUDGED_MOST: Final = 64  # of a list so long that a scan takes a hundredth of a second
THREADS: Final = (1, 2)
KEYS: Final = tuple(peer.key for peer in FIELD)
_LONG_LIST: Final = 5_000_000


@dataclass
class _Lane:
    """One index in a race, and how it does."""

    running: RunningPeer
    row: Row
    times_us: list[float] = field(default_factory=list)
    batch_us: list[float] = field(default_factory=list)

    def round(self, seconds: float, first: int) -> None:
        answer = self.running.ask("round", seconds, first)
        self.times_us += answer["times_us"]
        self.batch_us.append(answer["batch_us"])


def run(
    sizes: Sequence[int],
    kinds: Sequence[str],
    seed: int,
    keys: Sequence[str] = KEYS,
    round_s: float = ROUND_S,
) -> Run:
    """Races the indexes on lists of each size and kind.

    Args:
        sizes: hashes in each list.
        kinds: of list, see `workload.hashes`.
        seed: of lists and queries.
        keys: who races, see `peers.FIELD`; the scan does in any case.
        round_s: what each of ten rounds may take of one index.

    Raises:
        ArithmeticError: an exact index found something else than the scan.
        PeerError: one that had started ended in the middle.
    """
    rows: list[Row] = []
    field_ = [peer for peer in FIELD if peer.key in keys or peer.name == FLAT]
    with ExitStack() as stack:
        started: list[RunningPeer] = []
        absent: dict[str, str] = {}
        for peer in field_:
            try:
                started.append(stack.enter_context(running(peer)))
            except PeerError as error:
                if not peer.packages:
                    raise
                absent[peer.name] = str(error)
                Console(stderr=True).print(f"bench: {peer.name}: {error}", markup=False)
        for kind in kinds:
            for size in sizes:
                found = _race(Workload(size, kind, seed=seed), started, round_s)
                missing = {"kind": kind, "size": size}
                for name, reason in absent.items():
                    found[name] = {"index": name, **missing, "missing": reason}
                rows += [found[peer.name] for peer in field_]
    return Run("index", {"sizes": list(sizes), "kinds": list(kinds), "seed": seed}, rows)


def _race(work: Workload, started: Sequence[RunningPeer], round_s: float) -> dict[str, Row]:
    """The row of each index that was started."""
    rows: dict[str, Row] = {}
    listed = work.listed()
    with tempfile.TemporaryDirectory(prefix="firstseen-index-") as name:
        asked = Path(name) / "queries.npy"
        # A large list is kept for the next run, a small one is made again.
        file = work.file() if work.is_kept else work.file(Path(name))
        np.save(asked, work.queries(QUERIES, listed))
        lanes = []
        for peer in started:
            row: Row = {"index": peer.peer.name, "kind": work.kind, "size": work.size}
            rows[peer.peer.name] = row
            if peer.peer.max_size and work.size > peer.peer.max_size:
                row["missing"] = f"not run beyond {peer.peer.max_size:,}"
                continue
            built = peer.ask("build", file)
            row |= {"build_s": built["build_s"], "bytes_per_hash": built["bytes"] / work.size}
            peer.ask("ask", asked)
            lanes.append(_Lane(peer, row))
    _judge(lanes, JUDGED_MOST if work.size > _LONG_LIST else JUDGED)
    for number in range(ROUNDS):
        for lane in lanes:
            lane.round(round_s, number * QUERIES // ROUNDS)
    for count in THREADS:
        for lane in lanes:
            lane.row[f"per_s_{count}"] = lane.running.ask("threads", count, 2 * round_s)["per_s"]
    for lane in lanes:
        lane.row |= {
            "single": percentiles(np.array(lane.times_us), "us"),
            "batch_us": float(np.median(lane.batch_us)),
        }
    p50s = {name: row["single"]["p50_us"] for name, row in rows.items() if "single" in row}
    for lane in lanes:
        name = lane.running.peer.name
        lane.row["speedup"] = min(p50s[FLAT], p50s.get(MULTI_HASH, p50s[FLAT])) / p50s[name]
    return rows


def _judge(lanes: Sequence[_Lane], count: int) -> None:
    """Compares what each finds with what the scan finds."""
    answers = {
        lane.running.peer.name: [set(rows) for rows in lane.running.ask("found", count)["found"]]
        for lane in lanes
    }
    want = answers[FLAT]
    there = sum(map(len, want))
    for lane in lanes:
        peer, found = lane.running.peer, answers[lane.running.peer.name]
        if peer.exact and found != want:
            raise ArithmeticError(f"{peer.name}: finds something else than a scan")
        kept = sum(len(own & wanted) for own, wanted in zip(found, want, strict=True))
        lane.row["recall"] = kept / there if there else 1.0
