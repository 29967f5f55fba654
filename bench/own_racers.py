"""The racers that run in this project's environment: ours, FAISS and usearch.

Run as `python -m bench.own_racers NAME`, see `racer`.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from usearch.compiled import MetricKind, ScalarKind
from usearch.index import Index as GraphIndex

from bench.racer import Racer, Values, serve
from bench.workload import BITS, MAX_DISTANCE_BITS
from engine.faiss_index import FaissFlatIndex, FaissMultiHashIndex
from engine.index import Index
from engine.mih_index import MihIndex


class EngineRacer(Racer):
    """An index of the engine, by its public path: `Index.search`."""

    def __init__(self, index_type: type[Index], values: Values) -> None:
        self._index = index_type.build(values)

    def prepared(self, queries: Values) -> Sequence[Any]:
        """Arrays of one row."""
        return list(queries[:, np.newaxis])

    def search(self, query: Any) -> Any:  # noqa: ANN401
        """See `Racer.search`."""
        return self._index.search(query, MAX_DISTANCE_BITS)

    def search_batch(self, queries: Sequence[Any]) -> None:
        """See `Racer.search_batch`."""
        self._index.search(np.concatenate(queries), MAX_DISTANCE_BITS)

    def rows(self, query: Any) -> Iterable[int]:  # noqa: ANN401
        """See `Racer.rows`."""
        found: list[int] = self.search(query).rows.tolist()
        return found


class UsearchRacer(Racer):
    """usearch's HNSW over bits, with its own defaults: approximate, and without a radius.

    The nearest ten are asked for; a list where more are within 31 bits costs it recall.
    """

    _NEAREST: Final = 10

    def __init__(self, values: Values) -> None:
        self._graph = GraphIndex(ndim=BITS, metric=MetricKind.Hamming, dtype=ScalarKind.B1)
        if len(values):
            self._graph.add(np.arange(len(values)), np.ascontiguousarray(values))

    def prepared(self, queries: Values) -> Sequence[Any]:
        """Rows."""
        return list(queries)

    def search(self, query: Any) -> Any:  # noqa: ANN401
        """See `Racer.search`."""
        return self._graph.search(query, self._NEAREST, threads=1)

    def search_batch(self, queries: Sequence[Any]) -> None:
        """See `Racer.search_batch`."""
        self._graph.search(np.array(queries), self._NEAREST, threads=1)

    def rows(self, query: Any) -> Iterable[int]:  # noqa: ANN401
        """See `Racer.rows`."""
        found = self.search(query)
        near: list[int] = found.keys[found.distances <= MAX_DISTANCE_BITS].tolist()
        return near


_MAKERS: Final[dict[str, Callable[[Values], Racer]]] = {
    "mih": lambda values: EngineRacer(MihIndex, values),
    "flat": lambda values: EngineRacer(FaissFlatIndex, values),
    "multihash": lambda values: EngineRacer(FaissMultiHashIndex, values),
    "usearch": UsearchRacer,
}

if __name__ == "__main__":
    serve(_MAKERS[sys.argv[1]])
