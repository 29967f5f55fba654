"""Long work offers the core now and then, and keeps a fifth of the time for itself."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from engine import turns
from engine.turns import TURN_NS, in_turns, offer


class Core:
    """A clock that stands still but when somebody works on the core: us, or others by our offer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        self.taken_ns: Callable[[], int] = lambda: 0
        self.offers_ns: list[int] = []
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.now_ns)
        monkeypatch.setattr(os, "sched_yield", self.offer)
        monkeypatch.setattr(turns._turn, "end_ns", TURN_NS)

    def offer(self) -> None:
        self.offers_ns.append(self.now_ns)
        self.now_ns += self.taken_ns()

    def work(self, step_ns: int, steps: int) -> None:
        for _ in in_turns(range(steps)):
            self.now_ns += step_ns


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    return Core(monkeypatch)


def test_every_step_comes_in_order() -> None:
    assert list(in_turns(iter("steps"))) == list("steps")
    assert list(in_turns([])) == []


def test_no_step_is_taken_ahead() -> None:
    steps = iter(range(5))
    assert list(islice(in_turns(steps), 2)) == [0, 1]
    assert next(steps) == 2


def test_within_a_turn_nothing_is_offered(core: Core) -> None:
    core.work(TURN_NS // 10, 10)
    assert core.offers_ns == []


def test_nobody_waits_the_core_is_offered_each_turn(core: Core) -> None:
    core.work(TURN_NS // 10, 100)
    assert core.offers_ns == [TURN_NS * turn for turn in range(1, 10)]


def test_turn_is_long_over_the_core_is_offered_first(core: Core) -> None:
    core.now_ns = TURN_NS * 1_000
    core.work(TURN_NS // 10, 5)
    assert core.offers_ns == [TURN_NS * 1_000]


def test_turn_goes_on_from_one_work_to_the_next(core: Core) -> None:
    for _ in range(10):
        core.work(TURN_NS // 10, 5)
        offer()
    assert core.offers_ns == [TURN_NS * turn for turn in range(1, 6)]


def test_each_thread_has_a_turn_of_its_own(core: Core) -> None:
    core.now_ns = TURN_NS
    offer()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(offer).result()
    offer()
    assert core.offers_ns == [TURN_NS, TURN_NS]


def test_step_is_longer_than_a_turn_the_core_is_offered_after_each(core: Core) -> None:
    core.work(TURN_NS * 3, 4)
    assert core.offers_ns == [TURN_NS * 3 * step for step in range(1, 4)]


def test_others_always_wait_a_fifth_of_the_time_is_kept(core: Core) -> None:
    core.taken_ns = lambda: TURN_NS * 50
    core.work(TURN_NS // 10, 20_000)
    assert pytest.approx(core.now_ns / 5, rel=0.05) == TURN_NS // 10 * 20_000


def test_others_have_had_enough_the_turns_are_short_again(core: Core) -> None:
    waits = iter([TURN_NS * 50])
    core.taken_ns = lambda: next(waits, 0)
    core.work(TURN_NS // 10, 1_000)
    turns_ns = [end - begin for begin, end in zip(core.offers_ns, core.offers_ns[1:], strict=False)]
    assert turns_ns[:2] == [TURN_NS * 50 * 5 // 4, TURN_NS]
