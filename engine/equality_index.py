"""Search for equal values: what exact hashes need.

A hash is evenly spread over its range, so its first eight bytes nearly always tell
it apart: they are kept sorted, found by bisection, and the whole value is compared.
"""

from typing import Final, Self

import numpy as np
import numpy.typing as npt

from engine.errors import CorruptError, InvalidInputError
from engine.index import ALL_HITS, NO_HITS, Arrays, Hits, Index, check_queries

_QUERY_NS: Final = 1_000.0  # a bisection, whatever the length


class EqualityIndex(Index):
    """Finds rows that are equal to a query; takes no other distance than 0."""

    def __init__(
        self,
        values: npt.NDArray[np.uint8],
        rows: npt.NDArray[np.int64],
        prefixes: npt.NDArray[np.uint64],
    ) -> None:
        self._values = values
        self._rows = rows
        self._prefixes = prefixes

    @classmethod
    def build(cls, values: npt.NDArray[np.uint8]) -> Self:
        """See `Index.build`; at least eight bytes a row."""
        prefixes = _prefixes(values)
        rows = np.argsort(prefixes, kind="stable")
        return cls(values, rows, prefixes[rows])

    def arrays(self) -> Arrays:
        """See `Index.arrays`."""
        return {"rows": self._rows, "prefixes": self._prefixes}

    @classmethod
    def restore(cls, values: npt.NDArray[np.uint8], arrays: Arrays) -> Self:
        """See `Index.restore`."""
        shape = (len(values),)
        shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        want = {"rows": (shape, np.dtype(np.int64)), "prefixes": (shape, np.dtype(np.uint64))}
        if shapes != want:
            raise CorruptError("equality index: arrays of another shape")
        rows = arrays["rows"]
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(values):
            raise CorruptError("equality index: rows that there are not")
        return cls(values, rows, arrays["prefixes"])

    def __len__(self) -> int:
        return len(self._values)

    def query_ns(self, max_distance_bits: int) -> float:
        """See `Index.query_ns`."""
        return _QUERY_NS

    def search(
        self,
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int = 0,
        max_hits: int = ALL_HITS,
    ) -> Hits:
        """See `Index.search`.

        Raises:
            InvalidInputError: also when the distance is not 0.
        """
        queries = check_queries(queries, self._values.shape[1], max_distance_bits)
        if max_distance_bits != 0:
            raise InvalidInputError("max_distance_bits", "want 0: these hashes match when equal")
        wanted = _prefixes(queries)
        firsts = self._prefixes.searchsorted(wanted)
        ends = self._prefixes.searchsorted(wanted, side="right")
        if (firsts == ends).all():
            return NO_HITS
        counts = ends - firsts
        numbers = np.repeat(np.arange(len(queries)), counts)
        # Row k of the result is the (k - offset)th of its query's run of equal prefixes.
        offsets = np.cumsum(counts) - counts
        rows = self._rows[np.arange(len(numbers)) + (firsts - offsets)[numbers]]
        equal = (self._values[rows] == queries[numbers]).all(axis=1)
        numbers, rows = numbers[equal], rows[equal]
        return Hits(numbers, rows, np.zeros(len(rows), np.int64))


def _prefixes(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """The first eight bytes of each row; equal bytes give equal numbers, the order is any."""
    return np.ascontiguousarray(values[:, :8]).view(np.uint64).reshape(-1)
