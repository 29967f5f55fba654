"""A thread asks Linux for what Python has no word for, and for nothing else."""

import ctypes
import sys
from multiprocessing import get_context

import pytest

from engine import prctl
from engine.prctl import DEFAULT_SLACK_NS, refuse_large_pages, set_timer_slack
from tests.engine.test_time_slice import in_thread

NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is of Linux")
GET_TIMER_SLACK = 30
GET_THP_DISABLE = 42


def asked(option: int) -> int:
    return int(ctypes.CDLL(None).prctl(option, *map(ctypes.c_ulong, (0, 0, 0, 0))))


@NEEDS_LINUX
def test_timer_slack_is_of_the_thread_and_of_those_it_starts() -> None:
    def slacks_ns() -> tuple[bool, int, int]:
        return set_timer_slack(1), asked(GET_TIMER_SLACK), in_thread(lambda: asked(GET_TIMER_SLACK))

    before_ns = asked(GET_TIMER_SLACK)
    assert in_thread(slacks_ns) == (True, 1, 1)
    assert asked(GET_TIMER_SLACK) == before_ns


@NEEDS_LINUX
def test_timer_slack_can_be_put_back() -> None:
    def slack_ns() -> int:
        set_timer_slack(1)
        set_timer_slack(DEFAULT_SLACK_NS)
        return asked(GET_TIMER_SLACK)

    assert in_thread(slack_ns) == DEFAULT_SLACK_NS


def large_pages_refused() -> tuple[bool, int]:
    return refuse_large_pages(), asked(GET_THP_DISABLE)


@NEEDS_LINUX
def test_large_pages_are_refused_by_the_whole_process() -> None:
    with get_context("spawn").Pool(1) as pool:  # it cannot be undone by who asks for no more
        assert pool.apply(large_pages_refused) == (True, 1)


@NEEDS_LINUX
def test_what_linux_refuses_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prctl, "_SET_TIMER_SLACK", 1 << 20)
    assert not set_timer_slack(1)


@NEEDS_LINUX
def test_library_without_the_call_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not set_timer_slack(1)


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", None)
    assert not set_timer_slack(1)
    assert not refuse_large_pages()
