"""`MatchService`: is this item known already? Verdict and checkpoint, nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from engine.errors import NotReadyError
from engine.hashes import Item
from engine.verdict import Verdict
from firstseen.v1 import match_pb2, match_pb2_grpc
from server.boundary import CODES, Context, status_of
from server.config import LimitsConfig
from server.convert import from_checkpoint, media_policies, to_item
from server.idle import Movement, idle_limit
from server.refresh import Refresher, View
from server.telemetry import CallCounts

METHOD_STREAM_ITEM: Final = "firstseen.v1.MatchService/CheckStream item"
# The longest search on the event loop; a longer one goes to a thread, which costs 50 to 100
# microseconds and lets other calls pass.
INLINE_NS: Final = 1_000_000
# How many items of one stream are searched in threads or wait for it. That keeps every thread busy,
# and an item of 4,096 hashes takes over a megabyte for as long.
MOST_SEARCHES: Final = 2 * (os.cpu_count() or 1)

_Outcome = match_pb2.CheckStreamResponse
_Pending = _Outcome | asyncio.Task[_Outcome]


def search_pool() -> ThreadPoolExecutor:
    """The threads that search large lists; the search itself does not hold the GIL."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="search")


class MatchService(match_pb2_grpc.MatchServiceServicer):
    """See `firstseen/v1/match.proto`."""

    def __init__(
        self,
        refresher: Refresher,
        limits: LimitsConfig,
        pool: ThreadPoolExecutor,
        counts: CallCounts,
    ) -> None:
        self._refresher = refresher
        self._limits = limits
        self._pool = pool
        self._counts = counts

    async def Check(
        self, request: match_pb2.CheckRequest, context: Context
    ) -> match_pb2.CheckResponse:
        """Checks one item."""
        view = self._refresher.view()
        item = to_item(request.item, self._limits.max_hashes_per_item)
        if view.snapshot.search_ns(item) <= INLINE_NS:
            return view.responses[view.snapshot.judge(item)]
        return view.responses[await self._search(view, item)]

    async def CheckStream(
        self, request_iterator: AsyncIterator[match_pb2.CheckStreamRequest], context: Context
    ) -> None:
        """Checks many items, and answers in order."""
        self._refresher.view()
        async with idle_limit(self._limits.max_stream_idle_ms) as movement:
            await self._stream(request_iterator, context, movement)

    async def _stream(
        self,
        requests: AsyncIterator[match_pb2.CheckStreamRequest],
        context: Context,
        movement: Movement,
    ) -> None:
        room = asyncio.Semaphore(self._limits.max_items_in_flight)
        pending: asyncio.Queue[_Pending | None] = asyncio.Queue()
        reader = asyncio.create_task(self._read(requests, room, pending))
        try:
            while (answer := await pending.get()) is not None:
                if isinstance(answer, asyncio.Task):
                    movement.is_ours = True
                    answer = await answer
                    movement.is_ours = False
                await context.write(answer)
                movement.is_seen = True
                room.release()
            await reader
        finally:
            left: list[asyncio.Task[Any]] = [reader]
            while not pending.empty():
                if isinstance(unanswered := pending.get_nowait(), asyncio.Task):
                    left.append(unanswered)
            for unfinished in left:
                unfinished.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _read(
        self,
        requests: AsyncIterator[match_pb2.CheckStreamRequest],
        room: asyncio.Semaphore,
        pending: "asyncio.Queue[_Pending | None]",
    ) -> None:
        """Starts an item whenever there is room for it and its answer; `None` is the end.

        Raises:
            NotReadyError: the stream ends with it; the item was not refused.
        """
        searches = asyncio.Semaphore(MOST_SEARCHES - 1)
        try:
            await room.acquire()
            async for request in requests:
                begun = self._begin(request)
                pending.put_nowait(begun)
                if isinstance(begun, asyncio.Task):
                    begun.add_done_callback(lambda _: searches.release())
                    await searches.acquire()
                await room.acquire()
        finally:
            pending.put_nowait(None)

    def _begin(self, request: match_pb2.CheckStreamRequest) -> "_Pending":
        """Answers an item that is searched quickly; a longer search goes on in a thread."""
        try:
            view = self._refresher.view()
            item = to_item(request.item, self._limits.max_hashes_per_item)
            if view.snapshot.search_ns(item) <= INLINE_NS:
                return self._answered(request, view, view.snapshot.judge(item))
        except NotReadyError:
            raise
        except Exception as error:  # noqa: BLE001  one item's fault is not the next one's
            return self._refused(request, error)
        return asyncio.create_task(self._outcome(request, view, item))

    async def _outcome(
        self, request: match_pb2.CheckStreamRequest, view: View, item: Item
    ) -> _Outcome:
        try:
            return self._answered(request, view, await self._search(view, item))
        except Exception as error:  # noqa: BLE001  as above
            return self._refused(request, error)

    def _answered(
        self, request: match_pb2.CheckStreamRequest, view: View, verdict: Verdict
    ) -> _Outcome:
        self._counts.add(METHOD_STREAM_ITEM, "OK")
        return _Outcome(tag=request.tag, answer=view.responses[verdict])

    def _refused(self, request: match_pb2.CheckStreamRequest, error: Exception) -> _Outcome:
        status = status_of(error)
        self._counts.add(METHOD_STREAM_ITEM, CODES[status.code].name)
        return _Outcome(tag=request.tag, error=status)

    async def GetPolicy(
        self, request: match_pb2.GetPolicyRequest, context: Context
    ) -> match_pb2.GetPolicyResponse:
        """Says what is judged, the limits and how fresh the list is."""
        snapshot = self._refresher.view().snapshot
        return match_pb2.GetPolicyResponse(
            media=media_policies(snapshot.rules),
            limits=match_pb2.Limits(
                max_hashes_per_item=self._limits.max_hashes_per_item,
                max_items_in_flight=self._limits.max_items_in_flight,
                max_message_bytes=self._limits.max_message_bytes,
            ),
            checkpoint=from_checkpoint(snapshot.checkpoint),
            list_age_ms=self._refresher.age_ms(),
        )

    async def _search(self, view: View, item: Item) -> Verdict:
        """Judges an item in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, view.snapshot.judge, item)
