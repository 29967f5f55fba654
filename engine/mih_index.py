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
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from engine import mih_kernels
from engine.errors import CorruptError
from engine.hashes import SPECS, HashType
from engine.index import ALL_HITS, NO_HITS, Arrays, Hits, Index, check_queries
from engine.mih_plan import Plan, Probes, max_candidates, permutation, scan_ns

# What lists are laid out for; any other distance is found too, only less cheaply.
_PLANNED_DISTANCE_BITS: Final = SPECS[HashType.PDQ].default_distance_bits
_SCANNED_ROWS: Final = 256  # a group as small costs less to compare than to look up
_MINORITY: Final = 8  # one kind of weight is listed apart when it is under an eighth
_FIRST_HITS: Final = 512
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

    def query_ns(self, max_distance_bits: int) -> float:
        """What one query is expected to take; also works out where it will look."""
        radius = self.radius_of(0, max_distance_bits)
        if self.plan is None or radius < 0 or self._probes_for(radius) is None:
            return scan_ns(len(self.rows))
        return self.plan.cost_ns(len(self.rows), radius)

    def radius_of(self, parity: int, max_distance_bits: int) -> int:
        """The largest distance within the limit that a query of this parity can have here."""
        if self.parity is None:
            return max_distance_bits
        return max_distance_bits - (parity + self.parity + max_distance_bits) % 2

    def arrays(self) -> Arrays:
        """See `Index.arrays`; `layout` is the parity (-1: mixed) and the widths of the chunks."""
        parity = _ANY if self.parity is None else self.parity
        widths = () if self.plan is None else self.plan.widths
        return {
            "layout": np.array([parity, *widths], np.int64),
            "rows": self.rows,
            "offsets": self.offsets,
            "postings": self.postings,
        }

    @classmethod
    def restore(cls, size_bits: int, arrays: Arrays) -> "_Group":
        """The group that `arrays` describes.

        Raises:
            CorruptError: the arrays do not fit together.
        """
        parity, *widths = arrays["layout"].tolist()
        group = cls(
            None if parity == _ANY else parity,
            arrays["rows"],
            Plan(size_bits, tuple(widths)) if widths else None,
            arrays["offsets"],
            arrays["postings"],
        )
        group._check(size_bits)
        return group

    def check_rows(self, values: npt.NDArray[np.uint8]) -> None:
        """What a search relies on beside the shapes: where buckets end, which rows there are.

        Raises:
            CorruptError: the arrays are of no index that was built.
        """
        count = len(self.rows)
        is_sound = not count or (int(self.rows[-1]) < len(values) and _ascends(self.rows))
        if self.plan is not None:
            starts = self.plan.offset_starts
            for begin, end in pairwise(starts):
                own = self.offsets[begin:end]
                falls = bool((own[1:] < own[:-1]).any())
                is_sound &= own[0] == 0 and own[-1] == count and not falls
        if self.parity is not None and count and is_sound:
            some = np.ascontiguousarray(values[self.rows[:: max(1, count // 1_000)]])
            weights = np.bitwise_count(some).sum(axis=1) & 1
            is_sound &= bool((weights == self.parity).all())
        if not is_sound:
            raise CorruptError("multi-index hashing: arrays of no index that was built")

    def _check(self, size_bits: int) -> None:
        """The kernels read where the arrays say, so they must be as long as they say."""
        plan = self.plan
        types = [a.dtype.name for a in (self.rows, self.offsets, self.postings)]
        bounds = 0 if plan is None else plan.offset_starts[-1]
        postings = 0 if plan is None else len(plan.widths) * len(self.rows)
        if (
            self.parity not in {None, 0, 1}
            or types != ["uint32", "uint32", "uint64"]
            or (plan is not None and sum(plan.widths) != size_bits)
            or self.offsets.shape != (bounds,)
            or self.postings.shape != (postings, 2)
        ):
            raise CorruptError("multi-index hashing: arrays that do not fit together")

    def search(
        self, values: npt.NDArray[np.uint64], queries: npt.NDArray[np.uint64], asked: "_Asked"
    ) -> Hits:
        hits = np.empty((_FIRST_HITS, 3), np.uint32)
        found = self._search(values, queries, asked, hits)
        if not found:
            return NO_HITS
        if found > len(hits):
            hits = np.empty((found, 3), np.uint32)
            self._search(values, queries, asked, hits)
        return Hits(
            hits[:found, 0].astype(np.int64),
            hits[:found, 1].astype(np.int64),
            hits[:found, 2].astype(np.int32),
        )

    def _search(
        self,
        values: npt.NDArray[np.uint64],
        queries: npt.NDArray[np.uint64],
        asked: "_Asked",
        hits: npt.NDArray[np.uint32],
    ) -> int:
        parity, radius, max_hits = asked.parity, asked.radius, asked.max_hits
        probes = self._probes_for(radius)
        if probes is None:
            return mih_kernels.scan(values, self.rows, parity, queries, radius, max_hits, hits)
        return mih_kernels.probe(
            values,
            self.rows,
            self.offsets,
            self.postings,
            probes.chunks,
            probes.masks,
            probes.mask_bounds,
            _permutation(values.shape[1] * 64),
            parity,
            queries,
            radius,
            max_candidates(len(self.rows)),
            max_hits,
            hits,
        )

    def _probes_for(self, radius: int) -> Probes | None:
        """Where to look; None when comparing every row is the cheaper. Worked out once."""
        if radius not in self._probes:
            pays = self.plan is not None and self.plan.pays(len(self.rows), radius)
            self._probes[radius] = self.plan.probes(radius) if self.plan and pays else None
        return self._probes[radius]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of a group: queries of one parity (-1: of any), how far, how many hits."""

    parity: int
    radius: int
    max_hits: int


class MihIndex(Index):
    """Multi-index hashing over rows of a multiple of 64 bits."""

    def __init__(self, values: npt.NDArray[np.uint8], groups: Iterable[_Group]) -> None:
        self._size_bytes = values.shape[1]
        self._values = values.view(np.uint64)
        self._groups = tuple(groups)

    @classmethod
    def build(cls, values: npt.NDArray[np.uint8]) -> Self:
        """See `Index.build`; `size_bytes` is a multiple of 8, at most 2^32 - 1 rows."""
        values = np.ascontiguousarray(values)
        words = values.view(np.uint64)
        codes = np.empty_like(words)
        mih_kernels.permute(words, _permutation(words.shape[1] * 64), codes)
        return cls(values, [_Group.of(codes, rows, parity) for parity, rows in _by_parity(codes)])

    def arrays(self) -> Arrays:
        """See `Index.arrays`."""
        return {
            f"{number}.{name}": array
            for number, group in enumerate(self._groups)
            for name, array in group.arrays().items()
        }

    @classmethod
    def restore(cls, values: npt.NDArray[np.uint8], arrays: Arrays) -> Self:
        """See `Index.restore`."""
        groups: dict[str, dict[str, npt.NDArray[Any]]] = {}
        for key, array in arrays.items():
            number, _, name = key.partition(".")
            groups.setdefault(number, {})[name] = array
        try:
            restored = [_Group.restore(values.shape[1] * 8, groups[n]) for n in sorted(groups)]
        except (KeyError, ValueError) as error:
            raise CorruptError("multi-index hashing: an array is missing") from error
        parities = [group.parity for group in restored]
        if sum(len(group.rows) for group in restored) != len(values) or len(set(parities)) != len(
            parities
        ):
            raise CorruptError("multi-index hashing: the groups are not all of the rows")
        for group in restored:
            group.check_rows(values)
        return cls(values, restored)

    def __len__(self) -> int:
        return len(self._values)

    def query_ns(self, max_distance_bits: int) -> float:
        """See `Index.query_ns`."""
        return sum(group.query_ns(max_distance_bits) for group in self._groups)

    def search(
        self,
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int,
        max_hits: int = ALL_HITS,
    ) -> Hits:
        """See `Index.search`."""
        queries = check_queries(queries, self._size_bytes, max_distance_bits)
        words = queries.view(np.uint64)
        # Nearly always all queries are of one parity: then each group is searched once.
        parities = {sum(map(int.bit_count, word)) & 1 for word in words.tolist()}
        parts = []
        for group in self._groups:
            for parity in parities if group.parity is not None else (_ANY,):
                radius = group.radius_of(parity, max_distance_bits)
                if radius >= 0:
                    own = parity if len(parities) > 1 else _ANY
                    hits = group.search(self._values, words, _Asked(own, radius, max_hits))
                    if len(hits):
                        parts.append(hits)
        return parts[0] if len(parts) == 1 else Hits.concat(parts)


_permutation = cache(permutation)


def _ascends(rows: npt.NDArray[np.uint32]) -> bool:
    return bool((rows[1:] > rows[:-1]).all())


def _by_parity(
    codes: npt.NDArray[np.uint64],
) -> Iterator[tuple[int | None, npt.NDArray[np.uint32]]]:
    """The rows of even and of odd weight, or all together when there are many of both."""
    parities = np.bitwise_count(np.bitwise_xor.reduce(codes, axis=1)) & np.uint8(1)
    odd = np.flatnonzero(parities).astype(np.uint32)
    if min(len(odd), len(codes) - len(odd)) * _MINORITY > len(codes):
        yield None, np.arange(len(codes), dtype=np.uint32)
        return
    for parity, rows in enumerate((np.flatnonzero(parities == 0).astype(np.uint32), odd)):
        if len(rows):
            yield parity, rows
