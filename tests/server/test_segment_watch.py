"""When a folder of segments is looked at."""

import time
from pathlib import Path
from typing import Final

import pytest

from engine.index_kind import IndexKind
from engine.segment import SegmentFolder
from server.segment_watch import LOOK_INTERVAL_MS, SegmentWatch
from tests.engine.values import FakeClock

_TICK_S: Final = 0.05  # more than the clock of a file system takes for one


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def watch(tmp_path: Path, clock: FakeClock) -> SegmentWatch:
    watch = SegmentWatch(SegmentFolder(tmp_path / "segments", IndexKind.AUTO), clock)
    assert watch.is_due()
    return watch


def test_nothing_has_changed_it_is_looked_at_after_a_while(
    watch: SegmentWatch, clock: FakeClock
) -> None:
    clock.now_ms += LOOK_INTERVAL_MS - 1
    assert not watch.is_due()
    clock.now_ms += 1
    assert watch.is_due()
    assert not watch.is_due()


def test_folder_or_a_name_in_it_is_new_it_is_looked_at_once(
    watch: SegmentWatch, tmp_path: Path
) -> None:
    for path in (tmp_path / "segments", tmp_path / "segments" / "one"):
        time.sleep(_TICK_S)
        path.mkdir()
        assert watch.is_due()
        assert not watch.is_due()


def test_what_was_held_is_forgotten_it_is_looked_at_again(watch: SegmentWatch) -> None:
    watch.forget()
    assert watch.is_due()
