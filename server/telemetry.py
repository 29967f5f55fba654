"""What the server tells its operator: JSON lines with an allow-list of fields, and counts.

No field can hold a hash, a caller's address or the text of an exception. Of what other
libraries log only the logger's name and the level are kept, since their texts and
tracebacks may hold either. There is no line for a call: calls are counted.
"""

import json
import logging
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, TextIO, TypedDict, Unpack

from engine.clock import Clock

_LOGGER: Final = logging.getLogger("firstseen.server")
_ROOT: Final = Path(__file__).resolve().parent.parent
SUMMARY_INTERVAL_MS: Final = 60_000


class Fields(TypedDict, total=False):
    """Every field that a log line may have, beside `event`, `level` and `time_unix_ms`.

    `detail` is for a text of ours about the store or the configuration, never of a call.
    """

    sequence: int
    entry_count: int
    list_age_ms: int
    match_port: int
    review_port: int
    pid: int
    worker: int
    exit_code: int
    signal: int
    restarts: int
    key: str
    error_type: str
    location: str
    detail: str
    failures: int
    segment: str
    stage: str
    done: int
    total: int
    percent: int
    elapsed_ms: int
    logger: str
    calls: Mapping[str, Mapping[str, int]]


_ALLOWED: Final = frozenset(Fields.__annotations__)


def log(event: str, level: int = logging.INFO, **fields: Unpack[Fields]) -> None:
    """Writes one line."""
    _LOGGER.log(level, event, extra={"fields": fields})


def location_of(error: BaseException) -> str:
    """Where an exception was raised, as `server/file.py:12`; nothing of its values."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown"
    path = Path(frames[-1].filename)
    name = str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name
    return f"{name}:{frames[-1].lineno}"


def log_crash(event: str, error: BaseException) -> None:
    """Writes that something unexpected was raised: its type and place, not its text."""
    log(event, logging.ERROR, error_type=type(error).__name__, location=location_of(error))


class LineFormatter(logging.Formatter):
    """One JSON object a line, of allowed fields only."""

    def __init__(self, clock: Clock, worker: int | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, object] = {"time_unix_ms": self._clock.unix_ms()}
        line["level"] = record.levelname.lower()
        if record.name == _LOGGER.name:
            line["event"] = record.msg
            given = getattr(record, "fields", {})
            line |= {name: value for name, value in given.items() if name in _ALLOWED}
        else:
            line |= {"event": "library", "logger": record.name}
        if self._worker is not None:
            line["worker"] = self._worker
        return json.dumps(line)


def start_logging(
    level: str, clock: Clock, stream: TextIO | None = None, worker: int | None = None
) -> None:
    """Takes over everything that the process would write of its own accord.

    Args:
        level: the least that is written, one of `config.LOG_LEVELS`.
        clock: the time.
        stream: where to; stderr by default.
        worker: the number to write on every line; None for a process that is no worker.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(clock, worker))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    set_level(level)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a failing handler would print the record's values
    sys.excepthook = _on_exception
    threading.excepthook = lambda args: _on_exception(args.exc_type, args.exc_value, None)
    sys.unraisablehook = lambda args: _on_exception(args.exc_type, args.exc_value, None)


def set_level(level: str) -> None:
    """Sets the least that is written, one of `config.LOG_LEVELS`."""
    _LOGGER.setLevel(level.upper())


def _on_exception(
    kind: type[BaseException], error: BaseException | None, _: TracebackType | None
) -> None:
    if error is None:
        log("crash", logging.ERROR, error_type=kind.__name__)
    else:
        log_crash("crash", error)


class CallCounts:
    """How many calls ended how, by method and status. Used from the event loop only.

    Attributes:
        open_calls: how many calls of our own services are under way.
    """

    def __init__(self) -> None:
        self.open_calls = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, method: str, status: str) -> None:
        """Counts one call (for a stream, one call and each item of it)."""
        self._counts[method, status] += 1

    def take(self) -> dict[str, dict[str, int]]:
        """The counts since the last `take`."""
        taken: dict[str, dict[str, int]] = {}
        for (method, status), count in sorted(self._counts.items()):
            taken.setdefault(method, {})[status] = count
        self._counts.clear()
        return taken

    def log_summary(self) -> None:
        """Writes the counts since the last summary, if there were calls."""
        calls = self.take()
        if calls:
            log("served", calls=calls)
