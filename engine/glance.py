"""The short way to a verdict, for hashes of which one hit makes a match by itself.

Most checks are of a picture that nothing is near to, or whose own hash is listed. For those it is
enough to know the nearest hit in a known and in a cleared bank, which one compiled loop finds;
nothing is collected of the listed items. Whenever more than that could matter, a glance says
nothing and all hits are weighed (`evidence`). Both ways come to the same verdict.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

import numpy as np

from engine.bound_search import MOST_HITS
from engine.errors import CorruptError
from engine.evidence import makes_match_alone
from engine.hashes import SPECS, HashType, Item, MediaType
from engine.index import Bound
from engine.layer import Layer, Part
from engine.limits import Limits
from engine.policy import Rules
from engine.search import SLICE_QUERIES, most_hits
from engine.tally import NO_MEDIA, NOTHING, Distances, Rows, nearest
from engine.verdict import Nearness

Nearest = tuple[Nearness | None, Nearness | None]
"""The nearest match in a known and in a cleared bank."""

_DOCUMENT: Final = int(MediaType.DOCUMENT)  # plain, for compiled code
_NONE: Final[Distances] = (NOTHING, NOTHING)
# Hits of all hash types are ranked by one number each: distances of look-alikes lie beyond this,
# those of equal files are 0.
_ALIKE: Final = 1 << 16


Finder = Callable[[bytes], Distances | None]
"""The nearest hits of values that are put one after the other; None when there are too many."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One part of the list, ready to be looked at.

    Attributes:
        part: the entries.
        rows: of the part.
        bound: the search that was handed both, where its index has one.
    """

    part: Part
    rows: Rows
    bound: Bound | None

    @classmethod
    def of(cls, part: Part, limits: Limits) -> "_Look":
        """Makes it.

        Raises:
            CorruptError: an entry is of no bank; the loops look a bank's limit up by its id.
        """
        columns = part.columns
        if int(columns.bank_ids.max()) >= len(limits.distance_bits):
            raise CorruptError("an entry is of a bank that there is not")
        rows = Rows(
            columns.bank_ids, columns.media_types, part.alive, limits.distance_bits, limits.known
        )
        return cls(part, rows, part.index.bind(limits.max_distance_bits, rows))

    def finder(self, passed_over: int, max_distance_bits: int, max_hits: int) -> Finder:
        """What finds the nearest hits, of `max_hits` at most; of fewer if bound."""
        if self.bound is not None and max_hits >= MOST_HITS:
            return partial(self.bound.nearest, passed_over)
        return partial(self._nearest, passed_over, max_distance_bits, max_hits)

    def _nearest(
        self, passed_over: int, max_distance_bits: int, max_hits: int, values: bytes
    ) -> Distances | None:
        size_bytes = self.part.columns.values.shape[1]
        queries = np.frombuffer(values, np.uint8).reshape(-1, size_bytes)
        hits = self.part.hits(queries, max_distance_bits, max_hits)
        if not len(hits):
            return _NONE
        if len(hits) > max_hits:
            return None
        return nearest(hits.rows, hits.distances_bits, *self.rows, passed_over)


@dataclass(frozen=True, slots=True)
class _Aim:
    """What the hashes of one type in items of one media type are looked up in, and what for.

    Attributes:
        finders: one for each part of the list.
        is_alone: whether one hit makes a match by itself.
        rank: of a hit at no distance.
    """

    finders: list[Finder]
    is_alone: bool
    rank: int

    @classmethod
    def of(
        cls, media_type: MediaType, hash_type: HashType, looks: list[_Look], limits: Limits
    ) -> "_Aim":
        """Arranges it; there is at least one part."""
        is_alone = makes_match_alone(media_type, hash_type)
        passed_over = _DOCUMENT if is_alone and hash_type is HashType.PDQ else NO_MEDIA
        # Together no more than makes one ask whether they say anything.
        max_hits = most_hits(is_bounded=limits.is_bounded) // len(looks)
        finders = [look.finder(passed_over, limits.max_distance_bits, max_hits) for look in looks]
        return cls(finders, is_alone, _ALIKE if SPECS[hash_type].perceptual else 0)


class Glance:
    """The list of a snapshot, ready to be looked at."""

    def __init__(
        self,
        layers: Mapping[HashType, Layer],
        limits: Mapping[HashType, Limits],
        rules: Rules,
        before: "Glance | None" = None,
    ) -> None:
        """Hands the searches what they look at.

        Args:
            layers: the list.
            limits: of the banks, for each hash type that is searched.
            rules: of the banks.
            before: of the snapshot before, with the same limits; what it has is not made anew.

        Raises:
            CorruptError: an entry is of no bank.
        """
        made = {} if before is None else {id(look.part): look for look in before.looks()}
        self._looks = {
            hash_type: [
                made.get(id(part)) or _Look.of(part, own)
                for part in layers[hash_type].parts
                if len(part)
            ]
            for hash_type, own in limits.items()
        }
        self._aims = {
            media_type: {
                hash_type: _Aim.of(media_type, hash_type, looks, limits[hash_type])
                for hash_type in searched
                if (looks := self._looks[hash_type])
            }
            for media_type, searched in rules.searched.items()
        }

    def looks(self) -> Iterator[_Look]:
        """Every part of every hash type."""
        return chain.from_iterable(self._looks.values())

    def nearest(self, item: Item) -> Nearest | None:
        """The nearest matches of an item, or None when all hits have to be weighed."""
        aims = self._aims[item.media_type]
        values: dict[HashType, list[bytes]] = {}
        for hash_ in item.hashes:
            hash_type = hash_.type
            if hash_type in values:
                values[hash_type].append(hash_.value)
            elif hash_type in aims:
                values[hash_type] = [hash_.value]
        known = cleared = doubtful = NOTHING
        is_clear = True
        for hash_type, own in values.items():
            if len(own) > SLICE_QUERIES:
                return None
            aim = aims[hash_type]
            joined = own[0] if len(own) == 1 else b"".join(own)
            for find in aim.finders:
                found = find(joined)
                if found == _NONE:
                    continue
                if found is None:
                    return None
                of_known, of_cleared = found
                if aim.is_alone:
                    known = min(known, of_known + aim.rank)
                    cleared = min(cleared, of_cleared + aim.rank)
                else:
                    is_clear = False
                    doubtful = min(doubtful, of_cleared + aim.rank)
        # What is near may match or not: a known match stands if nothing cleared could be as near.
        if not is_clear and known >= min(cleared, doubtful, NOTHING):
            return None
        return _nearness(known), _nearness(cleared) if is_clear else None


def _nearness(rank: int) -> Nearness | None:
    """The whole match of a rank, if there is one."""
    return None if rank >= NOTHING else Nearness(rank >= _ALIKE, 0, rank % _ALIKE)
