"""The entries of one hash type, searchable: a few parts, each far smaller than the one before.

New entries become a part at the end, and neighbours are joined until every part has
more than eight times the rows of the next. So a list of any length has few parts, a
change is indexed at once, and an entry is indexed anew only some eight times for
each factor of eight that the list grows by. Beside each part is a mask of what is still
listed, copied with every withdrawal.

The first part may come from a segment on disk. It is *frozen*: entries are masked out of it,
but it is never joined or indexed anew here; that is the builder's business.

A layer never changes; `advance` makes the next one and shares what stayed the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.entries import NO_POSITION, Columns, IdRange
from engine.index import ALL_HITS, NO_HITS, Hits, Index

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
        distances_bits: int64, shape (k,).
        entry_ids: uint64, shape (k,).
        item_ids: uint64, shape (k,).
        bank_ids: uint16, shape (k,).
        media_types: uint8, shape (k,), as `Columns` has it.
        positions: uint32, shape (k,), as `Columns` has it.
    """

    queries: npt.NDArray[np.int64]
    distances_bits: npt.NDArray[np.int64]
    entry_ids: npt.NDArray[np.uint64]
    item_ids: npt.NDArray[np.uint64]
    bank_ids: npt.NDArray[np.uint16]
    media_types: npt.NDArray[np.uint8]
    positions: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.queries)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The columns by name, as the constructor takes them."""
        return {column.name: getattr(self, column.name) for column in fields(self)}

    def select(self, rows: npt.NDArray[np.bool_]) -> "Found":
        """Those at `rows`."""
        return Found(**{name: column[rows] for name, column in self.arrays().items()})

    def shifted(self, by: int) -> "Found":
        """The same, each query numbered higher."""
        return replace(self, queries=self.queries + by)

    @classmethod
    def concat(cls, parts: Sequence["Found"]) -> "Found":
        """All of them together; of none, `NOTHING_FOUND`."""
        if len(parts) <= 1:
            return parts[0] if parts else NOTHING_FOUND
        columns = [part.arrays() for part in parts]
        return cls(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})


NOTHING_FOUND: Final = Found(
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.uint64),
    np.empty(0, np.uint64),
    np.empty(0, np.uint16),
    np.empty(0, np.uint8),
    np.empty(0, np.uint32),
)


@dataclass(frozen=True, slots=True)
class Part:
    """Indexed entries, and which of them are still listed.

    Attributes:
        columns: the entries.
        index: over their values.
        alive: bool, shape (n,): which are still listed.
        dead_count: how many are not.
        is_frozen: it comes from a segment.
    """

    columns: Columns
    index: Index
    alive: npt.NDArray[np.bool_]
    dead_count: int = 0
    is_frozen: bool = False

    @classmethod
    def of(cls, columns: Columns, choose: Chooser) -> "Part":
        """Indexes entries."""
        index = choose(len(columns)).build(columns.values)
        return cls(columns, index, np.ones(len(columns), np.bool_))

    @classmethod
    def frozen(cls, columns: Columns, index: Index) -> "Part":
        """Entries that are indexed already, as a segment has them."""
        return cls(columns, index, np.ones(len(columns), np.bool_), is_frozen=True)

    def __len__(self) -> int:
        return len(self.columns) - self.dead_count

    def without(self, ranges: Sequence[IdRange]) -> tuple["Part", Columns]:
        """The part less the entries in `ranges`, and those entries."""
        if not ranges:  # most changes only add
            return self, self.columns.none()
        rows = self.columns.rows_in(ranges)
        rows = rows[self.alive[rows]]
        if not len(rows):
            return self, self.columns.select(rows)
        alive = self.alive.copy()
        alive[rows] = False
        part = replace(self, alive=alive, dead_count=self.dead_count + len(rows))
        return part, self.columns.select(rows)

    def is_to_be_swept(self) -> bool:
        """Whether so much is dead that indexing the rest anew is worth it."""
        most = max(_SMALL_ROWS, len(self.columns) // _RATIO)
        return self.dead_count > most and not self.is_frozen

    def listed(self) -> Columns:
        """The entries that are still listed."""
        return self.columns.select(self.alive) if self.dead_count else self.columns

    def hits(self, queries: npt.NDArray[np.uint8], max_distance_bits: int, max_hits: int) -> Hits:
        """Rows of entries that are still listed; see `Layer.search`."""
        if not len(self):
            return NO_HITS
        # A query that is left early may have met only dead entries by then.
        hits = self.index.search(queries, max_distance_bits, max_hits + self.dead_count)
        return hits.select(self.alive[hits.rows]) if self.dead_count and len(hits) else hits

    def search(
        self, queries: npt.NDArray[np.uint8], max_distance_bits: int, max_hits: int
    ) -> Found:
        """See `Layer.search`."""
        hits = self.hits(queries, max_distance_bits, max_hits)
        if not len(hits):
            return NOTHING_FOUND
        rows, columns = hits.rows, self.columns
        return Found(
            hits.queries,
            hits.distances_bits,
            columns.entry_ids[rows],
            columns.item_ids[rows],
            columns.bank_ids[rows],
            columns.media_types[rows],
            columns.positions[rows],
        )


@dataclass(frozen=True, slots=True)
class Layer:
    """The listed entries of one hash type at one checkpoint; immutable.

    Attributes:
        parts: from the oldest and largest to the newest and smallest; at least one.
        choose: what to search a part with.
    """

    parts: tuple[Part, ...]
    choose: Chooser

    @classmethod
    def of(cls, columns: Columns, choose: Chooser) -> "Layer":
        """Indexes entries.

        Args:
            columns: the entries, ascending by id.
            choose: what to search a part with.
        """
        return cls((Part.of(columns, choose),), choose)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def query_ns(self, max_distance_bits: int) -> float:
        """About how long one query within a distance takes."""
        return sum(part.index.query_ns(max_distance_bits) for part in self.parts)

    def loose_count(self) -> int:
        """How many rows a new segment would take up or leave out."""
        return sum(part.dead_count if part.is_frozen else len(part) for part in self.parts)

    def listed(self) -> Columns:
        """The entries that are listed, ascending by id."""
        return Columns.concat([part.listed() for part in self.parts])

    def extent(self, item_id: int) -> int:
        """How many frames, pages or chunks of an item are listed here.

        Hashes of the same position are of one; of no position, each is one.
        """
        for part in self.parts:
            ids = part.columns.item_ids
            key = np.uint64(item_id)
            begin, end = (int(ids.searchsorted(key, side)) for side in ("left", "right"))
            if begin < end:
                positions = part.columns.positions[begin:end]
                placed = positions[positions != NO_POSITION]
                return len(np.unique(placed)) + len(positions) - len(placed)
        return 0

    def advance(self, removed: Sequence[IdRange], added: Columns) -> tuple["Layer", Columns]:
        """The layer after a delta.

        Args:
            removed: sorted; ids that this layer does not have are ignored.
            added: entries whose ids are larger than any that this layer ever had.

        Returns:
            the layer, and the entries that were taken out.
        """
        if not removed and not len(added):
            return self, added
        parts, taken = [], []
        for part in self.parts:
            rest, gone = part.without(removed)
            parts.append(rest)
            taken.append(gone)
        return Layer(self._joined(parts, added), self.choose), Columns.concat(taken)

    def _joined(self, parts: list[Part], added: Columns) -> tuple[Part, ...]:
        """The parts with what is new, joined and swept where that is worth it."""
        new, new_count = [added], len(added)
        # What is joined is collected first, so that nothing is indexed twice on the way.
        while parts and new_count and self._is_to_be_joined(parts[-1], new_count):
            last = parts.pop()
            new.insert(0, last.listed())
            new_count += len(last)
        kept = [
            Part.of(part.listed(), self.choose) if part.is_to_be_swept() else part for part in parts
        ]
        if new_count or not kept:
            kept.append(Part.of(Columns.concat(new), self.choose))
        return tuple(kept)

    def _is_to_be_joined(self, part: Part, new_count: int) -> bool:
        return not part.is_frozen and len(part) <= max(_SMALL_ROWS, _RATIO * new_count)

    def search(
        self, queries: npt.NDArray[np.uint8], max_distance_bits: int, max_hits: int = ALL_HITS
    ) -> Found:
        """Finds every listed entry within the distance (inclusive) of each query.

        Args:
            queries: uint8, shape (q, size_bytes).
            max_distance_bits: as `Index.search`.
            max_hits: as `Index.search`.
        """
        found = []
        for part in self.parts:
            own = part.search(queries, max_distance_bits, max_hits)
            if own is not NOTHING_FOUND:
                found.append(own)
        return Found.concat(found)
