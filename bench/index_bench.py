"""How fast each index finds everything within 31 bits: ours beside those of FAISS.

One thread, one query at a time as a server asks, and in batches; the indexes take turns in one
run. Every index is exact, and has to find what the others find.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bench import workload
from bench.run_file import Row, Run, percentiles
from engine.faiss_index import FaissFlatIndex, FaissMultiHashIndex
from engine.index import Index
from engine.mih_index import MihIndex

MAX_DISTANCE_BITS: Final = 31
BATCH: Final = 64
ROUNDS: Final = 10
# What a round may take of one index, so that the slow ones do not starve the run.
ROUND_S: Final = 0.4

CANDIDATES: Final[dict[str, type[Index]]] = {
    "multi-index hashing (ours)": MihIndex,
    "FAISS IndexBinaryFlat": FaissFlatIndex,
    "FAISS IndexBinaryMultiHash(256, 16, 16), nflip 1": FaissMultiHashIndex,
}


@dataclass
class _Racer:
    """One index in a run, and how long its queries took."""

    name: str
    index: Index
    build_s: float
    times_us: list[float]
    batch_us: list[float]
    found: int = 0
    asked: int = 0

    def round(self, queries: workload.Values) -> None:
        """Asks one by one, then in batches, for a while."""
        end_s = time.perf_counter() + ROUND_S
        for query in queries[:, np.newaxis]:
            start_ns = time.perf_counter_ns()
            self.index.search(query, MAX_DISTANCE_BITS)
            self.times_us.append((time.perf_counter_ns() - start_ns) / 1000)
            if time.perf_counter() > end_s:
                break
        start_ns = time.perf_counter_ns()
        self.index.search(queries[:BATCH], MAX_DISTANCE_BITS)
        self.batch_us.append((time.perf_counter_ns() - start_ns) / 1000 / BATCH)


def _built(name: str, make: Callable[[workload.Values], Index], listed: workload.Values) -> _Racer:
    start_s = time.perf_counter()
    index = make(listed)
    return _Racer(name, index, time.perf_counter() - start_s, [], [])


def run(sizes: list[int], kinds: list[str], seed: int) -> Run:
    """Races the indexes on lists of each size and kind.

    Args:
        sizes: hashes in each list.
        kinds: of list, see `workload.hashes`.
        seed: of lists and queries.

    Raises:
        ArithmeticError: an index found something else than the others.
    """
    rows: list[Row] = []
    for kind in kinds:
        for size in sizes:
            listed = workload.hashes(size, seed, kind)
            asked = workload.queries(listed, 2_000, seed)
            racers = [_built(name, of.build, listed) for name, of in CANDIDATES.items()]
            _check_agree(racers, asked[:20])
            for number in range(ROUNDS):
                part = np.roll(asked, -number * 200, axis=0)
                for racer in racers:
                    racer.round(part)
            flat = np.median(racers[1].times_us)
            rows += [_row(racer, kind, size, float(flat)) for racer in racers]
    return Run("index", {"sizes": sizes, "kinds": kinds, "seed": seed}, rows)


def _check_agree(racers: list[_Racer], queries: workload.Values) -> None:
    def pairs(racer: _Racer) -> set[tuple[int, int]]:
        hits = racer.index.search(queries, MAX_DISTANCE_BITS)
        return set(zip(hits.queries.tolist(), hits.rows.tolist(), strict=True))

    want = pairs(racers[1])
    for racer in racers:
        if pairs(racer) != want:
            raise ArithmeticError(f"{racer.name}: finds something else than a scan")


def _row(racer: _Racer, kind: str, size: int, flat_us: float) -> Row:
    single: npt.NDArray[np.float64] = np.array(racer.times_us)
    found = percentiles(single, "us")
    return {
        "index": racer.name,
        "kind": kind,
        "size": size,
        "single": found,
        "batch_us": float(np.median(racer.batch_us)),
        "build_s": racer.build_s,
        "speedup": flat_us / found["p50_us"],
    }
