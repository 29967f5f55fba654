"""Exact search by FAISS, which compares a query with every row at memory speed.

Beside the plain scan, FAISS' own multi-index hashing, to compare with.

The only file that imports faiss. What FAISS does differently from `Index` is
settled here: its radius is exclusive, its distances are float32, its thread count
belongs to the calling thread.
"""

from typing import Any, Final, Self

import faiss
import numpy as np
import numpy.typing as npt

from engine.bound_search import BoundSearch
from engine.index import ALL_HITS, NO_HITS, Hits, Index, check_queries
from engine.tally import Rows

_MULTI_HASH_ROW_NS: Final = 1.5  # measured at 1 M and 10 M
# Up to here calling FAISS takes longer than what it does: 100 us between two calls of a server.
_BOUND_ROWS: Final = 16_384
_ROW_NS: Final = 1.05  # measured at 100,000 and 1 M rows of 32 bytes


class FaissFlatIndex(Index):
    """`IndexBinaryFlat`; row numbers are its labels."""

    def __init__(self, values: npt.NDArray[np.uint8]) -> None:
        self._size_bytes = values.shape[1]
        values = np.ascontiguousarray(values)
        self._flat = faiss.IndexBinaryFlat(self._size_bytes * 8)
        self._flat.add(values)
        is_bound = len(values) <= _BOUND_ROWS and self._size_bytes % 8 == 0
        self._bound_values = values.view(np.uint64) if is_bound else None

    @classmethod
    def build(cls, values: npt.NDArray[np.uint8]) -> Self:
        """See `Index.build`; FAISS copies the values, a short list's are kept as they are, too."""
        return cls(values)

    def __len__(self) -> int:
        return int(self._flat.ntotal)

    def query_ns(self, max_distance_bits: int) -> float:
        """See `Index.query_ns`."""
        return len(self) * _ROW_NS

    def bind(self, max_distance_bits: int, rows: Rows) -> BoundSearch | None:
        """See `Index.bind`; a short list is compared by a loop of ours."""
        if self._bound_values is None:
            return None
        return BoundSearch((self._bound_values,), max_distance_bits, 0, rows)

    def search(
        self,
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int,
        max_hits: int = ALL_HITS,
    ) -> Hits:
        """See `Index.search`; no query is left early."""
        queries = check_queries(queries, self._size_bytes, max_distance_bits)
        _use_one_thread()
        return _hits(*self._flat.range_search(queries, max_distance_bits + 1))


class FaissMultiHashIndex(Index):
    """`IndexBinaryMultiHash` with 16 chunks of 16 bits, one bit flipped, for 256-bit values.

    What Meta's Hasher-Matcher-Actioner runs. Nothing can be taken out of one.
    """

    _CHUNKS: Final = 16
    _FLIPS: Final = 1
    # Pigeonhole: who differs by two bits in each chunk differs by 32.
    _EXACT_WITHIN_BITS: Final = _CHUNKS * (_FLIPS + 1) - 1

    def __init__(self, values: npt.NDArray[np.uint8]) -> None:
        self._size_bytes = values.shape[1]
        self._hashed: Any = faiss.IndexBinaryMultiHash(
            self._size_bytes * 8, self._CHUNKS, self._size_bytes * 8 // self._CHUNKS
        )
        self._hashed.nflip = self._FLIPS
        self._hashed.add(np.ascontiguousarray(values))

    @classmethod
    def build(cls, values: npt.NDArray[np.uint8]) -> Self:
        """See `Index.build`; FAISS copies the values."""
        return cls(values)

    def __len__(self) -> int:
        return int(self._hashed.ntotal)

    def query_ns(self, max_distance_bits: int) -> float:
        """See `Index.query_ns`."""
        return len(self) * _MULTI_HASH_ROW_NS

    def search(
        self,
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int,
        max_hits: int = ALL_HITS,
    ) -> Hits:
        """See `Index.search`; beyond what its buckets find it compares every row."""
        queries = check_queries(queries, self._size_bytes, max_distance_bits)
        if not len(self):
            return NO_HITS
        _use_one_thread()
        is_near = max_distance_bits <= self._EXACT_WITHIN_BITS
        index: Any = self._hashed if is_near else self._hashed.storage
        return _hits(*index.range_search(queries, max_distance_bits + 1))


def _use_one_thread() -> None:
    """Makes searches of the calling thread stay in it.

    A server is kept busy by many searches, and OpenMP's team costs more to wake than a
    small list takes to scan. It takes 0.1 us to say so each time.
    """
    faiss.omp_set_num_threads(1)


def _hits(
    bounds: npt.NDArray[np.uint64],
    distances: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
) -> Hits:
    counts: npt.NDArray[np.int64] = np.diff(bounds).astype(np.int64)
    return Hits(np.repeat(np.arange(len(counts)), counts), rows, distances.astype(np.int64))
