"""When to ask again, and when to give up: for calls that failed, sync and async alike."""

import random
import time
from collections.abc import Callable
from typing import Final

from firstseen.errors import CallError, DeadlineError, UnavailableError
from firstseen.options import Options

_RANDOM: Final = random.Random()  # noqa: S311  spreads load, guards nothing


class Attempts:
    """The attempts of one call, all within its deadline.

    Only `UnavailableError` is tried again: the server did not look at the call, went down with
    it, or had no fresh list. Checks change nothing, so asking twice is harmless.
    """

    def __init__(
        self,
        options: Options,
        now_s: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._now_s = now_s
        self._draw = draw
        self._ends_s = now_s() + options.deadline_ms / 1000
        self._most_ms = options.first_backoff_ms
        self._max_ms = options.max_backoff_ms
        self._unavailable: UnavailableError | None = None

    def remaining_s(self) -> float:
        """What is left of the deadline, for the next attempt.

        Raises:
            DeadlineError: nothing.
        """
        remaining_s = self._ends_s - self._now_s()
        if remaining_s <= 0:
            raise DeadlineError("no answer in time")
        return remaining_s

    def pause_s(self, error: CallError) -> float:
        """How long to wait before the next attempt.

        Raises:
            CallError: `error`, when another attempt is of no use or comes too late. If it is
                the end of the deadline, what was wrong before that says more.
        """
        if isinstance(error, DeadlineError) and self._unavailable:
            raise self._unavailable
        if not isinstance(error, UnavailableError):
            raise error
        self._unavailable = error
        pause_ms = self._draw() * self._most_ms + (error.retry_after_ms or 0)
        self._most_ms = min(2 * self._most_ms, self._max_ms)
        if self._now_s() + pause_ms / 1000 >= self._ends_s:
            raise error
        return pause_ms / 1000
