"""The list at one checkpoint, searchable: what a verdict is made from.

A snapshot never changes, so a server answers from one without locks and takes up the
next by replacing one reference: `snapshot = snapshot.advance(delta)`. How one item
is judged:

    Glance               the nearest matches, where one hit is enough to be one; else
       question.ask      its hash types -> queries, each value once
       -> Layer.search   within the widest limit of any enabled bank
       -> _within        only what is within the limit of its own bank
       -> assess         which listed items match by it
    -> verdict.decide    by the nearest known and the nearest cleared match
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.entries import Checkpoint, Columns, EntryId, ItemId
from engine.errors import CorruptError
from engine.evidence import Asked, Evidence, assess, only_near, same_length
from engine.glance import Glance, Nearest
from engine.hashes import SPECS, HashType, Item, MediaType
from engine.index_choice import Choosers, choosers
from engine.index_kind import IndexKind
from engine.layer import Found, Layer, Part
from engine.limits import Limits
from engine.policy import Bank, BankId, Rules
from engine.progress import Stage, untold
from engine.question import Question, ask, worth_as
from engine.search import Search
from engine.segment import Segment
from engine.store import Contents, Delta
from engine.turns import in_turns, offer
from engine.verdict import Match, Nearness, Strength, Verdict, decide

_AUTO: Final = choosers(IndexKind.AUTO)
_RANK: Final = 1_024  # more than any distance


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole list at a checkpoint; immutable, safe to ask from many threads.

    Attributes:
        checkpoint: where in the log it stands.
        rules: the banks' policies there.
    """

    checkpoint: Checkpoint
    rules: Rules
    _layers: Mapping[HashType, Layer]
    _limits: Mapping[HashType, Limits]
    _query_ns: Mapping[HashType, float]
    _glance: Glance

    @classmethod
    def of(cls, contents: Contents, choose: Choosers = _AUTO, stage: Stage = untold) -> "Snapshot":
        """Indexes a whole list.

        Args:
            contents: the list.
            choose: what to search each hash type with.
            stage: told how far the check is, as `digest`.

        Raises:
            CorruptError: the entries do not agree with the checkpoint's count and digest, or one is
                of no bank.
        """
        _check_agrees(
            checkpoint_of(contents.checkpoint.sequence, contents.columns, stage),
            contents.checkpoint,
        )
        layers = {
            hash_type: Layer.of(columns, choose[hash_type])
            for hash_type, columns in contents.columns.items()
        }
        return cls._at(contents.checkpoint, contents.banks, layers)

    @classmethod
    def from_segment(cls, segment: Segment, choose: Choosers = _AUTO) -> "Snapshot":
        """The list of a segment, without banks: those come with the delta to `advance` by.

        Args:
            segment: its arrays were checked when it was read.
            choose: what to search with what comes after it.
        """
        layers = {}
        for hash_type in HashType:
            part = segment.parts.get(hash_type)
            if part is None:
                layers[hash_type] = Layer.of(Columns.empty(hash_type), choose[hash_type])
            else:
                layers[hash_type] = Layer((Part.frozen(*part),), choose[hash_type])
        return cls._at(segment.checkpoint, (), layers)

    def loose_count(self) -> int:
        """How many entries a new segment would take up or leave out."""
        return sum(layer.loose_count() for layer in self._layers.values())

    def columns(self) -> Mapping[HashType, Columns]:
        """Every listed entry."""
        return {hash_type: layer.listed() for hash_type, layer in self._layers.items()}

    @classmethod
    def _at(
        cls, checkpoint: Checkpoint, banks: tuple[Bank, ...], layers: Mapping[HashType, Layer]
    ) -> "Snapshot":
        rules = Rules.of(banks)
        limits = {hash_type: Limits.of(hash_type, rules) for hash_type in rules.types}
        query_ns = {
            hash_type: layers[hash_type].query_ns(rule.max_distance_bits)
            for hash_type, rule in rules.types.items()
        }
        return cls(checkpoint, rules, layers, limits, query_ns, Glance(layers, limits, rules))

    def advance(self, delta: Delta) -> "Snapshot":
        """The snapshot at the delta's head; what did not change is shared.

        Raises:
            ValueError: the delta begins elsewhere.
            CorruptError: its entries do not lead to the head's count and digest, or one is of no
                bank.
        """
        if delta.base != self.checkpoint:
            raise ValueError(
                f"the delta begins at {delta.base.sequence}, not {self.checkpoint.sequence}"
            )
        digest, layers = self.checkpoint.digest, {}
        for hash_type, added in in_turns(delta.columns.items()):
            layers[hash_type], removed = self._layers[hash_type].advance(delta.removed, added)
            digest += added.digest_sum(hash_type) - removed.digest_sum(hash_type)
        offer()
        entry_count = sum(map(len, layers.values()))
        _check_agrees(Checkpoint.at(delta.head.sequence, entry_count, digest), delta.head)
        return self._next(delta, layers)

    def _next(self, delta: Delta, layers: Mapping[HashType, Layer]) -> "Snapshot":
        """The snapshot of the next layers; of what the banks say, nothing is made twice."""
        if delta.banks != tuple(self.rules.banks.values()):
            return self._at(delta.head, delta.banks, layers)
        query_ns = {
            hash_type: known_ns
            if layers[hash_type] is self._layers[hash_type]
            else layers[hash_type].query_ns(self.rules.types[hash_type].max_distance_bits)
            for hash_type, known_ns in self._query_ns.items()
        }
        offer()
        glance = Glance(layers, self._limits, self.rules, self._glance)
        return Snapshot(delta.head, self.rules, layers, self._limits, query_ns, glance)

    def search_ns(self, item: Item) -> float:
        """About how long searching an item takes, to decide where to do it."""
        total_ns = 0.0
        for hash_ in item.hashes:
            total_ns += self._query_ns.get(hash_.type, 0.0)
        return total_ns

    def judge(self, item: Item, without: Collection[ItemId] = ()) -> Verdict:
        """Says what an item is, without telling why.

        No object is made for a match, so that an item with thousands of them costs little more
        than one with none.

        Args:
            item: what was asked.
            without: listed items that count for nothing: they were withdrawn meanwhile.
        """
        media_type = worth_as(item, self.rules)
        if media_type is item.media_type and not without:
            glanced = self._glance.nearest(item)
            if glanced is not None:
                return decide(item, *glanced, self.rules)
        types = self.rules.searched[item.media_type] | self.rules.searched[media_type]
        common: set[int] = set()
        nearest = self._nearest(media_type, ask(item, types), common, without)
        return decide(item, *nearest, self.rules, common, media_type)

    def _nearest(
        self,
        media_type: MediaType,
        questions: Mapping[HashType, Question],
        common: set[int],
        without: Collection[ItemId],
    ) -> Nearest:
        """The nearest match in a known and in a cleared bank, of all evidence."""
        asked = self._search(questions, common)
        known: list[Nearness] = []
        cleared: list[Nearness] = []
        for part in assess(media_type, asked, self._extent) if asked else ():
            counts = part.is_match
            if without:
                counts = counts & ~np.isin(part.found.item_ids, np.array([*without], np.uint64))
            is_known = self._limits[part.hash_type].known[part.found.bank_ids]
            ranks = _ranks(part)
            known += _first(part.hash_type, ranks[counts & is_known])
            cleared += _first(part.hash_type, ranks[counts & ~is_known])
        return min(known, default=None), min(cleared, default=None)

    def matches(self, item: Item) -> tuple[Match, ...]:
        """Every match of an item in an enabled bank, and then what is near; nearest first.

        A value that the item has twice at the same position is reported for its first hash.
        """
        media_type = worth_as(item, self.rules)
        types = self.rules.reviewed[item.media_type] | self.rules.reviewed[media_type]
        questions = ask(item, types)
        evidence = assess(media_type, self._search(questions, set()), self._extent)
        evidence += self._near(questions)
        found = [match for part in evidence for match in _listed(part)]
        return tuple(
            sorted(found, key=lambda m: (m.strength, m.nearness, m.entry_id, m.hash_index))
        )

    def _extent(self, hash_type: HashType, item_id: int) -> int:
        return self._layers[hash_type].extent(item_id)

    def _search(
        self, questions: Mapping[HashType, Question], common: set[int]
    ) -> dict[HashType, Asked]:
        """What is within its own bank's limit, for each hash type that hits anything.

        Args:
            questions: what to search.
            common: gets the numbers of the item's hashes that hit too much.
        """
        asked, hits_anything = {}, False
        for hash_type, question in questions.items():
            limits = self._limits[hash_type]
            found = self._within(
                hash_type, question, limits.max_distance_bits, limits.distance_bits, common
            )
            hits_anything |= len(found) > 0
            asked[hash_type] = Asked(question, found)
        return asked if hits_anything else {}

    def _within(
        self,
        hash_type: HashType,
        question: Question,
        max_distance_bits: int,
        limits_bits: npt.NDArray[np.int32],
        common: set[int],
    ) -> Found:
        is_bounded = self._limits[hash_type].is_bounded
        search = Search(self._layers[hash_type], max_distance_bits, limits_bits, is_bounded)
        found = search.run(question)
        common.update(question.hash_indexes[query] for query in search.common)
        if hash_type is HashType.VIDEOHASH:
            return same_length(Asked(question, found)).found
        return found

    def _near(self, questions: Mapping[HashType, Question]) -> list[Evidence]:
        """What is beyond its bank's limit, and worth a look."""
        evidence = []
        for hash_type, question in questions.items():
            limits = self._limits[hash_type]
            if (limits.near_bits == limits.distance_bits).all():
                continue
            furthest = int(limits.near_bits.max())
            found = self._within(hash_type, question, furthest, limits.near_bits, set())
            own = Asked(
                question,
                found.select(found.distances_bits > limits.distance_bits[found.bank_ids]),
            )
            if len(own.found):
                evidence.append(only_near(hash_type, own))
        return evidence


