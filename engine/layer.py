"""The entries of one hash type, searchable: a few parts, each far smaller than the one before.

New entries become a part at the end, and neighbours are joined until every part has
more than eight times the rows of the next. So a list of any length has few parts, a
change is indexed at once, and an entry is indexed anew only some eight times for
each factor of eight that the list grows by. Beside each part is a mask of what is still
listed, copied with every withdrawal.

A layer never changes; `advance` makes the next one and shares what stayed the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.entries import Columns, IdRange
from engine.index import Hits, Index

_RATIO: Final = 8
# Under so many rows, indexing them anew costs less than searching one part more.
_SMALL_ROWS: Final = 4_096

Chooser = Callable[[int], type[Index]]
"""Says what to search a part with, given its number of rows."""


@dataclass(frozen=True, slots=True)
class Found:
    """Listed entries within the distance that was searched, in no particular order.

    Attributes:
        queries: int64, shape (k,): which query.
        distances_bits: int32, shape (k,).
        entry_ids: uint64, shape (k,).
        item_ids: uint64, shape (k,).
        bank_ids: uint16, shape (k,).
    """

    queries: npt.NDArray[np.int64]
    distances_bits: npt.NDArray[np.int32]
    entry_ids: npt.NDArray[np.uint64]
    item_ids: npt.NDArray[np.uint64]
    bank_ids: npt.NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.queries)

    def select(self, rows: npt.NDArray[np.bool_]) -> "Found":
        """Those at `rows`."""
        return Found(
            self.queries[rows],
            self.distances_bits[rows],
            self.entry_ids[rows],
            self.item_ids[rows],
            self.bank_ids[rows],
        )

    def concat(self, other: "Found") -> "Found":
        """These and the other's."""
        return Found(
            np.concatenate([self.queries, other.queries]),
            np.concatenate([self.distances_bits, other.distances_bits]),
            np.concatenate([self.entry_ids, other.entry_ids]),
            np.concatenate([self.item_ids, other.item_ids]),
            np.concatenate([self.bank_ids, other.bank_ids]),
        )


_NOTHING: Final = Found(
    np.empty(0, np.int64),
    np.empty(0, np.int32),
    np.empty(0, np.uint64),
    np.empty(0, np.uint64),
    np.empty(0, np.uint16),
)


@dataclass(frozen=True, slots=True)
class _Part:
    """Indexed entries, and which of them are still listed."""

    columns: Columns
    index: Index
    alive: npt.NDArray[np.bool_]
    dead_count: int = 0

    @classmethod
    def of(cls, columns: Columns, choose: Chooser) -> "_Part":
        index = choose(len(columns)).build(columns.values)
        return cls(columns, index, np.ones(len(columns), np.bool_))

    def __len__(self) -> int:
        return len(self.columns) - self.dead_count

    def without(self, ranges: Sequence[IdRange]) -> tuple["_Part", Columns]:
        """The part less the entries in `ranges`, and those entries."""
        rows = self.columns.rows_in(ranges)
        rows = rows[self.alive[rows]]
        if not len(rows):
            return self, self.columns.select(rows)
        alive = self.alive.copy()
        alive[rows] = False
        part = replace(self, alive=alive, dead_count=self.dead_count + len(rows))
        return part, self.columns.select(rows)

    def is_mostly_dead(self) -> bool:
        """Whether sweeping it out is worth indexing the rest anew."""
        return self.dead_count > max(_SMALL_ROWS, len(self.columns) // _RATIO)

    def listed(self) -> Columns:
        """The entries that are still listed."""
        return self.columns.select(self.alive) if self.dead_count else self.columns

    def search(self, queries: npt.NDArray[np.uint8], max_distance_bits: int) -> Found:
        if not len(self):
            return _NOTHING
        hits = self.index.search(queries, max_distance_bits)
        if self.dead_count:
            alive = self.alive[hits.rows]
            hits = Hits(hits.queries[alive], hits.rows[alive], hits.distances_bits[alive])
        if not len(hits):
            return _NOTHING
        rows, columns = hits.rows, self.columns
        return Found(
            hits.queries,
            hits.distances_bits,
            columns.entry_ids[rows],
            columns.item_ids[rows],
            columns.bank_ids[rows],
        )


@dataclass(frozen=True, slots=True)
class Layer:
    """The listed entries of one hash type at one checkpoint; immutable.

    Attributes:
        parts: from the oldest and largest to the newest and smallest; at least one.
        choose: what to search a part with.
    """

    parts: tuple[_Part, ...]
    choose: Chooser

    @classmethod
    def of(cls, columns: Columns, choose: Chooser) -> "Layer":
        """Indexes entries.

        Args:
            columns: the entries, ascending by id.
            choose: what to search a part with.
        """
        return cls((_Part.of(columns, choose),), choose)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def query_ns(self) -> float:
        """About how long one query takes."""
        return sum(part.index.query_ns for part in self.parts)

    def advance(self, removed: Sequence[IdRange], added: Columns) -> tuple["Layer", Columns]:
        """The layer after a delta.

        Args:
            removed: sorted; ids that this layer does not have are ignored.
            added: entries whose ids are larger than any that this layer ever had.

        Returns:
            the layer, and the entries that were taken out.
        """
        parts, taken = [], []
        for part in self.parts:
            rest, gone = part.without(removed)
            parts.append(rest)
            taken.append(gone)
        layer = Layer(self._joined(parts, added), self.choose)
        return layer, reduce(Columns.concat, taken)

    def _joined(self, parts: list[_Part], added: Columns) -> tuple[_Part, ...]:
        """The parts with what is new, joined and swept where that is worth it."""
        new = added
        # What is joined is collected first, so that nothing is indexed twice on the way.
        while parts and len(new) and len(parts[-1]) <= max(_SMALL_ROWS, _RATIO * len(new)):
            new = parts.pop().listed().concat(new)
        kept = [
            _Part.of(part.listed(), self.choose) if part.is_mostly_dead() else part
            for part in parts
        ]
        if len(new) or not kept:
            kept.append(_Part.of(new, self.choose))
        return tuple(kept)

    def search(self, queries: npt.NDArray[np.uint8], max_distance_bits: int) -> Found:
        """Finds every listed entry within the distance (inclusive) of each query.

        Args:
            queries: uint8, shape (q, size_bytes).
            max_distance_bits: as `Index.search`.
        """
        found = self.parts[0].search(queries, max_distance_bits)
        for part in self.parts[1:]:
            more = part.search(queries, max_distance_bits)
            if len(more):
                found = found.concat(more)
        return found
