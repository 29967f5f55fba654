"""Reads beside a change: none is cut, none waits for ever."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.errors import StoreUnusableError
from engine.read_count import ReadCount

LIMIT_S = 20.0


def change(reads: ReadCount, did: Callable[[], None]) -> None:
    with reads.none():
        did()


def test_change_waits_for_reads_of_other_threads_and_later_reads_for_it() -> None:
    reads, order = ReadCount(), list[str]()
    with ThreadPoolExecutor(2) as pool:
        with reads.one():
            changing = pool.submit(change, reads, lambda: order.append("change"))
            while not reads._is_changing:
                threading.Event().wait(0.001)

            def later() -> None:
                with reads.one():
                    order.append("later read")

            reading = pool.submit(later)
            with reads.one():  # within its own, it waits for nothing
                order.append("read")
        changing.result(LIMIT_S)
        reading.result(LIMIT_S)
    assert order == ["read", "change", "later read"]


def test_reads_do_not_end_the_change_is_given_up_and_reading_goes_on() -> None:
    reads = ReadCount(wait_limit_s=0.01)
    with ThreadPoolExecutor(1) as pool, reads.one():
        with pytest.raises(StoreUnusableError, match="do not end"):
            pool.submit(change, reads, lambda: None).result(LIMIT_S)
        with reads.one():
            pass
    change(reads, lambda: None)


def test_thread_changes_what_it_reads_itself_it_is_told_at_once() -> None:
    reads = ReadCount()
    with reads.one(), pytest.raises(StoreUnusableError, match="read it again"):
        change(reads, lambda: None)
