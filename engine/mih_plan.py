"""How multi-index hashing cuts a code into chunks, and where it then looks.

*Generalised pigeonhole*: cut the code into m chunks and give each a radius t_i. If
two codes differ by more than t_i in every chunk, they differ by at least the sum of
(t_i + 1). So every code within r of a query is within t_i of it in some chunk as soon as
that sum is at least r + 1, and it is enough to look into the buckets of those chunks. A
chunk may also be left out (t_i = -1).

*Pigeonring* (Qin and Xiao, VLDB 2018): put the chunks in a ring. If two codes are within r, there
is even a chunk from which on they stay near: over that one and any number of the next they differ
by less than the sum of (t_i + 1) of those, since the differences less the (t_i + 1) add up to
less than 0 over the ring, and right behind the place where their running sum is highest it only
sinks. So a row of a bucket counts only if chunk and next chunk together are at most
t_i + t_(i+1) + 1 apart, the *slack*: of unrelated ones that is 1 in 400 at 16 chunks of 16 bits.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import combinations, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.mih_tables import SIGNATURE_BITS

# What it costs to look, in nanoseconds, fitted to the times in docs/adr/0006 (one core, 12 to
# 22 chunks, 30,000 to 10 M hashes). Only their ratios matter here.
_PROBE_NS: Final = 30.0  # a bucket's bounds and its first line, while the bounds are in the cache
_FAR_PROBE_NS: Final = 52.0  # the same once they are not
_CANDIDATE_NS: Final = 0.5  # one posting
_PASSED_NS: Final = 60.0  # one that its signature does not rule out: its value, which is far away
_SCAN_NS: Final = 1.7  # one row, when all are compared
_CACHED_TABLE_BYTES: Final = 1 << 20
MAX_CHUNK_BITS: Final = 24
_MIN_CHUNK_BITS: Final = 8
PERMUTATION_VERSION: Final = 1


def permutation(size_bits: int) -> npt.NDArray[np.uint8]:
    """Which bit of a value comes to each place of its code.

    The bits of real perceptual hashes are not alike: neighbours agree more often than
    not, so chunks of neighbouring bits have a few overfull buckets (6,965 candidates for
    the worst of 166,000 real PDQ hashes, 907 after permuting). The order is fixed by
    SHA-256, since an index that was written down depends on it.
    """

    def rank(bit: int) -> bytes:
        name = f"firstseen {PERMUTATION_VERSION} {size_bits} {bit}"
        return hashlib.sha256(name.encode()).digest()

    return np.array(sorted(range(size_bits), key=rank), np.uint8)


# The columns of `Probes.chunks`.
COLUMNS: Final = 7
LOW_BIT, WIDTH, RADIUS, SLACK, START, FIRST_MASK, LAST_MASK = range(COLUMNS)


@dataclass(frozen=True, slots=True)
class Probes:
    """Where to look for everything within a radius.

    Attributes:
        chunks: int64, shape (c, 7): low bit, width, radius, slack, where its offsets begin, which
            masks are its own.
        masks: int32, shape (p,): what to flip in a chunk to come to a bucket, few flips first.
            Chunks of one width and radius share theirs.
    """

    chunks: npt.NDArray[np.int64]
    masks: npt.NDArray[np.int32]


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
        return tuple(share - 1 + (i in wider) for i in range(count))

    def slacks(self, radius: int) -> tuple[int, ...]:
        """How far each chunk and the next may be apart together, if one is to begin there."""
        radii = self.radii(radius)
        pairs = zip(radii, radii[1:] + radii[:1], strict=True)
        return tuple(own + after + 1 for own, after in pairs)

    def following(self, chunk: int) -> tuple[int, int]:
        """Where the signature beside a chunk begins, and its bits."""
        after = (chunk + 1) % len(self.widths)
        return self.low_bits[after], min(self.widths[after], SIGNATURE_BITS)

    def probe_count(self, radius: int) -> int:
        """How many buckets are looked into."""
        return sum(ball_size for ball_size, _, _ in self._balls(radius))

    def bucket_share(self, radius: int) -> float:
        """What share of a list is expected in those buckets; one row may count more than once."""
        return sum(share for _, share, _ in self._balls(radius))

    def passing_share(self, radius: int) -> float:
        """What share of a list of unrelated values is not ruled out by the signatures there."""
        return sum(share * passing for _, share, passing in self._balls(radius))

    def _balls(self, radius: int) -> Iterator[tuple[int, float, float]]:
        """What is looked into, by chunk and number of flips.

        Yields:
            How many buckets, the share of a list that is in them, and the share of that which the
            signatures do not rule out.
        """
        layout = zip(self.widths, self.radii(radius), self.slacks(radius), strict=True)
        for chunk, (width, own, slack) in enumerate(layout):
            _, bits = self.following(chunk)
            for flips in range(min(own, width) + 1):
                ball_size = math.comb(width, flips)
                ways = sum(math.comb(bits, apart) for apart in range(min(slack - flips, bits) + 1))
                yield ball_size, ball_size / (1 << width), ways / (1 << bits)

    def cost_ns(self, row_count: int, radius: int) -> float:
        """What one search is expected to take."""
        near = min(1.0, _CACHED_TABLE_BYTES / (self.offset_starts[-1] * 4))
        probe_ns = near * _PROBE_NS + (1 - near) * _FAR_PROBE_NS
        probe_count, bucket_share, passing_share = _expected(self, radius)
        row_ns = bucket_share * _CANDIDATE_NS + passing_share * _PASSED_NS
        return probe_count * probe_ns + row_count * row_ns

    def pays(self, row_count: int, radius: int) -> bool:
        """Whether looking is expected to cost less than comparing every row."""
        return self.cost_ns(row_count, radius) < scan_ns(row_count)

    def probes(self, radius: int) -> Probes:
        """Where to look for everything within `radius`."""
        masks: list[int] = []
        balls: dict[tuple[int, int], tuple[int, int]] = {}
        chunks = []
        layout = zip(
            *(self.low_bits, self.widths, self.radii(radius), self.slacks(radius)),
            self.offset_starts[:-1],
            strict=True,
        )
        for low_bit, width, own, slack, start in layout:
            if (width, own) not in balls:
                begin = len(masks)
                for flips in range(min(own, width) + 1):
                    places = combinations(range(width), flips)
                    masks += [sum(1 << bit for bit in bits) for bits in places]
                balls[width, own] = begin, len(masks)
            chunks.append((low_bit, width, own, slack, start, *balls[width, own]))
        return Probes(np.array(chunks, np.int64), np.array(masks, np.int32))


@cache
def _plans(size_bits: int) -> tuple[Plan, ...]:
    """All that there are to choose from."""
    fewest = math.ceil(size_bits / MAX_CHUNK_BITS)
    most = max(fewest, size_bits // _MIN_CHUNK_BITS)
    return tuple(Plan.of(size_bits, count) for count in range(fewest, most + 1))


@lru_cache(maxsize=1_024)
def _expected(plan: Plan, radius: int) -> tuple[int, float, float]:
    """What a cost has of the plan, whatever the rows: some ms for all plans, each time anew."""
    return plan.probe_count(radius), plan.bucket_share(radius), plan.passing_share(radius)


def scan_ns(row_count: int) -> float:
    """What comparing every row is expected to take."""
    return row_count * _SCAN_NS


def max_candidates(row_count: int) -> int:
    """From how many candidates on comparing every row is the faster."""
    return max(1_024, int(scan_ns(row_count) / _CANDIDATE_NS))
