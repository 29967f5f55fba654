"""A place for one process of the server: filled again when it dies, or by a successor."""

import logging
import sys
from collections.abc import Callable, Iterator

from engine.clock import Clock
from server.backoff import Backoff
from server.child import Child, Role
from server.telemetry import Fields, log


class Slot:
    """A place for one process.

    Attributes:
        role: what the process is for.
        child: the process; None while the place is empty.
        successor: what takes the place once it serves.
        fill_at_ms: when to fill the empty place, on the monotonic clock.
    """

    def __init__(self, role: Role, clock: Clock) -> None:
        self.role = role
        self.child: Child | None = None
        self.successor: Child | None = None
        self.fill_at_ms = clock.monotonic_ms()
        self._clock = clock
        self._backoff = Backoff(clock)

    def children(self) -> Iterator[Child]:
        """Its processes."""
        yield from (child for child in (self.child, self.successor) if child is not None)

    @property
    def is_serving(self) -> bool:
        """Whether its process serves."""
        return self.child is not None and self.child.is_serving

    def reap(self) -> tuple[Child, int] | None:
        """Takes the process out of its place if it has ended; returns it and its exit code."""
        if self.child is None:
            return None
        if self.child.is_serving:
            self._backoff.on_serving()
        code = self.child.exit_code()
        if code is None:
            return None
        child, self.child = self.child, None
        return child, code

    def fill(self, start: Callable[[], Child]) -> None:
        """Starts a process in the empty place, if it is time."""
        if self.child is None and self.fill_at_ms <= self._clock.monotonic_ms():
            self.child = self._started(start)

    def begin_successor(self, start: Callable[[], Child]) -> None:
        """Starts what is to take the place, if it is time."""
        if self.fill_at_ms <= self._clock.monotonic_ms():
            self.successor = self._started(start)

    def _started(self, start: Callable[[], Child]) -> Child | None:
        try:
            return start()
        except OSError as error:  # no room for another process now
            self.fill_at_ms = self._clock.monotonic_ms() + self._backoff.on_death()
            log("start_failed", logging.ERROR, error_type=type(error).__name__)
            return None

    def on_death(self, child: Child, code: int) -> None:
        """Says that its process died, and sets when to start another."""
        self.fill_at_ms = self._clock.monotonic_ms() + self._backoff.on_death()
        tell_failure(child)
        fields = ending(child.role, code)
        fields["restarts"] = self._backoff.restarts
        log(f"{self.role.name}_died", logging.ERROR, **fields)

    def take_over(self) -> Child | None:
        """Puts the successor in the place; returns what was there."""
        former, self.child, self.successor = self.child, self.successor, None
        return former


def tell_failure(child: Child) -> None:
    """Writes why a process could not begin, if it said so."""
    if child.failure:
        sys.stderr.write(f"server: {child.failure}\n")
        sys.stderr.flush()


def ending(role: Role, code: int) -> Fields:
    """How a process ended, as fields of a log line."""
    fields: Fields = {"exit_code": code} if code >= 0 else {"signal": -code}
    if role.worker is not None:
        fields["worker"] = role.worker
    return fields
