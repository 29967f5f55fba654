"""Silence about metadata while pictures are decoded, in many threads at once."""

import threading
import warnings
from types import TracebackType
from typing import Final


class Quiet:
    """Ignores warnings from the first thread that enters until the last one leaves.

    `warnings.catch_warnings` alone puts back what it found: of two threads that overlap,
    the later to leave found the other's silence, and the whole process stays silent.
    """

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._inside = 0
        self._caught: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._caught is not None:
                self._caught.__exit__(kind, error, trace)
                self._caught = None
