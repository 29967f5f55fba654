"""The report of what was not taken: where and why, never the value."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from indexer.feeds.reading import Place

MAX_SHOWN: Final = 10
HEADER: Final = ("place", "outcome", "reason")


class Outcome(StrEnum):
    """What was not taken.

    Attributes:
        REJECTED: the whole item.
        LEFT_OUT: one hash of an item whose others were taken.
        PASSED_OVER: a file of a folder that nobody asked for; nothing is wrong with it.
    """

    REJECTED = "rejected"
    LEFT_OUT = "left out"
    PASSED_OVER = "passed over"


class Rejects:
    """Counts what was not taken, remembers the first few, and writes all of it to a file."""

    def __init__(self, write_row: Callable[[list[str]], object] | None = None) -> None:
        """Takes what writes a row of the file, or None for no file."""
        self._write_row = write_row
        self.counts = dict.fromkeys(Outcome, 0)
        self.first: list[str] = []
        self.first_passed_over: list[str] = []
        if write_row is not None:
            write_row([*HEADER])

    def add(self, place: Place, outcome: Outcome, reason: str) -> None:
        """Notes one item or hash."""
        self.counts[outcome] += 1
        where = f"line {place}" if isinstance(place, int) else printable(place)
        if outcome is Outcome.PASSED_OVER:
            if len(self.first_passed_over) < MAX_SHOWN:
                self.first_passed_over.append(f"{where} ({reason})")
        elif len(self.first) < MAX_SHOWN:
            self.first.append(f"{where}: {outcome}: {reason}")
        if self._write_row is not None:
            self._write_row([printable(str(place)), outcome, reason])

    @property
    def total(self) -> int:
        """Items and hashes that were not taken, though they were asked for."""
        return self.counts[Outcome.REJECTED] + self.counts[Outcome.LEFT_OUT]


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
