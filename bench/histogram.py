"""Latencies in an HdrHistogram: mergeable, small, exact to three digits at every percentile."""

from collections.abc import Iterable, Sequence
from typing import Final, Self

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

from bench.run_file import PERCENTILES, Row

_MOST_NS: Final = 120_000_000_000
_DIGITS: Final = 3


class Histogram:
    """Durations of a run, in nanoseconds."""

    def __init__(self) -> None:
        self._found = HdrHistogram(1, _MOST_NS, _DIGITS)

    @classmethod
    def merged(cls, encoded: Iterable[str]) -> Self:
        """All of some encoded ones together."""
        found = cls()
        for text in encoded:
            found._found.decode_and_add(text)
        return found

    @property
    def count(self) -> int:
        """How many."""
        return int(self._found.get_total_count())

    def record_all(self, durations_ns: Sequence[int]) -> None:
        """Adds durations; what is off the scale counts as the most."""
        for duration_ns in durations_ns:
            self._found.record_value(min(max(duration_ns, 1), _MOST_NS))

    def at_us(self, percentile: float) -> float:
        """The duration that so many percent do not exceed, in microseconds."""
        return float(self._found.get_value_at_percentile(percentile)) / 1000

    def encoded(self) -> str:
        """As text, in HdrHistogram's own compressed form."""
        return bytes(self._found.encode()).decode("ascii")

    def row(self) -> Row:
        """Percentiles as `run_file.percentiles` names them, and all of it."""
        named: Row = {f"p{p:g}_us": self.at_us(p) for p in PERCENTILES}
        return named | {
            "max_us": self.at_us(100),
            "count": self.count,
            "histogram": self.encoded(),
        }
