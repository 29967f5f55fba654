"""`ReviewService`: why an item gets its verdict and what to look at first, for reviewers."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from engine.entries import ItemId, ListedItem
from engine.errors import InvalidInputError, LimitError
from engine.hashes import SUPPORTING_TYPES, Item
from engine.policy import BankRole, Rules
from engine.verdict import Match, Verdict
from firstseen.v1 import review_pb2, review_pb2_grpc
from server.boundary import Context
from server.config import LimitsConfig
from server.convert import from_checkpoint, from_match, to_item, verdict_number
from server.refresh import Refresher, View

DEFAULT_MATCHES: Final = 100
MAX_MATCHES: Final = 1_000
MAX_REFERRALS: Final = 100
# What was never seen goes first; what is known has been looked at before.
_ATTENTION: Final = (Verdict.NOVEL, Verdict.UNSURE, Verdict.UNSUPPORTED, Verdict.KNOWN)
_ALTERNATIVE_NAMES: Final = "x509_subject_alternative_name"
_COMMON_NAME: Final = "x509_common_name"


class ReviewService(review_pb2_grpc.ReviewServiceServicer):
    """See `firstseen/v1/review.proto`."""

    def __init__(
        self, refresher: Refresher, limits: LimitsConfig, pool: ThreadPoolExecutor
    ) -> None:
        self._refresher = refresher
        self._limits = limits
        self._pool = pool

    async def Explain(
        self, request: review_pb2.ExplainRequest, context: Context
    ) -> review_pb2.ExplainResponse:
        """Says why an item gets its verdict."""
        if request.max_matches > MAX_MATCHES:
            raise LimitError("max_matches", f"want at most {MAX_MATCHES}")
        item = to_item(request.item, self._limits.max_hashes_per_item)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, self._explain, item, request.max_matches or DEFAULT_MATCHES
        )

    def _explain(self, item: Item, max_matches: int) -> review_pb2.ExplainResponse:
        view = self._refresher.view()
        snapshot = view.snapshot
        matches, listed, verdict = self._found(view, item)
        return review_pb2.ExplainResponse(
            verdict=verdict_number(verdict),
            checkpoint=from_checkpoint(snapshot.checkpoint),
            matches=[
                from_match(m, snapshot.rules.banks[m.bank_id], listed[m.item_id].labels)
                for m in matches[:max_matches]
            ],
            match_count=len(matches),
        )

    def _found(
        self, view: View, item: Item
    ) -> tuple[list[Match], Mapping[ItemId, ListedItem], Verdict]:
        """The matches of an item, the listed items that they are in, and the verdict.

        The store may be ahead of the snapshot: an item withdrawn in between has no labels
        any more, and counts for nothing.
        """
        found = view.snapshot.matches(item)
        item_ids = list(dict.fromkeys(match.item_id for match in found))
        listed = self._refresher.items(view, item_ids)
        gone = [item_id for item_id in item_ids if item_id not in listed]
        matches = [match for match in found if match.item_id in listed]
        return matches, listed, view.snapshot.judge(item, gone)

    async def Prioritise(
        self, request: review_pb2.PrioritiseRequest, context: Context
    ) -> review_pb2.PrioritiseResponse:
        """Puts referrals in the order in which they want looking at."""
        count = len(request.referrals)
        if count > MAX_REFERRALS:
            raise LimitError("referrals", f"{count} referrals, want at most {MAX_REFERRALS}")
        items = []
        for index, referral in enumerate(request.referrals):
            try:
                items.append(to_item(referral.item, self._limits.max_hashes_per_item))
            except InvalidInputError as error:
                field = f"referrals[{index}].item.{error.field}"
                raise type(error)(field, error.problem) from None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, self._prioritise, [referral.tag for referral in request.referrals], items
        )

    def _prioritise(
        self, tags: Sequence[int], items: Sequence[Item]
    ) -> review_pb2.PrioritiseResponse:
        view = self._refresher.view()
        ranked = []
        for tag, item in zip(tags, items, strict=True):
            matches, listed, verdict = self._found(view, item)
            telling = [m for m in matches if _tells(m, item, view.snapshot.rules)]
            severity = max((listed[m.item_id].labels.severity for m in telling), default=0)
            is_near = verdict is not Verdict.KNOWN and bool(telling)
            ranked.append((priority_key(verdict, severity, is_near=is_near), tag, verdict))
        ranked.sort(key=lambda entry: entry[0])
        return review_pb2.PrioritiseResponse(
            priorities=[
                review_pb2.Priority(
                    tag=tag,
                    verdict=verdict_number(verdict),
                    is_near=bool(is_near),
                    severity=-negative_severity,
                )
                for (_, is_near, negative_severity), tag, verdict in ranked
            ],
            checkpoint=from_checkpoint(view.snapshot.checkpoint),
        )


def _tells(match: Match, item: Item, rules: Rules) -> bool:
    """Whether a match says something of an item: not what was cleared, nor what only supports."""
    is_known = rules.banks[match.bank_id].policy.role is BankRole.KNOWN
    return is_known and match.type not in SUPPORTING_TYPES[item.media_type]


def priority_key(verdict: Verdict, severity: int, *, is_near: bool) -> tuple[int, bool, int]:
    """What referrals are sorted by; what wants attention first is the smallest."""
    return _ATTENTION.index(verdict), is_near, -severity


class AllowedNames:
    """Lets those pass whose client certificate bears an allowed name."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(name.encode() for name in names)

    def __call__(self, context: Context) -> str | None:
        """Why the caller is refused, or None."""
        return None if self.allows(context.auth_context()) else "client certificate: not allowed"

    def allows(self, identity: Mapping[str, Iterable[bytes]]) -> bool:
        """Whether an authenticated identity is allowed.

        The alternative names of a certificate count, and its common name only when it
        has none, as for any TLS certificate (RFC 6125, section 6.4.4).
        """
        names = identity.get(_ALTERNATIVE_NAMES) or identity.get(_COMMON_NAME) or ()
        return not self._names.isdisjoint(names)
