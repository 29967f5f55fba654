"""Following a store: first load, changes, failures, and many readers beside one poller."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from engine.entries import Checkpoint, ItemId, NewItem
from engine.errors import CorruptError, LogTruncatedError, NotReadyError
from engine.follower import Follower
from engine.index_choice import choosers
from engine.index_kind import IndexKind
from engine.lmdb_store import LmdbWriter, create_store
from engine.policy import BankPolicy
from engine.progress import Stage, untold
from engine.segment import Segment
from engine.store import Contents, Delta, StoreReader
from engine.verdict import Verdict
from tests.engine.values import FakeClock, ListModel, bank, pdq, picture, value


class ModelStore:
    """A store in memory that fails when a test wants it to."""

    def __init__(self, model: ListModel) -> None:
        self.model = model
        self.failures: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.on_head: Callable[[], None] = lambda: None

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failures:
            raise self.failures[name]

    def head(self) -> Checkpoint:
        self._called("head")
        self.on_head()
        return self.model.checkpoint

    def contents(self, stage: Stage = untold) -> Contents:
        self._called("contents")
        return self.model.contents()

    def delta(self, base: Checkpoint, most_entries: int | None = None) -> Delta:
        self._called("delta")
        return self.model.delta(base)


class World:
    """A followed store."""

    def __init__(self) -> None:
        self.model = ListModel(bank(1))
        self.store = ModelStore(self.model)
        self.clock = FakeClock()
        self.follower = Follower(cast("StoreReader", self.store), self.clock)

    def load(self, number: int) -> None:
        self.model.load(1, picture(pdq(value(number))))

    def verdict(self, number: int) -> Verdict:
        return self.follower.snapshot.judge(picture(pdq(value(number))))


@pytest.fixture
def world() -> World:
    return World()


def test_before_the_first_poll_nothing_is_ready(world: World) -> None:
    with pytest.raises(NotReadyError):
        world.follower.snapshot  # noqa: B018
    with pytest.raises(NotReadyError):
        world.follower.age_ms()


def test_changes_are_followed_by_deltas(world: World) -> None:
    assert world.follower.poll()
    assert world.verdict(1) is Verdict.NOVEL
    world.load(1)
    assert world.follower.poll()
    assert world.verdict(1) is Verdict.KNOWN
    world.model.withdraw(list(world.model.listed))
    assert world.follower.poll()
    assert world.verdict(1) is Verdict.NOVEL
    assert world.store.calls.count("contents") == 1
    assert world.follower.resets == 0


def test_snapshot_stays_the_same_object_while_nothing_changes(world: World) -> None:
    world.follower.poll()
    snapshot = world.follower.snapshot
    assert not world.follower.poll()
    assert world.follower.snapshot is snapshot


def test_age_grows_between_polls_and_is_counted_from_before_the_head_was_read(
    world: World,
) -> None:
    world.follower.poll()
    world.clock.now_ms += 70
    assert world.follower.age_ms() == 70
    world.store.on_head = lambda: setattr(world.clock, "now_ms", world.clock.now_ms + 5)
    world.follower.poll()
    assert world.follower.age_ms() == 5


def test_failing_poll_keeps_the_snapshot_and_lets_it_age(world: World) -> None:
    world.follower.poll()
    world.store.failures["head"] = OSError("gone")
    world.clock.now_ms += 1_000
    with pytest.raises(OSError, match="gone"):
        world.follower.poll()
    assert world.follower.age_ms() == 1_000
    assert world.verdict(1) is Verdict.NOVEL
    del world.store.failures["head"]
    assert not world.follower.poll()
    assert world.follower.age_ms() == 0


def test_polls_fail_again_and_again_nothing_is_kept_of_them(world: World) -> None:
    world.follower.poll()
    world.load(1)
    world.store.failures["delta"] = OSError("gone")
    for _ in range(9):
        with pytest.raises(OSError, match="gone"):
            world.follower.poll()
    assert not world.follower.is_behind
    assert not world.follower._ahead
    del world.store.failures["delta"]
    world.follower.poll()
    assert world.follower.age_ms() == 0


@pytest.mark.parametrize("error", [LogTruncatedError("gap"), CorruptError("record 2")])
def test_log_that_does_not_lead_on_resets(world: World, error: Exception) -> None:
    world.follower.poll()
    world.load(1)
    world.store.failures["delta"] = error
    assert world.follower.poll()
    assert world.verdict(1) is Verdict.KNOWN
    assert world.follower.resets == 1


def test_delta_that_is_wrong_resets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.follower.poll()
    world.load(1)
    honest = world.store.delta
    base = world.follower.snapshot.checkpoint

    def wrong(_: Checkpoint, most_entries: int | None = None) -> Delta:
        delta = honest(base)
        return Delta(delta.base, delta.head, delta.banks, (), ListModel().contents().columns)

    monkeypatch.setattr(world.store, "delta", wrong)
    assert world.follower.poll()
    assert world.verdict(1) is Verdict.KNOWN
    assert world.follower.resets == 1


def test_damaged_store_is_corrupt_and_the_last_snapshot_stays(world: World) -> None:
    world.follower.poll()
    world.load(1)
    for name in ("delta", "contents"):
        world.store.failures[name] = CorruptError("record 2")
    with pytest.raises(CorruptError):
        world.follower.poll()
    assert world.verdict(1) is Verdict.NOVEL
    assert world.follower.resets == 0


def test_readers_beside_the_poller_see_whole_checkpoints(world: World) -> None:
    world.follower.poll()
    stop = threading.Event()
    wrong: list[Any] = []

    def read() -> None:
        while not stop.is_set():
            snapshot = world.follower.snapshot
            count = snapshot.checkpoint.entry_count
            for number in (count, count + 1):
                known = snapshot.judge(picture(pdq(value(number)))) is Verdict.KNOWN
                if known != (1 <= number <= count):
                    wrong.append((number, count))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 60):
        world.load(number)
        world.follower.poll()
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []


MOST = 3


class Backlog:
    """A store on disk, and a follower that takes up `MOST` entries a poll."""

    def __init__(self, store: LmdbWriter) -> None:
        self.store = store
        self.clock = FakeClock()
        self.bank = store.put_bank("REMOVED", BankPolicy())
        self.follower = Follower(store, self.clock, max_poll_entries=MOST)
        self.follower.poll()

    def load(self, *numbers: int) -> None:
        items = [NewItem(picture(pdq(value(number)))) for number in numbers]
        self.store.load(self.bank.bank_id, items)

    def steps(self) -> list[int]:
        """Polls to the head; how many entries are listed after each poll."""
        counts = []
        while self.follower.poll():
            counts.append(self.follower.snapshot.checkpoint.entry_count)
        assert self.follower.snapshot.checkpoint == self.store.head()
        assert self.follower.resets == 0
        return counts


@pytest.fixture
def backlog(tmp_path: Path) -> Iterator[Backlog]:
    create_store(tmp_path / "store")
    with LmdbWriter(tmp_path / "store") as store:
        yield Backlog(store)


def test_more_is_listed_than_one_poll_takes_the_next_ones_take_the_rest(backlog: Backlog) -> None:
    for number in range(8):
        backlog.load(number)
    assert backlog.steps() == [3, 6, 8]


def test_one_change_larger_than_a_poll_takes_is_taken_whole(backlog: Backlog) -> None:
    backlog.load(*range(10))
    backlog.load(10)
    assert backlog.steps() == [10, 11]


def test_item_came_and_went_no_poll_ends_in_between(backlog: Backlog) -> None:
    for number in range(6):
        backlog.load(number)
    backlog.store.withdraw([ItemId(2)])
    backlog.load(6)
    assert backlog.steps() == [1, 5, 6]


def test_policy_changes_no_poll_ends_before_it(backlog: Backlog) -> None:
    for number in range(6):
        backlog.load(number)
    backlog.store.put_bank("REMOVED", BankPolicy(enabled=False))
    for number in range(6, 10):
        backlog.load(number)
    assert backlog.steps() == [6, 9, 10]


def test_while_behind_the_age_is_that_of_the_head_that_was_reached(backlog: Backlog) -> None:
    follower, clock = backlog.follower, backlog.clock
    for number in range(4):
        backlog.load(number)
    clock.now_ms += 100
    follower.poll()  # comes up to 3 of these 4
    seen = [(follower.is_behind, follower.age_ms())]
    for number in range(4, 8):
        backlog.load(number)
    for passed_ms in (10, 1):
        clock.now_ms += passed_ms
        follower.poll()  # to the 6th, so past the head of the first poll; then to the last
        seen.append((follower.is_behind, follower.age_ms()))
    assert seen == [(True, 100), (True, 10), (False, 0)]


def segment_of(follower: Follower) -> Segment:
    """What a builder would make of what is held now."""
    snapshot = follower.snapshot
    return Segment.build(snapshot.checkpoint, snapshot.columns(), choosers(IndexKind.AUTO))


def test_old_segment_is_adopted_in_steps_and_what_is_held_stays_until_then(
    backlog: Backlog,
) -> None:
    backlog.load(0)
    backlog.steps()
    old = segment_of(backlog.follower)
    for number in range(1, 8):
        backlog.load(number)
    assert backlog.steps() == [4, 7, 8]
    held = backlog.follower.snapshot
    assert not backlog.follower.adopt(old)  # comes up to 4 of these 8
    assert not backlog.follower.adopt(old)
    assert backlog.follower.snapshot is held
    backlog.load(8)
    assert backlog.steps() == [9]
    backlog.clock.now_ms += 5
    assert backlog.follower.adopt(old)
    assert backlog.follower.snapshot.checkpoint == backlog.store.head()
    assert backlog.follower.snapshot.loose_count() == 8  # the rest is of the segment
    assert backlog.follower.age_ms() == 5


def test_first_list_is_an_old_segment_it_is_not_held_before_it_has_come_up(
    backlog: Backlog,
) -> None:
    old = segment_of(backlog.follower)
    for number in range(8):
        backlog.load(number)
    follower = Follower(backlog.store, backlog.clock, max_poll_entries=MOST)
    held = []
    while not (is_held := follower.adopt(old)):
        with pytest.raises(NotReadyError):
            follower.age_ms()
        held.append(is_held)
        backlog.clock.now_ms += 100
        backlog.load(10 + len(held))  # those who are behind have to come up to where it was
    assert len(held) == 2
    assert follower.age_ms() == 200
    follower.poll()
    assert follower.snapshot.checkpoint == backlog.store.head()
    assert follower.age_ms() == 0


def test_segment_does_not_lead_on_halfway_what_is_held_stays(world: World) -> None:
    world.follower.poll()
    segment = segment_of(world.follower)
    world.load(1)
    world.follower.poll()
    held = world.follower.snapshot
    world.store.failures["delta"] = LogTruncatedError("gap")
    with pytest.raises(LogTruncatedError):
        world.follower.adopt(segment)
    assert world.follower.snapshot is held
    del world.store.failures["delta"]
    assert world.follower.adopt(segment)
    assert world.verdict(1) is Verdict.KNOWN
