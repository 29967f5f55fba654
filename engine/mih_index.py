"""Exact search of large lists by multi-index hashing.

The bits of every value are put in a fixed random order and cut into chunks (`mih_plan`
says which and why). For each chunk there is a table of buckets, one for every value
the chunk can have, and a query looks into those within the chunk's radius:

    bounds of all buckets of the query      loads that do not wait for one another
    -> signatures of what is in them        2 bytes a row: the next chunk of its code
    -> the few that those do not rule out   the row's number, then the whole value
    -> a row found by several chunks is reported by the first

It stays exact for any list: a query whose buckets are overfull (a blank picture's hash, a
list of copies) compares every row instead, so the worst costs no more than a plain scan.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from engine import mih_kernels, mih_tables
from engine.bound_search import BoundSearch
from engine.compiled import LANES
from engine.errors import CorruptError
from engine.hashes import SPECS, HashType
from engine.index import ALL_HITS, NO_HITS, Arrays, Hits, Index, check_queries
from engine.mih_plan import MAX_CHUNK_BITS, Plan, max_candidates, permutation, scan_ns
from engine.tally import Rows

# What lists are laid out for; any other distance is found too, only less cheaply.
_PLANNED_DISTANCE_BITS: Final = SPECS[HashType.PDQ].default_distance_bits
_FIRST_HITS: Final = 512
_MOST_POSTINGS: Final = (1 << 32) - 1  # the kernels number them in 32 bits
_ROWS_A_THREAD: Final = 250_000  # built in some 0.1 s


_Finder = partial[int]
"""A compiled loop that knows its list and radius already; see `mih_kernels.probe`."""


class MihIndex(Index):
    """Multi-index hashing over rows of a multiple of 64 bits."""

    def __init__(
        self,
        values: npt.NDArray[np.uint8],
        plan: Plan,
        offsets: npt.NDArray[np.uint32],
        signatures: npt.NDArray[np.uint16],
        rows: npt.NDArray[np.uint32],
    ) -> None:
        """Takes what `build` made.

        Args:
            values: shape (n, size_bytes).
            plan: how their codes are cut.
            offsets: see `mih_tables`, as the next two.
            signatures: one for each row and chunk.
            rows: as many.
        """
        self._size_bytes = values.shape[1]
        self._values = values.view(np.uint64)
        self._plan = plan
        self._offsets = offsets
        self._signatures = signatures
        self._rows = rows
        self._finders: dict[int, _Finder] = {}

    @classmethod
    def build(cls, values: npt.NDArray[np.uint8]) -> Self:
        """See `Index.build`; `size_bytes` is a multiple of 8.

        Raises:
            ValueError: there are more rows than can be numbered, some 2^28.
        """
        values = np.ascontiguousarray(values)
        words = values.view(np.uint64)
        codes = mih_tables.codes_of(words, _permutation(words.shape[1] * 64))
        plan = Plan.cheapest(codes.shape[1] * 64, len(codes), _PLANNED_DISTANCE_BITS)
        posting_count = len(plan.widths) * len(codes)
        if posting_count > _MOST_POSTINGS:
            raise ValueError(f"{len(codes):,} rows are more than can be numbered")
        offsets = np.zeros(plan.offset_starts[-1], np.uint32)
        rows = np.empty(posting_count, np.uint32)
        signatures = np.zeros(posting_count + LANES, np.uint16)

        def fill(chunk: int) -> None:
            place = plan.low_bits[chunk], plan.widths[chunk]
            bounds = offsets[plan.offset_starts[chunk] : plan.offset_starts[chunk + 1]]
            own = slice(chunk * len(codes), (chunk + 1) * len(codes))
            mih_tables.fill_table(
                codes, place, plan.following(chunk), bounds, signatures[own], rows[own]
            )

        with ThreadPoolExecutor(_thread_count(len(codes))) as pool:
            list(pool.map(fill, range(len(plan.widths))))
        return cls(values, plan, offsets, signatures, rows)

    def arrays(self) -> Arrays:
        """See `Index.arrays`; `widths` are those of the chunks."""
        return {
            "widths": np.array(self._plan.widths, np.int64),
            "offsets": self._offsets,
            "signatures": self._signatures,
            "rows": self._rows,
        }

    @classmethod
    def restore(cls, values: npt.NDArray[np.uint8], arrays: Arrays) -> Self:
        """See `Index.restore`."""
        try:
            plan = Plan(values.shape[1] * 8, tuple(arrays["widths"].tolist()))
            own = (arrays[name] for name in ("offsets", "signatures", "rows"))
            index = cls(values, plan, *own)
        except KeyError as error:
            raise CorruptError("multi-index hashing: an array is missing") from error
        index._check()
        return index

    def _check(self) -> None:
        """The kernels read where the arrays say, so these must be as long and go as far as they do.

        Raises:
            CorruptError: the arrays are of no index that was built.
        """
        plan, count = self._plan, len(self)
        posting_count = len(plan.widths) * count
        fits = (
            sum(plan.widths) == plan.size_bits
            and all(0 < width <= MAX_CHUNK_BITS for width in plan.widths)
            and posting_count <= _MOST_POSTINGS
            and [own.dtype for own in (self._offsets, self._signatures, self._rows)]
            == [np.dtype(np.uint32), np.dtype(np.uint16), np.dtype(np.uint32)]
            and self._offsets.shape == (plan.offset_starts[-1],)
            and self._signatures.shape == (posting_count + LANES,)
            and self._rows.shape == (posting_count,)
        )
        if not fits or not all(
            own[0] == 0 and own[-1] == count and not (own[1:] < own[:-1]).any()
            for own in (self._offsets[a:b] for a, b in pairwise(plan.offset_starts))
        ):
            raise CorruptError("multi-index hashing: arrays of no index that was built")

    def __len__(self) -> int:
        return len(self._values)

    def query_ns(self, max_distance_bits: int) -> float:
        """See `Index.query_ns`; also gets ready to search within this distance."""
        self._finder(max_distance_bits)
        if not self._plan.pays(len(self), max_distance_bits):
            return scan_ns(len(self))
        return self._plan.cost_ns(len(self), max_distance_bits)

    def bind(self, max_distance_bits: int, rows: Rows) -> BoundSearch | None:
        """See `Index.bind`."""
        if not self._plan.pays(len(self), max_distance_bits):
            return None
        *arrays, radius, max_candidates = self._finder(max_distance_bits).args
        return BoundSearch(tuple(arrays), radius, max_candidates, rows)

    def search(
        self,
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int,
        max_hits: int = ALL_HITS,
    ) -> Hits:
        """See `Index.search`."""
        words = check_queries(queries, self._size_bytes, max_distance_bits).view(np.uint64)
        find = self._finder(max_distance_bits)
        hits = np.empty((3, _FIRST_HITS), np.int64)
        found = find(words, max_hits, hits)
        if not found:
            return NO_HITS
        if found > _FIRST_HITS:
            hits = np.empty((3, found), np.int64)
            find(words, max_hits, hits)
        return Hits(*hits[:, :found])

    def _finder(self, radius: int) -> _Finder:
        """How to find what is within a radius. Worked out once: it tells where to look."""
        finder = self._finders.get(radius)
        if finder is None:
            finder = self._finders[radius] = self._make_finder(radius)
        return finder

    def _make_finder(self, radius: int) -> _Finder:
        if not self._plan.pays(len(self), radius):
            return partial(mih_kernels.scan, self._values, radius)
        probes = self._plan.probes(radius)
        return partial(
            mih_kernels.probe,
            self._values,
            self._offsets,
            self._signatures,
            self._rows,
            probes.chunks,
            probes.masks,
            _permutation(self._size_bytes * 8),
            radius,
            max_candidates(len(self)),
        )


def _thread_count(row_count: int) -> int:
    """How many threads build: what is short is not worth the cores that answer meanwhile."""
    return min(os.cpu_count() or 1, 1 + row_count // _ROWS_A_THREAD)


_permutation = cache(permutation)
