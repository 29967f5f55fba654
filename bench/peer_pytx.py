"""python-threatexchange's PDQ index as a racer, in an environment of its own (see `peers`).

Its interface is hexadecimal text in and match objects out, so that is what is timed. It uses
FAISS' `IndexBinaryMultiHash` below.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from threatexchange.signal_type.pdq.pdq_index import PDQIndex  # type: ignore[import-not-found]

from bench.racer import Racer, Values, serve


class PytxRacer(Racer):
    """`PDQIndex`, which its exchange and HMA search; within 31 bits by itself."""

    def __init__(self, values: Values) -> None:
        entries = ((row.tobytes().hex(), number) for number, row in enumerate(values))
        self._index = PDQIndex(entries)

    def prepared(self, queries: Values) -> Sequence[Any]:
        """Hexadecimal texts."""
        return [row.tobytes().hex() for row in queries]

    def search(self, query: Any) -> Any:  # noqa: ANN401
        """See `Racer.search`."""
        return self._index.query(query)

    def search_batch(self, queries: Sequence[Any]) -> None:
        """One by one: its index has no other way."""
        for query in queries:
            self._index.query(query)

    def rows(self, query: Any) -> Iterable[int]:  # noqa: ANN401
        """See `Racer.rows`."""
        return [match.metadata for match in self._index.query(query)]


if __name__ == "__main__":
    serve(PytxRacer)