def _ranks(part: Evidence) -> npt.NDArray[np.int64]:
    """Orders hits by what they leave uncovered, then by distance: both small, so by one number."""
    return part.uncovered_percents() * _RANK + part.found.distances_bits


def _first(hash_type: HashType, ranks: npt.NDArray[np.int64]) -> list[Nearness]:
    """The first of hits by their `_ranks`, if there is one."""
    if not len(ranks):
        return []
    uncovered, distance_bits = divmod(int(ranks.min()), _RANK)
    return [Nearness(SPECS[hash_type].perceptual, uncovered, distance_bits)]


def _listed(part: Evidence) -> Iterator[Match]:
    """The hits one by one."""
    found, spec = part.found, SPECS[part.hash_type]
    rows = zip(
        found.entry_ids.tolist(),
        found.item_ids.tolist(),
        found.bank_ids.tolist(),
        found.distances_bits.tolist(),
        part.hash_indexes.tolist(),
        part.is_match.tolist(),
        _percents(part.query_shares),
        _percents(part.listed_shares),
        part.uncovered_percents().tolist(),
        strict=True,
    )
    for entry, item, bank, distance, index, matches, query, listed, uncovered in rows:
        yield Match(
            EntryId(entry),
            ItemId(item),
            BankId(bank),
            part.hash_type,
            distance,
            index,
            Strength.MATCH if matches else Strength.NEAR,
            query,
            listed,
            Nearness(spec.perceptual, uncovered, distance),
        )


def _percents(shares: npt.NDArray[np.float32]) -> list[int]:
    percents: list[int] = np.round(shares * 100).astype(np.int64).tolist()
    return percents


def checkpoint_of(
    sequence: int, columns: Mapping[HashType, Columns], stage: Stage = untold
) -> Checkpoint:
    """The checkpoint of a list of these entries; the stage is `digest`."""
    total = sum(map(len, columns.values()))
    digest, before = 0, 0

    def told(done: int) -> None:
        stage("digest", before + done, total)

    for hash_type, own in columns.items():
        digest += own.digest_sum(hash_type, told)
        before += len(own)
    return Checkpoint.at(sequence, total, digest)


def _check_agrees(found: Checkpoint, want: Checkpoint) -> None:
    if found.entry_count != want.entry_count:
        raise CorruptError(
            f"checkpoint {want.sequence}: {found.entry_count} entries, want {want.entry_count}"
        )
    if found.digest != want.digest:
        raise CorruptError(f"checkpoint {want.sequence}: the entries do not have its digest")
