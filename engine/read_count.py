"""How many threads read something, so that it can be changed while none of them does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from engine.errors import StoreUnusableError

# A read copies out what it wants and ends within seconds; that of a whole list takes a minute.
WAIT_LIMIT_S: Final = 120.0


class ReadCount:
    """Counts reads. Any number at once, and none beside a change."""

    def __init__(self, wait_limit_s: float = WAIT_LIMIT_S) -> None:
        self._wait_limit_s = wait_limit_s
        self._changed = threading.Condition()
        self._reads: dict[int, int] = {}  # how many, by the thread that began them
        self._is_changing = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """A read; waits for a change that is under way or waits itself.

        A read within another one of the same thread waits for nothing: the change waits for both.

        Raises:
            StoreUnusableError: the change is not made in time.
        """
        thread = threading.get_ident()
        with self._changed:
            if self._is_changing and thread not in self._reads:
                self._await(lambda: not self._is_changing)
            self._reads[thread] = self._reads.get(thread, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                self._reads[thread] -= 1
                if not self._reads[thread]:
                    del self._reads[thread]
                    self._changed.notify_all()

    @contextmanager
    def none(self) -> Iterator[None]:
        """A change; lets no read begin and waits until those that there are have ended.

        Raises:
            StoreUnusableError: they do not in time, or one is this thread's own.
        """
        with self._changed:
            if threading.get_ident() in self._reads:
                raise StoreUnusableError("the store has grown while it was read: read it again")
            self._await(lambda: not self._is_changing)
            self._is_changing = True
            try:
                self._await(lambda: not self._reads)
                yield
            finally:
                self._is_changing = False
                self._changed.notify_all()

    def _await(self, holds: Callable[[], bool]) -> None:
        if not self._changed.wait_for(holds, self._wait_limit_s):
            raise StoreUnusableError("other reads of the store do not end")
