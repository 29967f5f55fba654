"""`MatchService` from inside: where it searches, and how a stream holds its callers back."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from engine.entries import Checkpoint
from engine.errors import NotReadyError
from engine.hashes import Item
from engine.verdict import Verdict
from firstseen.v1 import match_pb2
from server import service as service_module
from server.config import LimitsConfig
from server.convert import check_responses
from server.idle import IdleError
from server.refresh import Refresher, View
from server.service import INLINE_NS, MatchService, search_pool
from server.telemetry import CallCounts
from tests.server.worlds import check, message

IN_FLIGHT = 4
LIMIT_S = 30.0


class FakeSnapshot:
    """A list of any size, judged by whatever a test says."""

    def __init__(self, search_ns: int, judge: Callable[[Item], Verdict]) -> None:
        self.checkpoint = Checkpoint(1, 1, 0)
        self.search_ns = lambda _: search_ns
        self.judge = judge


class FakeRefresher:
    """Gives out one view, until a test takes it away."""

    def __init__(self, snapshot: FakeSnapshot) -> None:
        responses = check_responses(snapshot.checkpoint)
        self._view = View(cast("Any", snapshot), responses, cast("Any", None))
        self.views_left = 1_000_000

    def view(self) -> View:
        self.views_left -= 1
        if self.views_left < 0:
            raise NotReadyError("gone")
        return self._view


class FakeContext:
    """Collects what is written; a test can hold it back."""

    def __init__(self) -> None:
        self.written: list[match_pb2.CheckStreamResponse] = []
        self.may_write = asyncio.Event()
        self.may_write.set()

    async def write(self, answer: match_pb2.CheckStreamResponse) -> None:
        await self.may_write.wait()
        self.written.append(answer)


class Requests:
    """Requests with tags from 0, counted as they are taken."""

    def __init__(self, count: int, pause_s: float = 0) -> None:
        self._count = count
        self._pause_s = pause_s
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[match_pb2.CheckStreamRequest]:
        while self.taken < self._count:
            self.taken += 1
            await asyncio.sleep(self._pause_s)
            yield match_pb2.CheckStreamRequest(tag=self.taken - 1, item=message(self.taken))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with search_pool() as threads:
        yield threads


def service_of(
    refresher: FakeRefresher, pool: ThreadPoolExecutor, idle_ms: int = 60_000
) -> MatchService:
    limits = LimitsConfig(max_items_in_flight=IN_FLIGHT, max_stream_idle_ms=idle_ms)
    return MatchService(cast("Refresher", refresher), limits, pool, CallCounts())


@pytest.mark.parametrize(("search_ns", "inline"), [(INLINE_NS, True), (INLINE_NS + 1, False)])
def test_small_list_is_searched_at_once_and_a_large_one_in_a_thread(
    pool: ThreadPoolExecutor, search_ns: int, inline: bool
) -> None:
    seen: list[threading.Thread] = []

    def judge(_: Item) -> Verdict:
        seen.append(threading.current_thread())
        return Verdict.NOVEL

    service = service_of(FakeRefresher(FakeSnapshot(search_ns, judge)), pool)
    answer = asyncio.run(service.Check(check(message(0)), cast("Any", None)))
    assert answer.verdict == int(Verdict.NOVEL)
    assert (seen[0] is threading.main_thread()) is inline


async def stream(service: MatchService, requests: Requests, context: FakeContext) -> None:
    await service.CheckStream(aiter(requests), cast("Any", context))


def test_answers_are_not_taken_no_more_items_are_read(pool: ThreadPoolExecutor) -> None:
    service = service_of(FakeRefresher(FakeSnapshot(1, lambda _: Verdict.NOVEL)), pool)

    async def run() -> tuple[int, int, list[int]]:
        requests, context = Requests(50), FakeContext()
        context.may_write.clear()
        call = asyncio.create_task(stream(service, requests, context))
        for _ in range(1_000):
            await asyncio.sleep(0)
        held = requests.taken
        context.may_write.set()
        await call
        return held, requests.taken, [answer.tag for answer in context.written]

    assert asyncio.run(run()) == (IN_FLIGHT, 50, list(range(50)))


def test_searches_take_long_no_more_items_are_read_than_keep_the_threads_busy(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MOST_SEARCHES", 2)
    may_end = threading.Event()

    def judge(_: Item) -> Verdict:
        may_end.wait(LIMIT_S)
        return Verdict.NOVEL

    service = service_of(FakeRefresher(FakeSnapshot(INLINE_NS + 1, judge)), pool)

    async def run() -> tuple[int, list[int]]:
        requests, context = Requests(50), FakeContext()
        call = asyncio.create_task(stream(service, requests, context))
        for _ in range(1_000):
            await asyncio.sleep(0)
        held = requests.taken
        may_end.set()
        await call
        return held, [answer.tag for answer in context.written]

    assert asyncio.run(run()) == (2, list(range(50)))


def test_item_crashes_the_others_are_answered_in_order(pool: ThreadPoolExecutor) -> None:
    calls = 0

    def judge(_: Item) -> Verdict:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise ValueError("SECRET")
        return Verdict.KNOWN

    service = service_of(FakeRefresher(FakeSnapshot(1, judge)), pool)
    context_of: list[FakeContext] = []

    async def run() -> None:
        context_of.append(FakeContext())
        await stream(service, Requests(6), context_of[0])

    asyncio.run(run())
    answers = context_of[0].written
    assert [answer.tag for answer in answers] == list(range(6))
    assert [answer.WhichOneof("outcome") for answer in answers] == [
        "error" if tag == 2 else "answer" for tag in range(6)
    ]
    assert answers[2].error.message == "internal error"


def test_list_gets_stale_in_a_stream_the_answered_stay_answered(pool: ThreadPoolExecutor) -> None:
    refresher = FakeRefresher(FakeSnapshot(1, lambda _: Verdict.NOVEL))
    refresher.views_left = 1 + 3
    service = service_of(refresher, pool)

    async def run() -> list[int]:
        context = FakeContext()
        with pytest.raises(NotReadyError):
            await stream(service, Requests(50), context)
        return [answer.tag for answer in context.written]

    assert asyncio.run(run()) == [0, 1, 2]


def test_caller_goes_away_no_work_is_left_behind(pool: ThreadPoolExecutor) -> None:
    service = service_of(FakeRefresher(FakeSnapshot(1, lambda _: Verdict.NOVEL)), pool)

    async def run() -> int:
        context = FakeContext()
        context.may_write.clear()
        call = asyncio.create_task(stream(service, Requests(50), context))
        for _ in range(100):
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize(("is_taken", "answered"), [(True, 3), (False, 0)])
def test_stream_stands_still_it_is_ended(
    pool: ThreadPoolExecutor, is_taken: bool, answered: int
) -> None:
    service = service_of(FakeRefresher(FakeSnapshot(1, lambda _: Verdict.NOVEL)), pool, 20)

    async def run() -> tuple[int, int]:
        context = FakeContext()
        if not is_taken:
            context.may_write.clear()
        requests = followed_by_nothing(aiter(Requests(3)))
        with pytest.raises(IdleError):
            await service.CheckStream(requests, cast("Any", context))
        return len(context.written), len(asyncio.all_tasks())

    assert asyncio.run(run()) == (answered, 1)


async def followed_by_nothing(
    requests: AsyncIterator[match_pb2.CheckStreamRequest],
) -> AsyncIterator[match_pb2.CheckStreamRequest]:
    """A caller who asks no more and does not say so."""
    async for request in requests:
        yield request
    await asyncio.Event().wait()


def test_stream_is_slow_it_is_not_ended_while_it_moves(pool: ThreadPoolExecutor) -> None:
    service = service_of(FakeRefresher(FakeSnapshot(1, lambda _: Verdict.NOVEL)), pool, 80)

    async def run() -> int:
        context = FakeContext()
        await stream(service, Requests(20, pause_s=0.01), context)
        return len(context.written)

    assert asyncio.run(run()) == 20


def test_search_takes_longer_than_a_stream_may_stand_still_it_is_awaited(
    pool: ThreadPoolExecutor,
) -> None:
    def judge(_: Item) -> Verdict:
        threading.Event().wait(0.1)
        return Verdict.NOVEL

    service = service_of(FakeRefresher(FakeSnapshot(INLINE_NS + 1, judge)), pool, 20)

    async def run() -> int:
        context = FakeContext()
        await stream(service, Requests(1), context)
        return len(context.written)

    assert asyncio.run(run()) == 1
