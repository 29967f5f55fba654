"""Which items of a bank an edited copy is found as, by the rules that others use.

Firstseen's own are in `bench/quality_match.py`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.quality_match import PDQ_BITS, Found, Listed, Rule, of_type
from engine.hashes import SPECS
from engine.hashes import HashType as EngineType
from firstseen.items import HashType, Item

# vPDQ's defaults in Meta's Hasher-Matcher-Actioner: of the query's frames, of the bank's.
_VPDQ_QUERY_SHARE: Final = 0.8
# Of python-threatexchange's text signal.
_TLSH_DISTANCE: Final = 30
_PAIR_SHIFTS: Final = np.array([0, 2, 4, 6], np.uint8)


class PlainRule(Rule):
    """One PDQ against one PDQ, within 31 bits.

    Args:
        items: the bank, with one PDQ each.
        min_quality: hashes under it do not take part; python-threatexchange makes none of them.
    """

    def __init__(self, items: Sequence[Item], min_quality: int = 0) -> None:
        self._min_quality: Final = min_quality
        self._listed: Final = Listed([self._kept(item) for item in items], HashType.PDQ)

    def find(self, item: Item) -> Found:
        """See `Rule.find`."""
        hits = self._listed.search(of_type(self._kept(item), HashType.PDQ), PDQ_BITS)
        return Found(frozenset(self._listed.owners[hits.rows].tolist()))

    def _kept(self, item: Item) -> Item:
        return Item(
            item.media_type, tuple(h for h in item.hashes if (h.quality or 0) >= self._min_quality)
        )


class VpdqRule(Rule):
    """Meta's vPDQ at its defaults: 80 % of the copy's frames are among the original's."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._listed: Final = Listed(items, HashType.PDQ)

    def find(self, item: Item) -> Found:
        """See `Rule.find`."""
        asked = of_type(item, HashType.PDQ)
        hits = self._listed.search(asked, PDQ_BITS)
        owners = self._listed.owners[hits.rows]
        least = _VPDQ_QUERY_SHARE * len(asked)
        counts = {
            owner: len(np.unique(hits.queries[owners == owner])) for owner in set(owners.tolist())
        }
        return Found(frozenset(owner for owner, count in counts.items() if count >= least))


class VideohashRule(Rule):
    """The `videohash` package at its author's limit."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._values: Final = [self._bits(item) for item in items]

    def find(self, item: Item) -> Found:
        """See `Rule.find`."""
        asked = self._bits(item)
        limit = SPECS[EngineType.VIDEOHASH].default_distance_bits
        return Found(
            frozenset(
                number
                for number, bits in enumerate(self._values)
                if None not in (bits, asked) and ((bits or 0) ^ (asked or 0)).bit_count() <= limit
            )
        )

    @staticmethod
    def _bits(item: Item) -> int | None:
        found = of_type(item, HashType.VIDEOHASH)
        return int.from_bytes(found[0].value) if found else None


class TlshRule(Rule):
    """TLSH at the limit of python-threatexchange's text signal."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items: Final = [of_type(item, HashType.TLSH) for item in items]

    def find(self, item: Item) -> Found:
        """See `Rule.find`."""
        asked = of_type(item, HashType.TLSH)
        return Found(
            frozenset(
                number
                for number, listed in enumerate(self._items)
                if asked
                and listed
                and tlsh_distance(asked[0].value, listed[0].value) <= _TLSH_DISTANCE
            )
        )


def tlsh_distance(one: bytes, other: bytes) -> int:
    """The distance of two TLSH digests without that of lengths (Oliver, Cheng and Chen 2013).

    A byte of checksum, one of length, one of two quartile ratios, then 128 buckets of two bits.
    Steps of a ratio beyond the first count twelve; opposite buckets count six. So
    python-threatexchange compares them.

    Args:
        one: 35 bytes, what follows "T1".
        other: as `one`.
    """
    distance = int(one[0] != other[0])
    for shift in (0, 4):
        apart = abs((one[2] >> shift & 15) - (other[2] >> shift & 15))
        step = min(apart, 16 - apart)  # on a circle
        distance += step if step <= 1 else (step - 1) * 12
    bodies = (np.frombuffer(d[3:], np.uint8)[:, None] >> _PAIR_SHIFTS & 3 for d in (one, other))
    first, second = (body.astype(np.int64) for body in bodies)
    steps = np.abs(first - second)
    return distance + int(np.where(steps == 3, 6, steps).sum())
