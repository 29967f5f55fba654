"""What the engine says of an item: pure rules over the nearest matches and policies.

Finding the matches is the snapshot's business, what they are worth `evidence`'s.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from engine.entries import EntryId, ItemId
from engine.hashes import SPECS, HashType, Item, MediaType
from engine.policy import UNKNOWN_QUALITY, BankId, Rules


class Verdict(IntEnum):
    """What the engine says; numbers as in `firstseen.v1.Verdict`."""

    KNOWN = 1
    NOVEL = 2
    UNSURE = 3
    UNSUPPORTED = 4


class Strength(IntEnum):
    """What a match is good for; numbers as in `firstseen.v1.Strength`."""

    MATCH = 1
    NEAR = 2


class Nearness(NamedTuple):
    """How near a match is; the smaller is the nearer.

    Attributes:
        alike: False for an equal file, which is nearer than any look-alike.
        uncovered_percent: how much of the item that is covered best is left: 0 for a
            picture, and for a video all of whose frames are those of the other.
        distance_bits: Hamming distance of the hashes.
    """

    alike: bool
    uncovered_percent: int
    distance_bits: int


@dataclass(frozen=True, slots=True)
class Match:
    """A listed hash near one of the asked item's.

    Attributes:
        entry_id: the listed hash.
        item_id: the listed item it belongs to.
        bank_id: the bank that lists it.
        type: the hash type that matched.
        distance_bits: Hamming distance, 0 for exact hashes.
        hash_index: which of the query's hashes matched.
        strength: whether the listed item matches, or is only near.
        query_percent: how much of the asked item the listed one covers.
        listed_percent: how much of the listed item the asked one covers.
        nearness: what it is sorted by, and compared with cleared matches by.
    """

    entry_id: EntryId
    item_id: ItemId
    bank_id: BankId
    type: HashType
    distance_bits: int
    hash_index: int
    strength: Strength
    query_percent: int
    listed_percent: int
    nearness: Nearness


def decide(
    item: Item,
    known: Nearness | None,
    cleared: Nearness | None,
    rules: Rules,
    common: Collection[int] = (),
    worth_as: MediaType | None = None,
) -> Verdict:
    """Says what an item is, given the nearest match in a known and in a cleared bank.

    A match in a *cleared* bank takes KNOWN back when it is at least as near as the
    nearest known match. So clearing a look-alike never hides the original, an equal
    file is only cleared by an equal file, and clearing the very hash that is
    listed wins over the listing.

    What is also worth another kind of content is novel only when it was judged as both.

    Args:
        item: what was asked.
        known: the nearest match in a known bank.
        cleared: the nearest match in a cleared bank.
        rules: the banks' policies.
        common: which of the item's hashes match so much that they say nothing.
        worth_as: what else its hits were worth: a picture, for one wrapped in a document.
    """
    if known is not None and (cleared is None or known < cleared):
        return Verdict.KNOWN
    kinds: tuple[MediaType, ...] = (item.media_type,)
    judged = rules.judged[item.media_type]
    if worth_as is not None and worth_as is not item.media_type:
        kinds += (worth_as,)
        judged |= rules.judged[worth_as]
    for hash_ in item.hashes:  # not `any`: this is asked for nearly every item, as what follows
        if hash_.type in judged:
            break
    else:
        return Verdict.UNSUPPORTED
    # An equal file that was cleared is what it is, whatever else it looks like.
    if cleared is not None and not cleared.alike:
        return Verdict.NOVEL
    if common and any(_is_blinded(item, kind, rules, common) for kind in kinds):
        return Verdict.UNSURE
    if cleared is None:
        for kind in kinds:
            if not _was_judged(item, kind, rules, common):
                return Verdict.UNSURE
    return Verdict.NOVEL


def _is_blinded(item: Item, kind: MediaType, rules: Rules, common: Collection[int]) -> bool:
    """Whether hashes that say nothing could have hidden a match.

    The hashes of a picture are alternatives, so one that is common is enough, whatever the mirrored
    form says. Of frames, chunks and pages it takes half.
    """
    judged = rules.judged[kind]
    perceptual = [
        index
        for index, hash_ in enumerate(item.hashes)
        if hash_.type in judged and SPECS[hash_.type].perceptual
    ]
    hidden = sum(index in common for index in perceptual)
    if kind is MediaType.IMAGE:
        return hidden > 0
    return 0 < len(perceptual) <= 2 * hidden


def _was_judged(item: Item, kind: MediaType, rules: Rules, common: Collection[int]) -> bool:
    """Whether "no match" means anything.

    It does when a perceptual hash is of sufficient quality and not common, or when the item has
    only exact hashes, which say nothing about a blurred picture beside them.
    """
    telling = rules.telling[kind]
    has_perceptual = False
    for index, hash_ in enumerate(item.hashes):
        least = telling.get(hash_.type)
        if least is not None:
            has_perceptual = True
            quality = UNKNOWN_QUALITY if hash_.quality is None else hash_.quality
            if index not in common and quality >= least:
                return True
    return not has_perceptual
