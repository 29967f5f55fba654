"""Log lines: allowed fields only, nothing of what others log, counts instead of lines."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from engine.clock import SystemClock
from server.telemetry import CallCounts, LineFormatter, log, log_crash, start_logging


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged; the process is as before afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    show = warnings.showwarning
    for module, name in (
        (sys, "excepthook"),
        (sys, "unraisablehook"),
        (threading, "excepthook"),
        (logging, "raiseExceptions"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    stream = io.StringIO()
    start_logging("info", SystemClock(), stream)
    yield stream
    logging.captureWarnings(False)
    warnings.showwarning = show
    root.handlers = before
    root.setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, object]]:
    parsed = [json.loads(line) for line in written.getvalue().splitlines()]
    for line in parsed:
        del line["time_unix_ms"]
    return parsed


def test_event_has_its_fields(written: io.StringIO) -> None:
    log("serving", sequence=3, entry_count=5)
    log("quiet", logging.DEBUG)
    assert lines(written) == [
        {"level": "info", "event": "serving", "sequence": 3, "entry_count": 5}
    ]


def test_line_of_a_worker_has_its_number_whoever_wrote_it() -> None:
    formatter = LineFormatter(SystemClock(), worker=0)
    for name in ("firstseen.server", "another"):
        record = logging.LogRecord(name, logging.INFO, "", 0, "event", None, None)
        assert json.loads(formatter.format(record))["worker"] == 0


def test_field_is_not_allowed_is_left_out(written: io.StringIO) -> None:
    log("serving", sequence=3, peer="SECRET")  # type: ignore[call-arg]
    assert lines(written) == [{"level": "info", "event": "serving", "sequence": 3}]


def test_others_log_only_their_name_and_level_are_kept(written: io.StringIO) -> None:
    try:
        raise ValueError("SECRET")
    except ValueError:
        logging.getLogger("grpc._cython.cygrpc").exception("SECRET %s", "SECRET")
    logging.getLogger("asyncio").warning("SECRET")
    logging.getLogger("asyncio").info("SECRET")
    assert lines(written) == [
        {"level": "error", "event": "library", "logger": "grpc._cython.cygrpc"},
        {"level": "warning", "event": "library", "logger": "asyncio"},
    ]


def test_crash_is_logged_by_type_and_place(written: io.StringIO) -> None:
    try:
        raise KeyError("SECRET")
    except KeyError as error:
        log_crash("internal_error", error)
        sys.excepthook(KeyError, error, error.__traceback__)
    first, second = lines(written)
    assert (first["event"], second["event"]) == ("internal_error", "crash")
    for line in (first, second):
        assert line["error_type"] == "KeyError"
        assert str(line["location"]).startswith("tests/server/test_telemetry.py:")
    assert "SECRET" not in written.getvalue()


def test_calls_are_counted_by_method_and_status_and_summed_once(written: io.StringIO) -> None:
    counts = CallCounts()
    for status in ("OK", "OK", "INTERNAL"):
        counts.add("S/Check", status)
    counts.log_summary()
    counts.log_summary()
    assert lines(written) == [
        {"level": "info", "event": "served", "calls": {"S/Check": {"OK": 2, "INTERNAL": 1}}}
    ]
