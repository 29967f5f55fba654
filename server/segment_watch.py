"""Looks for the newest segment of this host and maps it, beside whoever follows the store.

Checking a large segment takes a second, in which changes of the list must go on being served:
it is done in a thread of its own, and the result is picked up later.
"""

import logging
import threading
from dataclasses import dataclass

from engine.errors import CorruptError
from engine.segment import Segment, SegmentFolder
from server.telemetry import location_of, log


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment, checked and mapped."""

    name: str
    segment: Segment


class SegmentWatch:
    """Watches a folder of segments. Used by one thread."""

    def __init__(self, folder: SegmentFolder) -> None:
        self._folder = folder
        self._seen = ""  # the name that was tried last, and is not tried again
        self._reading: threading.Thread | None = None
        self._found: FoundSegment | None = None

    def wait(self) -> FoundSegment | None:
        """The newest segment that is whole, read now; None when there is none."""
        for name in self._folder.names():
            self._seen = name
            found = self._read(name)
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
        newest = next(iter(self._folder.names()), "")
        if newest not in {"", self._seen}:
            self._seen = newest
            self._reading = threading.Thread(
                target=self._read_aside, args=(newest,), name="segment", daemon=True
            )
            self._reading.start()
        return None

    def _read_aside(self, name: str) -> None:
        self._found = self._read(name)

    def _read(self, name: str) -> FoundSegment | None:
        try:
            return FoundSegment(name, self._folder.read(name))
        except FileNotFoundError:  # a newer one has taken its place
            return None
        except CorruptError as error:
            log("segment_damaged", logging.ERROR, segment=name, detail=str(error))
        except OSError as error:
            log(
                "segment_unreadable",
                logging.ERROR,
                segment=name,
                error_type=type(error).__name__,
                location=location_of(error),
            )
        return None
