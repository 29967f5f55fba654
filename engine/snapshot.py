"""The list at one checkpoint, searchable: what a verdict is made from.

A snapshot never changes, so a server answers from one without locks and takes up the
next by replacing one reference: `snapshot = snapshot.advance(delta)`. How one item
is judged:

    its judged hash types -> queries, each value once
    -> Layer.search within the widest limit of any enabled bank
    -> only what is within the limit of its own bank
    -> the nearest known and the nearest cleared match -> verdict.decide_nearest
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.entries import Checkpoint, Columns, EntryId, ItemId
from engine.errors import CorruptError
from engine.hashes import SPECS, HashType, Item
from engine.index_choice import Choosers, choosers
from engine.index_kind import IndexKind
from engine.layer import Found, Layer, Part
from engine.policy import Bank, BankId, BankRole, Rules
from engine.segment import Segment
from engine.store import Contents, Delta
from engine.verdict import Match, Nearness, Verdict, decide_nearest

_AUTO: Final = choosers(IndexKind.AUTO)
_NO_LIMIT: Final = -1  # a distance is never as small: a bank that does not match


@dataclass(frozen=True, slots=True)
class _Limits:
    """How near one hash type matches, bank by bank, as arrays indexed by bank id.

    Attributes:
        distance_bits: int32, shape (b,): the bank's limit, -1 where it does not match.
        known: bool, shape (b,): the bank is a known one; else it is cleared.
    """

    distance_bits: npt.NDArray[np.int32]
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, hash_type: HashType, rules: Rules) -> "_Limits":
        size = max(rules.banks, default=0) + 1
        distance_bits = np.full(size, _NO_LIMIT, np.int32)
        for bank_id, limit in rules.types[hash_type].limits_by_bank.items():
            distance_bits[bank_id] = limit
        known = np.zeros(size, np.bool_)
        for bank_id, bank in rules.banks.items():
            known[bank_id] = bank.policy.role is BankRole.KNOWN
        return cls(distance_bits, known)


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
    _limits: Mapping[HashType, _Limits]
    _query_ns: Mapping[HashType, float]

    @classmethod
    def of(cls, contents: Contents, choose: Choosers = _AUTO) -> "Snapshot":
        """Indexes a whole list.

        Args:
            contents: the list.
            choose: what to search each hash type with.

        Raises:
            CorruptError: the entries do not agree with the checkpoint's count and digest.
        """
        digest = sum(
            columns.digest_sum(hash_type) for hash_type, columns in contents.columns.items()
        )
        entry_count = sum(len(columns) for columns in contents.columns.values())
        _check_agrees(
            Checkpoint.at(contents.checkpoint.sequence, entry_count, digest), contents.checkpoint
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
        limits = {hash_type: _Limits.of(hash_type, rules) for hash_type in rules.types}
        query_ns = {hash_type: layer.query_ns() for hash_type, layer in layers.items()}
        return cls(checkpoint, rules, layers, limits, query_ns)

    def advance(self, delta: Delta) -> "Snapshot":
        """The snapshot at the delta's head; what did not change is shared.

        Raises:
            ValueError: the delta begins elsewhere.
            CorruptError: its entries do not lead to the head's count and digest.
        """
        if delta.base != self.checkpoint:
            raise ValueError(
                f"the delta begins at {delta.base.sequence}, not {self.checkpoint.sequence}"
            )
        digest, layers = self.checkpoint.digest, {}
        for hash_type, added in delta.columns.items():
            layers[hash_type], removed = self._layers[hash_type].advance(delta.removed, added)
            digest += added.digest_sum(hash_type) - removed.digest_sum(hash_type)
        entry_count = sum(len(layer) for layer in layers.values())
        _check_agrees(Checkpoint.at(delta.head.sequence, entry_count, digest), delta.head)
        return self._at(delta.head, delta.banks, layers)

    def search_ns(self, item: Item) -> float:
        """About how long searching an item takes, to decide where to do it."""
        return sum(self._query_ns[hash_.type] for hash_ in item.hashes)

    def judge(self, item: Item) -> Verdict:
        """Says what an item is, without telling why.

        The same as `verdict.decide` over `matches`; no object is made for a match, so
        that an item with a hundred thousand of them costs little more than one with none.
        """
        known: list[Nearness] = []
        cleared: list[Nearness] = []
        for hash_type, _, found in self._search(item):
            if len(found):
                is_known = self._limits[hash_type].known[found.bank_ids]
                known += _nearest(hash_type, found.distances_bits[is_known])
                cleared += _nearest(hash_type, found.distances_bits[~is_known])
        return decide_nearest(
            item, min(known, default=None), min(cleared, default=None), self.rules
        )

    def matches(self, item: Item) -> tuple[Match, ...]:
        """Every match of an item in an enabled bank, nearest first.

        A value that the item has twice is reported for its first hash.
        """
        matches = [
            Match(
                EntryId(entry_id),
                ItemId(item_id),
                BankId(bank_id),
                hash_type,
                distance,
                indexes[query],
            )
            for hash_type, indexes, found in self._search(item)
            for query, distance, entry_id, item_id, bank_id in zip(
                found.queries.tolist(),
                found.distances_bits.tolist(),
                found.entry_ids.tolist(),
                found.item_ids.tolist(),
                found.bank_ids.tolist(),
                strict=True,
            )
        ]
        return tuple(sorted(matches, key=lambda m: (m.nearness, m.entry_id, m.hash_index)))

    def _search(self, item: Item) -> Iterator[tuple[HashType, list[int], Found]]:
        """For each judged hash type: which hash each query is, and what matches by bank."""
        judged = self.rules.judged[item.media_type]
        queries: dict[HashType, dict[bytes, int]] = {}
        for index, hash_ in enumerate(item.hashes):
            if hash_.type in judged:
                queries.setdefault(hash_.type, {}).setdefault(hash_.value, index)
        for hash_type, indexes in queries.items():
            values = np.frombuffer(b"".join(indexes), np.uint8)
            found = self._layers[hash_type].search(
                values.reshape(len(indexes), -1), self.rules.types[hash_type].max_distance_bits
            )
            if len(found):
                limits = self._limits[hash_type].distance_bits[found.bank_ids]
                found = found.select(found.distances_bits <= limits)
            yield hash_type, list(indexes.values()), found


def _nearest(hash_type: HashType, distances_bits: npt.NDArray[np.int32]) -> list[Nearness]:
    if not len(distances_bits):
        return []
    return [Nearness(SPECS[hash_type].perceptual, int(distances_bits.min()))]


def _check_agrees(found: Checkpoint, want: Checkpoint) -> None:
    if found.entry_count != want.entry_count:
        raise CorruptError(
            f"checkpoint {want.sequence}: {found.entry_count} entries, want {want.entry_count}"
        )
    if found.digest != want.digest:
        raise CorruptError(f"checkpoint {want.sequence}: the entries do not have its digest")
