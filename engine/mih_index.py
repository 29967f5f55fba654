"""Exact search of large lists by multi-index hashing.

The bits of every value are put in a fixed random order and cut into chunks (`mih_plan`
says which and why). For each chunk there is a table of buckets, one for every value
the chunk can have, and a query looks into those within the chunk's radius:

    bounds of all buckets of the query      loads that do not wait for one another
    -> their postings, fetched ahead        96 bits of the code beside each row's number
    -> the few that those bits do not rule out: the whole code
    -> a row found by several chunks is reported by the first

Two things make it fast and stay exact. The parity of a distance is that of the two
weights together, and a PDQ hash has as a rule 128 ones: within 31 bits is within 30, which
needs fewer buckets. So rows of even and of odd weight are listed apart, when few are
of one kind. And a query whose buckets are overfull (a blank picture's hash, a list of copies)
compares every row instead, so the worst costs no more than a plain scan.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from engine import mih_kernels
from engine.hashes import SPECS, HashType
from engine.index import NO_HITS, Hits, Index, check_queries
from engine.mih_plan import Plan, Probes, max_candidates, permutation, scan_ns

# What lists are laid out for; any other distance is found too, only less cheaply.
_PLANNED_DISTANCE_BITS: Final = SPECS[HashType.PDQ].default_distance_bits
_SCANNED_ROWS: Final = 2_048  # a group as small costs less to compare than to look up
_MINORITY: Final = 8  # one kind of weight is listed apart when it is under an eighth
_FIRST_HITS: Final = 1_024
_ANY: Final = -1  # queries of any weight


@dataclass(frozen=True, repr=False)
class _Group:
    """Rows of one weight parity, or of both: scanned when few, in tables when many.

    Attributes:
        parity: of the weight of each row; None when they are mixed.
        rows: uint32, shape (k,), ascending.
        plan: how their codes are cut; None when they are scanned.
        offsets: uint32, see `mih_kernels`.
        postings: uint64, see `mih_kernels`.
    """

    parity: int | None
    rows: npt.NDArray[np.uint32]
    plan: Plan | None
    offsets: npt.NDArray[np.uint32]
    postings: npt.NDArray[np.uint64]
    _probes: dict[int, Probes | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls, codes: npt.NDArray[np.uint64], rows: npt.NDArray[np.uint32], parity: int | None
    ) -> "_Group":
        if len(rows) <= _SCANNED_ROWS:
            return cls(parity, rows, None, np.empty(0, np.uint32), np.empty((0, 2), np.uint64))
        # Even distances alone: within 31 is within 30.
        radius = _PLANNED_DISTANCE_BITS - (parity is not None)
        plan = Plan.cheapest(codes.shape[1] * 64, len(rows), radius)
        offsets = np.zeros(plan.offset_starts[-1], np.uint32)
        postings = np.empty((len(plan.widths) * len(rows), 2), np.uint64)

        def fill(chunk: int) -> None:
            low_bit, width = plan.low_bits[chunk], plan.widths[chunk]
            bounds = offsets[plan.offset_starts[chunk] : plan.offset_starts[chunk + 1]]
            own = postings[chunk * len(rows) : (chunk + 1) * len(rows)]
            mih_kernels.fill_table(codes, rows, low_bit, width, bounds, own)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(fill, range(len(plan.widths))))
        return cls(parity, rows, plan, offsets, postings)

    def query_ns(self) -> float:
        """What one query within the planned distance is expected to take."""
        if self.plan is None:
            return scan_ns(len(self.rows))
        return self.plan.cost_ns(len(self.rows), _PLANNED_DISTANCE_BITS)

    def radius_of(self, parity: int, max_distance_bits: int) -> int:
        """The largest distance within the limit that a query of this parity can have here."""
        if self.parity is None:
            return max_distance_bits
        return max_distance_bits - (parity + self.parity + max_distance_bits) % 2

    def search(
        self,
        codes: npt.NDArray[np.uint64],
        queries: npt.NDArray[np.uint64],
        parity: int,
        radius: int,
    ) -> Hits:
        hits = np.empty((_FIRST_HITS, 3), np.uint32)
        found = self._search(codes, queries, parity, radius, hits)
        if not found:
            return NO_HITS
        if found > len(hits):
            hits = np.empty((found, 3), np.uint32)
            self._search(codes, queries, parity, radius, hits)
        return Hits(
            hits[:found, 0].astype(np.int64),
            hits[:found, 1].astype(np.int64),
            hits[:found, 2].astype(np.int32),
        )

    def _search(
        self,
        codes: npt.NDArray[np.uint64],
        queries: npt.NDArray[np.uint64],
        parity: int,
        radius: int,
        hits: npt.NDArray[np.uint32],
    ) -> int:
        probes = self._probes_for(radius)
        source_bits = _permutation(codes.shape[1] * 64)
        if probes is None:
            return mih_kernels.scan(codes, self.rows, source_bits, parity, queries, radius, hits)
        return mih_kernels.probe(
            codes,
            self.offsets,
            self.postings,
            probes.chunks,
            probes.masks,
            probes.mask_bounds,
            source_bits,
            parity,
            queries,
            radius,
            max_candidates(len(self.rows)),
            hits,
        )

    def _probes_for(self, radius: int) -> Probes | None:
        """Where to look; None when comparing every row is the cheaper. Worked out once."""
        if radius not in self._probes:
            pays = self.plan is not None and self.plan.pays(len(self.rows), radius)
            self._probes[radius] = self.plan.probes(radius) if self.plan and pays else None
        return self._probes[radius]


class MihIndex(Index):
    """Multi-index hashing over rows of a multiple of 64 bits."""

    def __init__(self, values: npt.NDArray[np.uint8]) -> None:
        self._size_bytes = values.shape[1]
        self._codes = self._permuted(values)
        parities = _parities(self._codes)
        self._groups = tuple(
            _Group.of(self._codes, rows, parity) for parity, rows in _by_parity(parities)
        )

    @classmethod
    def build(cls, values: npt.NDArray[np.uint8]) -> Self:
        """See `Index.build`; `size_bytes` is a multiple of 8, at most 2^32 - 1 rows."""
        return cls(values)

    def __len__(self) -> int:
        return len(self._codes)

    @cached_property
    def query_ns(self) -> float:
        """See `Index.query_ns`."""
        return sum(group.query_ns() for group in self._groups)

    def search(self, queries: npt.NDArray[np.uint8], max_distance_bits: int) -> Hits:
        """See `Index.search`."""
        queries = check_queries(queries, self._size_bytes, max_distance_bits)
        words = queries.view(np.uint64)
        parts = []
        for group in self._groups:
            for parity in (_ANY,) if group.parity is None else (0, 1):
                radius = group.radius_of(parity, max_distance_bits)
                if radius >= 0:
                    hits = group.search(self._codes, words, parity, radius)
                    if len(hits):
                        parts.append(hits)
        return parts[0] if len(parts) == 1 else Hits.concat(parts)

    def _permuted(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
        words = np.ascontiguousarray(values).view(np.uint64)
        codes = np.empty_like(words)
        mih_kernels.permute(words, _permutation(self._size_bytes * 8), codes)
        return codes


_permutation = cache(permutation)


def _parities(codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """uint8, shape (n,): 1 where a code has an odd number of ones."""
    folded = np.bitwise_xor.reduce(codes, axis=1)
    parities: npt.NDArray[np.uint8] = np.bitwise_count(folded) & np.uint8(1)
    return parities


def _by_parity(
    parities: npt.NDArray[np.uint8],
) -> Iterator[tuple[int | None, npt.NDArray[np.uint32]]]:
    odd = np.flatnonzero(parities).astype(np.uint32)
    if min(len(odd), len(parities) - len(odd)) * _MINORITY > len(parities):
        yield None, np.arange(len(parities), dtype=np.uint32)
        return
    for parity, rows in enumerate((np.flatnonzero(parities == 0).astype(np.uint32), odd)):
        if len(rows):
            yield parity, rows
