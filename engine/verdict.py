"""What the engine says of an item: pure rules over matches and policies.

Finding the matches is the snapshot's business.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from engine.entries import EntryId, ItemId
from engine.hashes import SPECS, HashType, Item
from engine.policy import BankId, BankRole, Rules


class Verdict(IntEnum):
    """What the engine says; numbers as in `firstseen.v1.Verdict`."""

    KNOWN = 1
    NOVEL = 2
    UNSURE = 3
    UNSUPPORTED = 4


class Nearness(NamedTuple):
    """How near a match is; the smaller is the nearer.

    Attributes:
        alike: False for an equal file, which is nearer than any look-alike.
        distance_bits: Hamming distance of the hashes.
    """

    alike: bool
    distance_bits: int


@dataclass(frozen=True, slots=True)
class Match:
    """A listed hash within the limit of its enabled bank.

    Attributes:
        entry_id: the listed hash.
        item_id: the listed item it belongs to.
        bank_id: the bank that lists it.
        type: the hash type that matched.
        distance_bits: Hamming distance, 0 for exact hashes.
        hash_index: which of the query's hashes matched.
    """

    entry_id: EntryId
    item_id: ItemId
    bank_id: BankId
    type: HashType
    distance_bits: int
    hash_index: int

    @property
    def nearness(self) -> Nearness:
        """Sorts nearest first."""
        return Nearness(SPECS[self.type].perceptual, self.distance_bits)


def decide(item: Item, matches: Iterable[Match], rules: Rules) -> Verdict:
    """Says what an item is, given every match of its judged hashes."""
    nearest: dict[BankRole, Nearness] = {}
    for match in matches:
        role = rules.banks[match.bank_id].policy.role
        nearest[role] = min(match.nearness, nearest.get(role, match.nearness))
    return decide_nearest(item, nearest.get(BankRole.KNOWN), nearest.get(BankRole.CLEARED), rules)


def decide_nearest(
    item: Item, known: Nearness | None, cleared: Nearness | None, rules: Rules
) -> Verdict:
    """Says what an item is, given the nearest match in a known and in a cleared bank.

    A match in a *cleared* bank takes KNOWN back when it is at least as near as the
    nearest known match. So clearing a look-alike never hides the original, an equal
    file is only cleared by an equal file, and clearing the very hash that is
    listed wins over the listing.
    """
    judged = rules.judged[item.media_type]
    if not any(hash_.type in judged for hash_ in item.hashes):
        return Verdict.UNSUPPORTED
    if known is not None and (cleared is None or known < cleared):
        return Verdict.KNOWN
    return Verdict.NOVEL if cleared is not None or _was_judged(item, rules) else Verdict.UNSURE


def _was_judged(item: Item, rules: Rules) -> bool:
    """Whether "no match" means anything.

    It does when a perceptual hash is of sufficient quality, or when the item has only
    exact hashes. An exact hash beside a blurred picture says nothing about the picture.
    """
    judged = rules.judged[item.media_type]
    perceptual = [h for h in item.hashes if h.type in judged and SPECS[h.type].has_quality]
    if not perceptual:
        return True
    return any(
        h.quality is not None and h.quality >= rules.types[h.type].min_quality for h in perceptual
    )
