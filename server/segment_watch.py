"""Looks for the newest segment of this host and maps it, beside whoever follows the store.

Checking a large segment takes a second, in which changes of the list must go on being served:
it is done in a thread of its own, and the result is picked up later.
"""

import logging
import threading
from dataclasses import dataclass
from typing import Final

from engine.clock import Clock
from engine.errors import CorruptError
from engine.segment import Segment, SegmentFolder, SegmentId
from server.telemetry import location_of, log

RETRY_MS: Final = 10_000
# A folder tells by its time that a name in it has changed; not within one tick of the clock of
# some file systems, so it is looked at now and then all the same.
LOOK_INTERVAL_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment, checked and mapped."""

    segment_id: SegmentId
    segment: Segment

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.segment_id.name


class SegmentWatch:
    """Watches a folder of segments. Used by one thread."""

    def __init__(self, folder: SegmentFolder, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._changed_ns: int | None = None  # the folder, when it was looked at
        self._look_ms = clock.monotonic_ms()
        self._tried: SegmentId | None = None  # not to be tried again
        self._held: SegmentId | None = None  # what is mapped and served
        self._not_before_ms = clock.monotonic_ms()
        self._reading: threading.Thread | None = None
        self._found: FoundSegment | None = None

    def is_due(self) -> bool:
        """Whether the folder may hold something new; quicker to ask than to look."""
        if self._reading is not None:  # nobody looks at the names until it is read
            return True
        now_ms, changed_ns = self._clock.monotonic_ms(), self._folder.changed_ns()
        if changed_ns == self._changed_ns and now_ms < self._look_ms:
            return False
        self._changed_ns, self._look_ms = changed_ns, now_ms + LOOK_INTERVAL_MS
        return True

    def wait(self) -> FoundSegment | None:
        """The newest segment that is whole, read now; None when there is none."""
        for segment_id in self._folder.ids():
            self._tried = segment_id
            found = self._read(segment_id)
            if found is not None:
                return found
        return None

    def poll(self) -> FoundSegment | None:
        """A newer segment, once it has been read; until then None. Takes microseconds."""
        if self._reading is not None:
            if self._reading.is_alive():
                return None
            self._reading, found, self._found = None, self._found, None
            return found
        newest = next(iter(self._folder.ids()), None)
        is_time = self._clock.monotonic_ms() >= self._not_before_ms
        if newest is not None and newest != self._tried and is_time:
            self._tried = newest
            self._reading = threading.Thread(
                target=self._read_aside, args=(newest,), name="segment", daemon=True
            )
            self._reading.start()
        return None

    def is_behind(self) -> bool:
        """Whether there is a segment that was not tried yet, or is being read."""
        newest = next(iter(self._folder.ids()), None)
        return self._reading is not None or (newest is not None and newest != self._tried)

    def hold(self, found: FoundSegment) -> None:
        """Watches over a segment: from now on it is what is served."""
        self._held = found.segment_id
        self._look_ms = self._clock.monotonic_ms()  # it may have been put aside meanwhile

    def forget(self) -> None:
        """Tries the newest segment again: the list was read from the store, and none is held."""
        self._tried = None
        self._held = None
        self._look_ms = self._clock.monotonic_ms()

    def damaged(self) -> str | None:
        """The segment that is held, if any process has found it to be damaged since. Said once."""
        if self._held is None or not self._folder.is_put_aside(self._held):
            return None
        held, self._held = self._held, None
        return held.name

    def _read_aside(self, segment_id: SegmentId) -> None:
        self._found = self._read(segment_id)

    def _read(self, segment_id: SegmentId) -> FoundSegment | None:
        name = segment_id.name
        try:
            return FoundSegment(segment_id, self._folder.read(name))
        except FileNotFoundError:  # a newer one has taken its place
            return None
        except CorruptError as error:
            log("segment_damaged", logging.ERROR, segment=name, detail=str(error))
        except (OSError, MemoryError) as error:  # of this process or moment, as too many files
            self._not_before_ms = self._clock.monotonic_ms() + RETRY_MS
            self._tried = None
            log(
                "segment_unreadable",
                logging.ERROR,
                segment=name,
                error_type=type(error).__name__,
                location=location_of(error),
            )
        return None
