"""The report of what was not taken: where and why, never the value."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from indexer.feeds.reading import Place

MAX_SHOWN: Final = 10


class Outcome(StrEnum):
    """What was not taken.

    Attributes:
        REJECTED: the whole item.
        LEFT_OUT: one hash of an item whose others were taken.
    """

    REJECTED = "rejected"
    LEFT_OUT = "left out"


class Rejects:
    """Counts what was not taken, remembers the first few, and writes all of it to a file."""

    def __init__(self, write_row: Callable[[list[str]], object] | None = None) -> None:
        """Takes what writes a row of the file, or None for no file."""
        self._write_row = write_row
        self.counts = dict.fromkeys(Outcome, 0)
        self.first: list[str] = []
        if write_row is not None:
            write_row(["place", "outcome", "reason"])

    def add(self, place: Place, outcome: Outcome, reason: str) -> None:
        """Notes one item or hash."""
        self.counts[outcome] += 1
        if len(self.first) < MAX_SHOWN:
            where = f"line {place}" if isinstance(place, int) else printable(place)
            self.first.append(f"{where}: {outcome}: {reason}")
        if self._write_row is not None:
            self._write_row([printable(str(place)), outcome, reason])

    @property
    def total(self) -> int:
        """Items and hashes that were not taken."""
        return sum(self.counts.values())


@contextmanager
def reporting(path: Path | None) -> Iterator[Rejects]:
    """A report, written to a file when there is a path."""
    if path is None:
        yield Rejects()
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        yield Rejects(csv.writer(stream, lineterminator="\n").writerow)


def printable(text: str) -> str:
    """A text with whatever could steer a terminal, or is not Unicode, written out."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
