"""The entries of one hash type, searchable: a large part that rests and a small one that grows.

    base   every entry up to some checkpoint       rebuilt seldom
    tail   the entries added since                 rebuilt with every delta, so kept small
    alive  beside each, a mask of what is listed   copied with every withdrawal

A layer never changes; `advance` makes the next one and shares what stayed the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.entries import Columns, IdRange
from engine.index import Hits, Index

# The tail is folded into the base when it outgrows an eighth of it, so an entry is
# indexed anew at most some nine times over a list's growth; under 4,096 entries
# a rebuild costs less than noticing. Dead entries are swept out by the same measure.
_FOLD_FRACTION: Final = 8
_FOLD_AT_LEAST: Final = 4_096


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


@dataclass(frozen=True, slots=True)
class _Part:
    """Indexed entries, and which of them are still listed."""

    columns: Columns
    index: Index
    alive: npt.NDArray[np.bool_]
    dead_count: int = 0

    @classmethod
    def of(cls, columns: Columns, index_type: type[Index]) -> "_Part":
        return cls(columns, index_type.build(columns.values), np.ones(len(columns), np.bool_))

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

    def listed(self) -> Columns:
        """The entries that are still listed."""
        return self.columns.select(self.alive) if self.dead_count else self.columns

    def search(self, queries: npt.NDArray[np.uint8], max_distance_bits: int) -> Found:
        hits = self.index.search(queries, max_distance_bits)
        if self.dead_count:
            alive = self.alive[hits.rows]
            hits = Hits(hits.queries[alive], hits.rows[alive], hits.distances_bits[alive])
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
    """The listed entries of one hash type at one checkpoint; immutable."""

    base: _Part
    tail: _Part
    index_type: type[Index]

    @classmethod
    def of(cls, columns: Columns, index_type: type[Index]) -> "Layer":
        """Indexes entries.

        Args:
            columns: the entries, ascending by id.
            index_type: what to search them with.
        """
        nothing = columns.select(np.empty(0, np.int64))
        return cls(_Part.of(columns, index_type), _Part.of(nothing, index_type), index_type)

    def __len__(self) -> int:
        return len(self.base) + len(self.tail)

    def advance(self, removed: Sequence[IdRange], added: Columns) -> tuple["Layer", Columns]:
        """The layer after a delta.

        Args:
            removed: sorted; ids that this layer does not have are ignored.
            added: entries whose ids are larger than any that this layer ever had.

        Returns:
            the layer, and the entries that were taken out.
        """
        base, base_removed = self.base.without(removed)
        tail, tail_removed = self.tail.without(removed)
        if len(added):
            tail = _Part.of(tail.listed().concat(added), self.index_type)
        layer = replace(self, base=base, tail=tail).folded()
        return layer, base_removed.concat(tail_removed)

    def folded(self) -> "Layer":
        """The same entries as one part, once tail and dead entries are worth a rebuild."""
        loose = len(self.tail.columns) + self.base.dead_count
        if loose <= max(_FOLD_AT_LEAST, len(self.base.columns) // _FOLD_FRACTION):
            return self
        return Layer.of(self.base.listed().concat(self.tail.listed()), self.index_type)

    def search(self, queries: npt.NDArray[np.uint8], max_distance_bits: int) -> Found:
        """Finds every listed entry within the distance (inclusive) of each query.

        Args:
            queries: uint8, shape (q, size_bytes).
            max_distance_bits: as `Index.search`.
        """
        found = self.base.search(queries, max_distance_bits)
        if len(self.tail.columns):
            found = found.concat(self.tail.search(queries, max_distance_bits))
        return found
