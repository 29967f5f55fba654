"""Exact search in plain numpy: the oracle that every other index is tested against."""

from typing import Final, Self

import numpy as np
import numpy.typing as npt

from engine.index import ALL_HITS, Hits, Index, check_queries

# 4 MiB of XORed words at a time: stays in the cache and bounds the memory of a query.
_CHUNK_WORDS: Final = 1 << 19
_ROW_NS: Final = 20.0  # measured: 32 bytes XORed, counted and compared


class ExactIndex(Index):
    """Compares each query with every row."""

    def __init__(self, values: npt.NDArray[np.uint8]) -> None:
        self._size_bytes = values.shape[1]
        self._words = np.ascontiguousarray(values).view(np.uint64)

    @classmethod
    def build(cls, values: npt.NDArray[np.uint8]) -> Self:
        """See `Index.build`; `size_bytes` is a multiple of 8."""
        return cls(values)

    def __len__(self) -> int:
        return len(self._words)

    def query_ns(self, max_distance_bits: int) -> float:
        """See `Index.query_ns`."""
        return len(self) * _ROW_NS

    def search(
        self,
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int,
        max_hits: int = ALL_HITS,
    ) -> Hits:
        """See `Index.search`."""
        queries = check_queries(queries, self._size_bytes, max_distance_bits)
        found = [
            self._search_one(number, words, max_distance_bits)
            for number, words in enumerate(queries.view(np.uint64))
        ]
        return Hits.concat(found)

    def _search_one(
        self, number: int, words: npt.NDArray[np.uint64], max_distance_bits: int
    ) -> Hits:
        step = max(1, _CHUNK_WORDS // self._words.shape[1])
        found = []
        for start in range(0, len(self._words), step):
            differing = np.bitwise_count(self._words[start : start + step] ^ words)
            distances = differing.sum(axis=1, dtype=np.int64)
            rows = np.flatnonzero(distances <= max_distance_bits)
            found.append(Hits(np.full(len(rows), number), rows + start, distances[rows]))
        return Hits.concat(found)
