"""How multi-index hashing cuts a code into chunks, and where it then looks.

*Generalised pigeonhole*: cut the code into m chunks and give each a radius t_i. If
two codes differ by more than t_i in every chunk, they differ by at least the sum of
(t_i + 1). So every code within r of a query is within t_i of it in some chunk as soon as
that sum is at least r + 1, and it is enough to look into the buckets of those chunks. A
chunk may also be left out (t_i = -1).
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import combinations, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

# What it costs to look, in nanoseconds, fitted to the times in docs/adr/0006 (one core, 12 to
# 16 chunks, 1 M and 10 M hashes). Only their ratios matter here.
_PROBE_NS: Final = 19.0  # a bucket's bounds and its first line, while the tables are in the cache
_FAR_PROBE_NS: Final = 48.0  # the same once they are not
_CANDIDATE_NS: Final = 3.25  # one posting
_PASSED_NS: Final = 60.0  # one that its bits do not rule out: the whole value, which is far away
_POSTING_BITS: Final = 96  # of the code, beside the row
_SCAN_NS: Final = 3.0  # one row, when all are compared
_CACHED_TABLE_BYTES: Final = 16 << 20
MAX_CHUNK_BITS: Final = 24
_MIN_CHUNK_BITS: Final = 8
PERMUTATION_VERSION: Final = 1


def permutation(size_bits: int) -> npt.NDArray[np.int64]:
    """Which bit of a value comes to each place of its code.

    The bits of real perceptual hashes are not alike: neighbours agree more often than
    not, so chunks of neighbouring bits have a few overfull buckets (6,965 candidates for
    the worst of 166,000 real PDQ hashes, 907 after permuting). The order is fixed by
    SHA-256, since an index that was written down depends on it.
    """

    def rank(bit: int) -> bytes:
        name = f"firstseen {PERMUTATION_VERSION} {size_bits} {bit}"
        return hashlib.sha256(name.encode()).digest()

    return np.array(sorted(range(size_bits), key=rank), np.int64)


@dataclass(frozen=True, slots=True)
class Probes:
    """Where to look for everything within a radius.

    Attributes:
        chunks: int64, shape (c, 4): low bit, width, radius, where its offsets begin.
        masks: int64, shape (p,): what to flip in a chunk to come to a bucket, few flips first.
        mask_bounds: int64, shape (c + 1,): which masks belong to which chunk.
    """

    chunks: npt.NDArray[np.int64]
    masks: npt.NDArray[np.int64]
    mask_bounds: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """Chunks of one code size.

    Attributes:
        size_bits: of a code.
        widths: bits of each chunk, in order; together `size_bits`.
    """

    size_bits: int
    widths: tuple[int, ...]

    @classmethod
    def of(cls, size_bits: int, chunk_count: int) -> "Plan":
        """Chunks of widths that differ by at most one bit."""
        edges = [round(size_bits * i / chunk_count) for i in range(chunk_count + 1)]
        widths = tuple(b - a for a, b in pairwise(edges))
        return cls(size_bits, widths)

    @classmethod
    def cheapest(cls, size_bits: int, row_count: int, radius: int) -> "Plan":
        """The plan by which a list of this size is expected to be searched fastest."""
        return min(_plans(size_bits), key=lambda plan: plan.cost_ns(row_count, radius))

    @cached_property
    def low_bits(self) -> tuple[int, ...]:
        """Where each chunk begins."""
        return tuple(sum(self.widths[:i]) for i in range(len(self.widths)))

    @cached_property
    def offset_starts(self) -> tuple[int, ...]:
        """Where the bucket bounds of each chunk begin; the last is their number."""
        sizes = [(1 << width) + 1 for width in self.widths]
        return tuple(sum(sizes[:i]) for i in range(len(sizes) + 1))

    def radii(self, radius: int) -> tuple[int, ...]:
        """The radius of each chunk that together find everything within `radius`.

        What is left over after equal shares goes to the narrowest chunks, whose
        balls are the smallest.
        """
        count = len(self.widths)
        share, rest = divmod(radius + 1, count)
        wider = sorted(range(count), key=lambda i: self.widths[i])[:rest]
        return tuple(min(width, share - 1 + (i in wider)) for i, width in enumerate(self.widths))

    def probe_count(self, radius: int) -> int:
        """How many buckets are looked into."""
        return sum(
            math.comb(width, flips)
            for width, own in zip(self.widths, self.radii(radius), strict=True)
            for flips in range(own + 1)
        )

    def bucket_share(self, radius: int) -> float:
        """What share of a list is expected in those buckets; one row may count more than once."""
        return sum(
            math.comb(width, flips) / (1 << width)
            for width, own in zip(self.widths, self.radii(radius), strict=True)
            for flips in range(own + 1)
        )

    def cost_ns(self, row_count: int, radius: int) -> float:
        """What one search is expected to take."""
        near = min(1.0, _CACHED_TABLE_BYTES / (self.offset_starts[-1] * 4))
        probe_ns = near * _PROBE_NS + (1 - near) * _FAR_PROBE_NS
        probe_count, bucket_share, passing = _expected(self, radius)
        candidate_ns = _CANDIDATE_NS + passing * _PASSED_NS
        return probe_count * probe_ns + bucket_share * row_count * candidate_ns

    def pays(self, row_count: int, radius: int) -> bool:
        """Whether looking is expected to cost less than comparing every row."""
        return self.cost_ns(row_count, radius) < scan_ns(row_count)

    def probes(self, radius: int) -> Probes:
        """Where to look for everything within `radius`."""
        chunks, masks, bounds = [], [], [0]
        layout = zip(
            self.low_bits, self.widths, self.radii(radius), self.offset_starts[:-1], strict=True
        )
        for low_bit, width, own, start in layout:
            chunks.append((low_bit, width, own, start))
            for flips in range(own + 1):
                balls = combinations(range(width), flips)
                masks += [sum(1 << bit for bit in bits) for bits in balls]
            bounds.append(len(masks))
        return Probes(
            np.array(chunks, np.int64),
            np.array(masks, np.int64),
            np.array(bounds, np.int64),
        )


@cache
def _plans(size_bits: int) -> tuple[Plan, ...]:
    """All that there are to choose from."""
    fewest = math.ceil(size_bits / MAX_CHUNK_BITS)
    most = max(fewest, size_bits // _MIN_CHUNK_BITS)
    return tuple(Plan.of(size_bits, count) for count in range(fewest, most + 1))


@lru_cache(maxsize=1_024)
def _expected(plan: Plan, radius: int) -> tuple[int, float, float]:
    """What a cost has of the plan, whatever the rows: some ms for all plans, each time anew."""
    return plan.probe_count(radius), plan.bucket_share(radius), passing_share(radius)


def passing_share(radius: int) -> float:
    """What share of unrelated postings their bits do not rule out: few at 31 bits, half at 48."""
    ways = sum(math.comb(_POSTING_BITS, bits) for bits in range(min(radius, _POSTING_BITS) + 1))
    return ways / (1 << _POSTING_BITS)


def scan_ns(row_count: int) -> float:
    """What comparing every row is expected to take."""
    return row_count * _SCAN_NS


def max_candidates(row_count: int) -> int:
    """From how many candidates on comparing every row is the faster."""
    return max(1_024, int(scan_ns(row_count) / _CANDIDATE_NS))
