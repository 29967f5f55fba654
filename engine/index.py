"""What an index promises: every listed value within a distance of a query, no other."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.tally import Distances, Rows

Arrays = Mapping[str, npt.NDArray[Any]]
"""What an index is made of beside the values, by name; see `Index.arrays`."""

# No limit: more than a list can have rows.
ALL_HITS: Final = 1 << 62
# How far `nearest` looks at first, and by how much further each time: a copy is within 8 bits
# more often than not, and each step costs some four times the one before.
_NEAREST_STEP_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Hits:
    """Pairs of a query and a listed value, in no particular order.

    Attributes:
        queries: int64, shape (k,): which query.
        rows: int64, shape (k,): which row of the values the index was built from.
        distances_bits: int64, shape (k,).
    """

    queries: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    distances_bits: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def concat(cls, parts: Sequence["Hits"]) -> "Hits":
        """All of them together."""
        if not parts:
            return NO_HITS
        return cls(
            np.concatenate([part.queries for part in parts]),
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.distances_bits for part in parts]),
        )

    def select(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Hits":
        """Those at `which`: a mask or positions."""
        return Hits(self.queries[which], self.rows[which], self.distances_bits[which])


NO_HITS: Final = Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))


class Bound(Protocol):
    """See `Index.bind`."""

    def nearest(self, passed_over: int, queries: bytes, /) -> Distances | None:
        """See `BoundSearch.nearest`."""


class Index(ABC):
    """An immutable index over rows of equal size; safe to search from many threads."""

    @classmethod
    @abstractmethod
    def build(cls, values: npt.NDArray[np.uint8]) -> Self:
        """Builds an index.

        Args:
            values: shape (n, size_bytes); row numbers are positions in it.
        """

    @abstractmethod
    def __len__(self) -> int:
        """How many rows it has."""

    @abstractmethod
    def query_ns(self, max_distance_bits: int) -> float:
        """About how long one query takes, to decide where to run it; right within a few times."""

    @abstractmethod
    def search(
        self,
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int,
        max_hits: int = ALL_HITS,
    ) -> Hits:
        """Finds every pair at a distance of at most `max_distance_bits` (inclusive).

        Args:
            queries: shape (q, size_bytes), C-contiguous.
            max_distance_bits: 0 finds equal values.
            max_hits: a query with more hits than this may be left early: of its hits at
                least one more than this are given, and which they are is not said.

        Raises:
            InvalidInputError: the shape does not fit, or the distance is negative.
        """

    def bind(self, max_distance_bits: int, rows: Rows) -> Bound | None:
        """A search that has been handed all it looks at, where there is one.

        Args:
            max_distance_bits: how far to look.
            rows: of the values the index was built from.
        """
        return None

    def nearest(self, queries: npt.NDArray[np.uint8], k: int, max_distance_bits: int) -> Hits:
        """The `k` nearest rows of each query within a distance, nearest first.

        Of rows at the same distance the first come first. Looks further only for as long as
        some query has fewer than `k`.

        Args:
            queries: as `search`.
            k: at most so many for each query.
            max_distance_bits: inclusive.

        Raises:
            InvalidInputError: as `search`, or `k` is negative.
        """
        if k < 0:
            raise InvalidInputError("k", "negative")
        found: list[Hits] = []
        waiting = np.arange(len(queries))
        radius = min(_NEAREST_STEP_BITS, max_distance_bits)
        while True:
            hits = self.search(queries[waiting], radius)
            counts = np.bincount(hits.queries, minlength=len(waiting))
            is_last = radius >= max_distance_bits
            done = (counts >= k) | is_last
            of_done = hits.select(done[hits.queries])
            found.append(Hits(waiting[of_done.queries], of_done.rows, of_done.distances_bits))
            waiting = waiting[~done]
            if is_last or not len(waiting):
                return _first_of_each(Hits.concat(found), k)
            radius = min(radius + _NEAREST_STEP_BITS, max_distance_bits)

    def arrays(self) -> Arrays:
        """What makes it searchable, to be written down; nothing when `build` is as quick."""
        return {}

    @classmethod
    def restore(cls, values: npt.NDArray[np.uint8], arrays: Arrays) -> Self:  # noqa: ARG003  an index of none needs none
        """The index that had these values and `arrays`; keeps them, which may be read-only.

        Raises:
            CorruptError: they are not what `arrays` gave.
        """
        return cls.build(values)


def _first_of_each(hits: Hits, k: int) -> Hits:
    """The first `k` of each query, by query, distance and row."""
    order = np.lexsort((hits.rows, hits.distances_bits, hits.queries))
    hits = hits.select(order)
    begins = np.searchsorted(hits.queries, hits.queries)
    return hits.select(np.arange(len(hits)) - begins < k)


def check_queries(
    queries: npt.NDArray[np.uint8], size_bytes: int, max_distance_bits: int
) -> npt.NDArray[np.uint8]:
    """Refuses queries that an index of this width cannot answer.

    Raises:
        InvalidInputError: the shape or type does not fit, or the distance is negative.
    """
    if queries.ndim != 2 or queries.shape[1] != size_bytes or queries.dtype != np.uint8:
        raise InvalidInputError("queries", f"want uint8 of shape (n, {size_bytes})")
    if max_distance_bits < 0:
        raise InvalidInputError("max_distance_bits", "negative")
    return np.ascontiguousarray(queries)
