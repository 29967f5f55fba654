"""Searches a layer for the hashes of an item, within bounds whatever was listed or asked.

A hash that matches so much that it says nothing is *common*: that of a blank page, of a test card.
It is told by the different items that it hits within their banks' limits, so neither one long
video of a still nor what a disabled bank lists makes a hash common.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.index import ALL_HITS
from engine.layer import NOTHING_FOUND, Found, Layer
from engine.question import Question

# From so many hits on a query is left and looked at more closely. A picture that is listed a
# thousand times over, with all its crops, stays under it.
COMMON_HITS: Final = 16_384
COMMON_ITEMS: Final = 1_024
# Queries searched together, and hits kept of one item: what is asked after that is left, as common.
SLICE_QUERIES: Final = 64
_MAX_HITS: Final = 1_000_000
# How many queries of an item that are over `COMMON_HITS` but not common are searched whole.
_WHOLE_SEARCHES: Final = 4


def most_hits(*, is_bounded: bool) -> int:
    """How many hits of one search are looked at before it is asked whether they say anything."""
    return COMMON_HITS if is_bounded else ALL_HITS


@dataclass(slots=True)
class Search:
    """One search of one hash type for one item.

    Attributes:
        layer: what is searched.
        max_distance_bits: the widest limit of any bank.
        limits_bits: int32, shape (b,): each bank's own limit, by bank id.
        is_bounded: leave queries that hit too much. Exact hashes are never too common.
        common: the numbers of the queries that say nothing.
    """

    layer: Layer
    max_distance_bits: int
    limits_bits: npt.NDArray[np.int32]
    is_bounded: bool
    common: set[int] = field(default_factory=set)
    _whole_searches: int = 0

    def run(self, question: Question) -> Found:
        """What the queries hit within the limits of the banks; of common ones nothing."""
        queries = question.queries()
        if len(queries) <= SLICE_QUERIES:
            return self._slice(queries, 0)
        parts, total = [], 0
        for begin in range(0, len(queries), SLICE_QUERIES):
            if total > _MAX_HITS:
                self.common.update(range(begin, len(queries)))
                break
            found = self._slice(queries[begin : begin + SLICE_QUERIES], begin)
            if len(found):
                parts.append(found)
                total += len(found)
        return Found.concat(parts)

    def _slice(self, queries: npt.NDArray[np.uint8], begin: int) -> Found:
        """The same of some of the queries, the first of which is number `begin`."""
        max_hits = most_hits(is_bounded=self.is_bounded)
        found = self.layer.search(queries, self.max_distance_bits, max_hits)
        if found is NOTHING_FOUND:
            return found
        if len(found) > max_hits:
            found = self._without_common(queries, found, begin)
        found = self._within(found)
        return found.shifted(begin) if begin else found

    def _within(self, found: Found) -> Found:
        within = found.distances_bits <= self.limits_bits[found.bank_ids]
        return found if within.all() else found.select(within)

    def _without_common(self, queries: npt.NDArray[np.uint8], found: Found, begin: int) -> Found:
        counts = np.bincount(found.queries, minlength=len(queries))
        flooded = counts > COMMON_HITS
        parts = [found.select(~flooded[found.queries])]
        for query in np.flatnonzero(flooded).tolist():
            own = self._within(found.select(found.queries == query))
            is_common = len(np.unique(own.item_ids)) > COMMON_ITEMS
            if is_common or self._whole_searches >= _WHOLE_SEARCHES:
                self.common.add(begin + query)
                continue
            self._whole_searches += 1
            whole = self.layer.search(queries[query : query + 1], self.max_distance_bits)
            parts.append(whole.shifted(query))
        return Found.concat(parts)
