"""`ReviewService`: why an item gets its verdict, for the unit's own reviewers."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from engine.errors import LimitError
from engine.hashes import Item
from engine.verdict import decide
from firstseen.v1 import review_pb2, review_pb2_grpc
from server.boundary import Context
from server.config import LimitsConfig
from server.convert import from_checkpoint, from_match, to_item, verdict_number
from server.refresh import Refresher

DEFAULT_MATCHES: Final = 100
MAX_MATCHES: Final = 1_000
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
        found = snapshot.matches(item)
        listed = self._refresher.items(view, list(dict.fromkeys(m.item_id for m in found)))
        # The store may be ahead of the snapshot: an item withdrawn in between has no labels
        # any more, and counts for nothing.
        matches = [match for match in found if match.item_id in listed]
        return review_pb2.ExplainResponse(
            verdict=verdict_number(decide(item, matches, snapshot.rules)),
            checkpoint=from_checkpoint(snapshot.checkpoint),
            matches=[
                from_match(m, snapshot.rules.banks[m.bank_id], listed[m.item_id].labels)
                for m in matches[:max_matches]
            ],
            match_count=len(matches),
        )


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
