"""When a folder of segments is looked at."""

import random
import threading
import time
from pathlib import Path
from typing import Final

import pytest

from engine.file_digest import file_digest
from engine.index_kind import IndexKind
from engine.segment import SegmentFolder
from server.segment_watch import LOOK_INTERVAL_MS, FoundSegment, SegmentWatch
from tests.engine.some_items import some_item
from tests.engine.test_segment import model_of, segment_of
from tests.engine.values import FakeClock
from tests.server.test_states import within_patience

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


def found(watch: SegmentWatch) -> FoundSegment:
    """What the watch finds, asked as a refresher does."""
    segments: list[FoundSegment] = []

    def is_found() -> bool:
        segment = watch.poll() if watch.is_due() else None
        segments.extend([] if segment is None else [segment])
        return bool(segments)

    assert within_patience(is_found)
    return segments[0]


def test_what_happens_while_a_segment_is_read_is_seen_after_it(
    tmp_path: Path, clock: FakeClock
) -> None:
    is_let = threading.Event()

    def digest(file: Path) -> str:
        is_let.wait()
        return file_digest(file)

    path, model = tmp_path / "segments", model_of(20)
    folder = SegmentFolder(path, IndexKind.AUTO)
    first = folder.write(segment_of(model))
    watch = SegmentWatch(SegmentFolder(path, IndexKind.AUTO, digest), clock)
    assert watch.is_due()
    assert watch.poll() is None  # it is being read
    model.load(1, some_item(random.Random(7)))
    second = folder.write(segment_of(model))
    assert watch.is_due()
    assert watch.poll() is None
    is_let.set()
    assert found(watch).name == first
    assert found(watch).name == second


def test_segment_is_put_aside_before_it_is_held_that_is_seen_at_once(
    tmp_path: Path, clock: FakeClock
) -> None:
    folder = SegmentFolder(tmp_path / "segments", IndexKind.AUTO)
    name = folder.write(segment_of(model_of(20)))
    watch = SegmentWatch(folder, clock)
    segment = found(watch)
    folder.put_aside(name)
    assert watch.is_due()  # as when it is looked at in between
    watch.hold(segment)
    assert watch.is_due()
    assert watch.damaged() == name
