"""What an index promises: every listed value within a distance of a query, no other."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Hits:
    """Pairs of a query and a listed value, in no particular order.

    Attributes:
        queries: int64, shape (k,): which query.
        rows: int64, shape (k,): which row of the values the index was built from.
        distances_bits: int32, shape (k,).
    """

    queries: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    distances_bits: npt.NDArray[np.int32]

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


NO_HITS: Final = Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))


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

    @property
    @abstractmethod
    def query_ns(self) -> float:
        """About how long one query takes, to decide where to run it; right within a few times."""

    @abstractmethod
    def search(self, queries: npt.NDArray[np.uint8], max_distance_bits: int) -> Hits:
        """Finds every pair at a distance of at most `max_distance_bits` (inclusive).

        Args:
            queries: shape (q, size_bytes), C-contiguous.
            max_distance_bits: 0 finds equal values.

        Raises:
            InvalidInputError: the shape does not fit, or the distance is negative.
        """


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
