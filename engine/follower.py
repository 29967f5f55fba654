"""Keeps a snapshot in step with a store.

One thread polls; any number read `snapshot` and `age_ms`, without a lock: what they
read is one reference to one immutable value. When to poll is the caller's business.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from engine.clock import Clock
from engine.errors import CorruptError, LogTruncatedError, NotReadyError
from engine.index_choice import Choosers, choosers
from engine.index_kind import IndexKind
from engine.progress import Stage, untold
from engine.segment import Segment
from engine.snapshot import Snapshot
from engine.store import StoreReader

# Of one poll: about 0.6 s. Without a bound, while more is listed than can be followed, each delta
# would be longer than the one before, and nothing new be served until the end of it. Shorter
# ones cost more, since neighbouring parts are indexed anew: 300,000 entries took 1.1 s of a core in
# one poll, 1.5 s by 100,000 and 2.3 s by 30,000.
MAX_POLL_ENTRIES: Final = 131_072


@dataclass(frozen=True, slots=True)
class _State:
    snapshot: Snapshot
    in_step_at_ms: int  # monotonic: the list was certainly this one then


@dataclass(frozen=True, slots=True)
class _Coming:
    """A segment on its way to where the store was when it was offered.

    Attributes:
        segment: what it began as.
        snapshot: how far it is.
        goal: where it has to come, as a sequence.
        asked_at_ms: monotonic: when the store was there.
    """

    segment: Segment
    snapshot: Snapshot
    goal: int
    asked_at_ms: int


class Follower:
    """Follows the log of a store.

    Attributes:
        resets: how often what was held was no good and the whole list was read anew.
    """

    def __init__(
        self,
        store: StoreReader,
        clock: Clock,
        choose: Choosers | None = None,
        max_poll_entries: int = MAX_POLL_ENTRIES,
        stage: Stage = untold,
    ) -> None:
        """Loads nothing yet.

        Args:
            store: what is followed.
            clock: to know the age by.
            choose: what to search each hash type with; FAISS or multi-index hashing by length
                when it is not said.
            max_poll_entries: how many entries that were added or removed one poll takes up,
                if the log lets it (see `engine.log_span`).
            stage: told how far the reading of a whole list is (`read`, `digest`).
        """
        self._store = store
        self._clock = clock
        self._choose = choosers(IndexKind.AUTO) if choose is None else choose
        self._max_poll_entries = max_poll_entries
        self._stage = stage
        self._state: _State | None = None
        self._coming: _Coming | None = None
        # Heads that the snapshot has not come up to, as sequence and when each was seen.
        self._ahead: deque[tuple[int, int]] = deque()
        self.resets = 0

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot; the same object for as long as the list does not change.

        Raises:
            NotReadyError: nothing was loaded yet.
        """
        return self._loaded().snapshot

    @property
    def is_behind(self) -> bool:
        """Whether the last poll left changes that it saw for the next one."""
        return bool(self._ahead)

    def age_ms(self) -> int:
        """Milliseconds since the snapshot was known to be in step with the store.

        A snapshot that is behind was in step when the newest head that it has come up to was seen.

        Raises:
            NotReadyError: nothing was loaded yet.
        """
        return self._clock.monotonic_ms() - self._loaded().in_step_at_ms

    def _loaded(self) -> _State:
        state = self._state
        if state is None:
            raise NotReadyError("the list is not loaded yet")
        return state

    def poll(self) -> bool:
        """Goes on towards the store's head; the first time, loads the whole list.

        One poll takes up so many changes and no more; while there are others, `is_behind`. When it
        fails, the last snapshot stays and its age grows.

        Returns:
            whether the snapshot is another than before.

        Raises:
            CorruptError: the store's list is damaged.
        """
        # Before the head is read: a change made right after it must not look seen.
        asked_at_ms = self._clock.monotonic_ms()
        state = self._state
        head = self._store.head()
        if state is not None and head == state.snapshot.checkpoint:
            self._ahead.clear()
            self._state = _State(state.snapshot, asked_at_ms)
            return False
        snapshot = self._next(state)
        self._ahead.append((head.sequence, asked_at_ms))
        self._hold(snapshot, asked_at_ms if state is None else state.in_step_at_ms)
        return True

    def adopt(self, segment: Segment) -> bool:
        """Goes on towards holding a segment; to be called again until it says that it is held.

        One call takes up as many changes as one poll. What is held stays, and is to be polled,
        until the segment has come up to it. When it fails, all stays as it is, and the segment is
        let go.

        Returns:
            whether the segment is held now.

        Raises:
            LogTruncatedError: the log does not lead on from it, as after a restored backup.
            CorruptError: the store's list is damaged.
        """
        coming, self._coming = self._coming, None
        if coming is None or coming.segment is not segment:
            asked_at_ms = self._clock.monotonic_ms()
            goal = self._store.head().sequence
            coming = _Coming(
                segment, Snapshot.from_segment(segment, self._choose), goal, asked_at_ms
            )
        snapshot = self._advanced(coming.snapshot)
        goal, in_step_at_ms, state = coming.goal, coming.asked_at_ms, self._state
        if state is not None:
            goal = max(goal, state.snapshot.checkpoint.sequence)
            in_step_at_ms = max(in_step_at_ms, state.in_step_at_ms)
        if snapshot.checkpoint.sequence < goal:
            self._coming = replace(coming, snapshot=snapshot)
            return False
        self._hold(snapshot, in_step_at_ms)
        return True

    def _hold(self, snapshot: Snapshot, in_step_at_ms: int) -> None:
        """Takes a snapshot that was in step then, or later: at the newest head that it reaches."""
        while self._ahead and self._ahead[0][0] <= snapshot.checkpoint.sequence:
            in_step_at_ms = max(in_step_at_ms, self._ahead.popleft()[1])
        self._state = _State(snapshot, in_step_at_ms)

    def reload(self) -> None:
        """Reads the whole list anew, whatever is held; counts as a reset.

        When it fails, all stays as it is.

        Raises:
            CorruptError: the store's list is damaged.
        """
        asked_at_ms = self._clock.monotonic_ms()
        snapshot = self._whole()
        self._ahead.clear()
        self._state = _State(snapshot, asked_at_ms)
        self.resets += 1

    def _next(self, state: _State | None) -> Snapshot:
        if state is None:
            return self._whole()
        try:
            return self._advanced(state.snapshot)
        except (LogTruncatedError, CorruptError):
            # Either this copy or the store is wrong; reading the whole list tells which.
            snapshot = self._whole()
            self.resets += 1
            return snapshot

    def _advanced(self, snapshot: Snapshot) -> Snapshot:
        return snapshot.advance(self._store.delta(snapshot.checkpoint, self._max_poll_entries))

    def _whole(self) -> Snapshot:
        return Snapshot.of(self._store.contents(self._stage), self._choose, self._stage)
