"""Keeps the list fresh: a thread that follows the store and swaps what the calls read.

Calls read one reference and take no lock. A list that could not be confirmed within the
staleness limit is not served. Whatever goes wrong after the first load is logged
and tried again; only the first load may end the process.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from engine.clock import Clock
from engine.entries import ItemId, ListedItem
from engine.errors import CorruptError, EngineError, LogTruncatedError, NotReadyError
from engine.follower import Follower
from engine.index_choice import Choosers
from engine.prctl import DEFAULT_SLACK_NS, set_timer_slack
from engine.progress import Stage, untold
from engine.snapshot import Snapshot
from engine.store import StoreReader
from engine.time_slice import ask_long_slices
from engine.verdict import Verdict
from firstseen.v1 import match_pb2
from server.config import StoreConfig
from server.convert import check_responses
from server.segment_watch import FoundSegment, SegmentWatch
from server.telemetry import location_of, log

MAX_BACKOFF_MS: Final = 2_000
LOG_AGAIN_MS: Final = 60_000
STOP_LIMIT_MS: Final = 2_000
# How long to wait for a segment in place of a damaged one. The builder takes about a minute for ten
# million hashes, and if each worker read them by itself meanwhile, they would have no memory.
REBUILD_LIMIT_MS: Final = 120_000


class FollowedStore(StoreReader, Protocol):
    """A store that can tell when another was put in its place."""

    def is_replaced(self) -> bool:
        """Whether the path now leads to another store (a restored backup)."""


@dataclass(frozen=True, slots=True)
class View:
    """What a call sees; replaced as one.

    Attributes:
        snapshot: the list.
        responses: every answer that can be given on it.
        follower: who brought it, and knows its age.
    """

    snapshot: Snapshot
    responses: Mapping[Verdict, match_pb2.CheckResponse]
    follower: Follower

    @classmethod
    def of(cls, follower: Follower) -> "View":
        """The view of what a follower holds."""
        snapshot = follower.snapshot
        return cls(snapshot, check_responses(snapshot.checkpoint), follower)


class Refresher:
    """Follows a store. One thread steps it, any number read it."""

    def __init__(
        self,
        open_store: Callable[[], FollowedStore],
        config: StoreConfig,
        clock: Clock,
        choose: Choosers | None = None,
        segments: SegmentWatch | None = None,
        rebuild_limit_ms: int = REBUILD_LIMIT_MS,
        stage: Stage = untold,
    ) -> None:
        """Opens the store; loads nothing yet.

        Args:
            open_store: opens it, and again what was put in its place.
            config: how often to look and how old a list may be.
            clock: the time.
            choose: what to search each hash type with, see `Follower`.
            segments: where to look for segments; None to do without.
            rebuild_limit_ms: how long to serve nothing and wait for another segment when the one
                that is mapped was found to be damaged. Then the store is read instead.
            stage: see `Follower`.

        Raises:
            EngineError: the store cannot be opened.
        """
        self._open_store = open_store
        self._config = config
        self._clock = clock
        self._store_lock = threading.Lock()  # between `items` and putting in another store
        self._store: FollowedStore | None = open_store()
        self._choose = choose
        self._segments = segments
        self._offered: FoundSegment | None = None  # being adopted
        self._rebuild_limit_ms = rebuild_limit_ms
        self._wait_until_ms: int | None = None  # for a segment; what is held is no good
        self._stage = stage
        self._follower = Follower(self._store, clock, choose, stage=stage)
        self._view: View | None = None
        self._failures = 0
        self._logged_ms: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresh", daemon=True)
        self.fatal: Exception | None = None

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ends following and closes the store.

        A step that takes longer than `STOP_LIMIT_MS` (the load of a large list) is left to
        end with the process, which it cannot keep alive.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT_MS / 1000)
            if self._thread.is_alive():
                return
        with self._store_lock:
            self._close()

    def view(self) -> View:
        """The list to answer from.

        Raises:
            NotReadyError: it is not loaded, or may be stale or damaged.
        """
        view = self.latest()
        if self._wait_until_ms is not None:
            raise NotReadyError("the segment is damaged, another is being made")
        if view.follower.age_ms() > self._config.staleness_limit_ms:
            raise NotReadyError("the list may be stale")
        return view

    def age_ms(self) -> int:
        """Milliseconds since the list was last known to be the newest.

        Raises:
            NotReadyError: it is not loaded.
        """
        return self.latest().follower.age_ms()

    def latest(self) -> View:
        """The newest list there is, fresh or not.

        Raises:
            NotReadyError: it is not loaded.
        """
        view = self._view
        if view is None:
            raise NotReadyError("the list is not loaded")
        return view

    def is_loaded(self) -> bool:
        """Whether there is a list, fresh or not."""
        return self._view is not None

    def is_fresh(self) -> bool:
        """Whether `view` would answer."""
        try:
            self.view()
        except NotReadyError:
            return False
        return True

    def items(self, view: View, item_ids: Sequence[ItemId]) -> Mapping[ItemId, ListedItem]:
        """Those of the items of a view that are still listed.

        Raises:
            NotReadyError: the view's store has been replaced.
        """
        with self._store_lock:
            if self._store is None or view.follower is not self._follower:
                raise NotReadyError("the store was replaced")
            return self._store.items(item_ids)

    def step(self) -> int:
        """Looks once whether the store has changed.

        A step takes up so many changes and no more: a list that is far behind takes several.

        Returns:
            Milliseconds to wait before the next step.
        """
        try:
            self._adopt_replaced()
            self._look_at_segments()
            resets = self._follower.resets
            if self._view is None and self._offered is not None:
                return 0  # the whole list is not read beside the segment
            if self._wait_until_ms is None:
                self._follower.poll()
                self._publish()
            elif self._clock.monotonic_ms() >= self._wait_until_ms:
                self._follower.reload()
                self._publish()
            if self._follower.resets > resets:
                self._on_reset()
        except Exception as error:  # noqa: BLE001  whatever it is, following goes on
            if self._view is None:
                self.fatal = error
            else:
                self._on_failure(error)
        else:
            self._on_success()
            is_behind = self._follower.is_behind and self._wait_until_ms is None
            if is_behind or self._offered is not None:
                return 0
        backoff_ms = self._config.poll_interval_ms << min(self._failures, 16)
        return min(backoff_ms, max(MAX_BACKOFF_MS, self._config.poll_interval_ms))

    def _adopt_replaced(self) -> None:
        """Goes over to the store that was put in place of the followed one."""
        if self._store is not None and not self._store.is_replaced():
            return
        with self._store_lock:
            # First closed, then opened: LMDB knows a path once in a process.
            self._close()
            self._store = self._open_store()
            self._follower = Follower(self._store, self._clock, self._choose, stage=self._stage)
        if self._wait_until_ms is not None:  # what was to be waited for is no more
            self._wait_until_ms = self._clock.monotonic_ms()
        self._offered = None
        if self._segments is not None:
            self._segments.forget()
        log("store_replaced", logging.WARNING)

    def _look_at_segments(self) -> None:
        """Goes on with the segment that is being adopted, or sees now and then what there is."""
        segments = self._segments
        if segments is not None and (self._offered is not None or segments.is_due()):
            self._drop_damaged(segments)
            self._adopt_segment(segments)

    def _drop_damaged(self, segments: SegmentWatch) -> None:
        """Serves nothing more from a segment that another process has found to be damaged."""
        name = segments.damaged()
        if name is not None:
            self._wait_until_ms = self._clock.monotonic_ms() + self._rebuild_limit_ms
            log("segment_dropped", logging.ERROR, segment=name)

    def _adopt_segment(self, segments: SegmentWatch) -> None:
        """Goes over to a newer segment, if there is one that belongs to this store's history."""
        found = self._offered
        if found is None:
            is_first = self._view is None
            found = segments.wait() if is_first else segments.poll()
        if found is None:
            return
        self._offered = None
        try:
            is_held = self._follower.adopt(found.segment)
        except (LogTruncatedError, CorruptError) as error:
            # Of another store, or one of both is wrong; what is served now says no less.
            log("segment_unfit", logging.WARNING, segment=found.name, detail=str(error))
            return
        if not is_held:
            self._offered = found
            return
        # At once: the age of what is served is that of what was adopted.
        self._publish()
        segments.hold(found)
        log("segment_adopted", segment=found.name)

    def _publish(self) -> None:
        """Serves what the follower holds. Compared, so that an earlier failure is made up for."""
        if self._view is None or self._view.snapshot is not self._follower.snapshot:
            self._view = View.of(self._follower)
        self._wait_until_ms = None

    def _on_reset(self) -> None:
        """The whole list was read anew, since what was held did not agree with the log."""
        log("list_reloaded", logging.WARNING)
        if self._segments is not None:
            self._segments.forget()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _run(self) -> None:
        ask_long_slices()
        set_timer_slack(DEFAULT_SLACK_NS)  # it asks for the interpreter later than the calls do
        while not self._stop.is_set():
            wait_ms = self.step()
            if self.fatal is not None:
                return
            self._stop.wait(_pause_s(wait_ms))

    def _on_failure(self, error: Exception) -> None:
        self._failures += 1
        now_ms = self._clock.monotonic_ms()
        if self._logged_ms is not None and now_ms - self._logged_ms < LOG_AGAIN_MS:
            return
        self._logged_ms = now_ms
        # The text of an engine error about the store is ours and holds no hash.
        detail = str(error) if isinstance(error, EngineError) else ""
        log(
            "refresh_failed",
            logging.ERROR,
            error_type=type(error).__name__,
            location=location_of(error),
            detail=detail,
            failures=self._failures,
        )

    def _on_success(self) -> None:
        if self._failures:
            log("refresh_recovered", failures=self._failures)
        self._failures = 0
        self._logged_ms = None


def _pause_s(most_ms: int) -> float:
    """So long at most, by chance: workers in step would take a change up on all cores at once."""
    return random.uniform(most_ms / 2, most_ms) / 1000  # noqa: S311
