"""Where the time comes from; the only file of the engine that asks the system for it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one to wait by, one to write down."""

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary start; never goes back."""

    def unix_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC; may jump."""


class SystemClock:
    """The machine's clocks."""

    def monotonic_ms(self) -> int:
        """See `Clock.monotonic_ms`."""
        return time.monotonic_ns() // 1_000_000

    def unix_ms(self) -> int:
        """See `Clock.unix_ms`."""
        return time.time_ns() // 1_000_000
