"""How long to wait before a process that died is started again."""

from typing import Final

from engine.clock import Clock

FIRST_MS: Final = 100
MOST_MS: Final = 30_000
# Who has served this long did not die of its start.
SETTLED_MS: Final = 30_000


class Backoff:
    """Doubles from `FIRST_MS` to `MOST_MS`, and begins anew after a life of `SETTLED_MS`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._serving_since_ms: int | None = None
        self._next_ms = FIRST_MS
        self.restarts = 0

    def on_serving(self) -> None:
        """The process has come to serve."""
        if self._serving_since_ms is None:
            self._serving_since_ms = self._clock.monotonic_ms()

    def on_death(self) -> int:
        """The process has died.

        Returns:
            Milliseconds to wait before it is started again.
        """
        since_ms = self._serving_since_ms
        if since_ms is not None and self._clock.monotonic_ms() - since_ms >= SETTLED_MS:
            self._next_ms = FIRST_MS
        self._serving_since_ms = None
        self.restarts += 1
        wait_ms, self._next_ms = self._next_ms, min(2 * self._next_ms, MOST_MS)
        return wait_ms
