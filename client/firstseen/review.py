"""Asks the unit's own service why an item gets its verdict, and what to look at first."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from firstseen import wire
from firstseen.attempts import Attempts
from firstseen.callee import Callee, Service
from firstseen.client import attempt, open_channel
from firstseen.errors import ServerError
from firstseen.items import Checkpoint, HashType, Item, Verdict
from firstseen.options import Options, Plaintext, Tls
from firstseen.usage import ITEM, require
from firstseen.v1 import review_pb2, review_pb2_grpc


class Strength(IntEnum):
    """What a match is good for."""

    MATCH = 1
    NEAR = 2


@dataclass(frozen=True, slots=True)
class Match:
    """A listed hash near one of the asked item's.

    Attributes:
        entry_id: the listed hash.
        item_id: the listed item it belongs to.
        bank: the bank's name.
        cleared: the bank lists confirmed false positives, not known material.
        type: the hash type that matched.
        distance_bits: Hamming distance, 0 for exact hashes.
        hash_index: which of the asked item's hashes matched.
        strength: whether it makes a match, or is only worth a look.
        query_percent: how much of the asked item the listed one covers.
        listed_percent: how much of the listed item the asked one covers.
        category: what the unit wrote of the listed item, as the next three.
        severity: 0 (not said) to 9.
        source: where the listing comes from.
        reference: the unit's own.
    """

    entry_id: int
    item_id: int
    bank: str
    cleared: bool
    type: HashType
    distance_bits: int
    hash_index: int
    strength: Strength
    query_percent: int
    listed_percent: int
    category: str
    severity: int
    source: str
    reference: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict and what it rests on.

    Attributes:
        verdict: what `Client.check` would say.
        checkpoint: the list it was judged by.
        matches: nearest first.
        match_count: how many there are, also when not all are given.
    """

    verdict: Verdict
    checkpoint: Checkpoint
    matches: tuple[Match, ...]
    match_count: int


@dataclass(frozen=True, slots=True)
class Priority:
    """A referral in the order in which they want looking at.

    Attributes:
        index: which of the items given it is.
        verdict: what `Client.check` would say.
        is_near: something listed is near it that makes no match.
        severity: the greatest of what is matched or near.
    """

    index: int
    verdict: Verdict
    is_near: bool
    severity: int


class ReviewClient:
    """A connection to the unit's review service; safe to use from many threads."""

    def __init__(
        self,
        address: str,
        security: Tls | Plaintext,
        options: Options = Options(),  # noqa: B008  immutable
    ) -> None:
        """Opens a connection, without waiting for it.

        Args:
            address: `host:port` of the review listener.
            security: TLS with a certificate that the server allows.
            options: deadlines and retries.

        Raises:
            UsageError: one of them is not as told.
        """
        require("options", options, Options, "Options()")
        self._options = options
        self._callee = Callee(address, security, Service.REVIEW)
        self._channel = open_channel(address, security)
        self._stub = review_pb2_grpc.ReviewServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; calls under way fail."""
        self._channel.close()

    def explain(self, item: Item, max_matches: int = 0) -> Explanation:
        """Asks why an item gets its verdict.

        Args:
            item: every hash of it is sent.
            max_matches: how many to give at most; 0 means 100, at most 1,000.

        Raises:
            CallError: there is no answer.
        """
        require("item", item, Item, ITEM)
        request = review_pb2.ExplainRequest(item=wire.to_item(item), max_matches=max_matches)
        with self._callee.named():
            response = attempt(
                lambda s: self._stub.Explain(request, timeout=s),
                Attempts(self._options),
                self._callee,
            )
            return Explanation(
                wire.from_verdict(response.verdict),
                wire.from_checkpoint(response.checkpoint),
                tuple(_match(match) for match in response.matches),
                response.match_count,
            )

    def prioritise(self, items: Sequence[Item]) -> tuple[Priority, ...]:
        """Asks which items want looking at first: what was never seen comes first.

        Args:
            items: at most 100; every hash of each is sent.

        Raises:
            CallError: there is no answer.
        """
        require("items", items, Sequence, "several items, as a list")
        for item in items:
            require("items", item, Item, f"each {ITEM}")
        request = review_pb2.PrioritiseRequest(
            referrals=[
                review_pb2.Referral(tag=index, item=wire.to_item(item))
                for index, item in enumerate(items)
            ]
        )
        with self._callee.named():
            response = attempt(
                lambda s: self._stub.Prioritise(request, timeout=s),
                Attempts(self._options),
                self._callee,
            )
            return tuple(
                Priority(found.tag, wire.from_verdict(found.verdict), found.is_near, found.severity)
                for found in response.priorities
            )


def _match(match: review_pb2.Match) -> Match:
    try:
        hash_type, strength = HashType(match.type), Strength(match.strength)
    except ValueError:
        raise ServerError("a match of the server's is unknown to this client") from None
    labels = match.labels
    return Match(
        match.entry_id,
        match.item_id,
        match.bank,
        match.role == review_pb2.BANK_ROLE_CLEARED,
        hash_type,
        match.distance_bits,
        match.hash_index,
        strength,
        match.query_percent,
        match.listed_percent,
        labels.category,
        labels.severity,
        labels.source,
        labels.reference,
    )
