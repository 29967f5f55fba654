"""One process of the server, as the supervisor sees it."""

import selectors
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.child import Child, Role
from server.orders import Order
from tests.server.test_states import within_patience

ORDER = Order("# nothing", Path("/"), {}, is_early=True, digests_fd=2)
SERVES = "import sys; sys.stdin.readline(); print('{\"serving\": true}', flush=True); "


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as made:
        yield made


def start(
    selector: selectors.BaseSelector, code: str, order: Order = ORDER, *, is_needed: bool = True
) -> Child:
    return Child(Role("worker", ("-c", code), is_needed), [sys.executable], order, selector)


def await_end(child: Child) -> int:
    assert within_patience(lambda: child.exit_code() is not None)
    code = child.exit_code()
    assert code is not None
    return code


def await_serving(child: Child, selector: selectors.BaseSelector) -> None:
    while not child.is_serving:
        assert selector.select(40)
        child.read()


def test_serves_and_ends_both_are_seen(selector: selectors.BaseSelector) -> None:
    child = start(selector, SERVES + "sys.stdin.readline(); sys.exit(7)")
    await_serving(child, selector)
    assert child.exit_code() is None
    child.terminate(kill_at_ms=5)
    assert child.kill_at_ms == 5
    assert await_end(child) == -15
    assert (child.is_serving, child.has_served) == (False, True)
    assert not selector.get_map()


def test_begins_in_vain_reason_and_code_are_kept(selector: selectors.BaseSelector) -> None:
    code = 'print(\'{"failed": "store: gone"}\'); raise SystemExit(3)'
    child = start(selector, code)
    assert await_end(child) == 3
    assert (child.failure, child.has_served) == ("store: gone", False)


def test_prints_whatever_else_it_is_passed_over(selector: selectors.BaseSelector) -> None:
    child = start(selector, "print('x' * 1_000_000); print('hello'); " + SERVES + "input()")
    await_serving(child, selector)
    child.kill()
    assert await_end(child) == -9


def test_dies_without_reading_a_long_order_its_end_is_seen(
    selector: selectors.BaseSelector,
) -> None:
    long = Order("#" * 1_000_000, Path("/"), {}, is_early=True, digests_fd=2)
    assert await_end(start(selector, "raise SystemExit(4)", long)) == 4


def test_closes_its_stdout_and_runs_on_is_waited_for_without_spinning(
    selector: selectors.BaseSelector,
) -> None:
    child = start(selector, "import os, sys; os.close(1); sys.stdin.readlines()")
    assert selector.select(40)
    child.read()
    assert not selector.get_map()
    assert child.exit_code() is None
    child.kill()
    assert await_end(child) == -9
