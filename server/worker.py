"""One worker: a whole server in a process of its own, run by the supervisor's order.

How it ends is said twice: to the supervisor in one line, and by the exit code.
"""

import asyncio
import gc
import signal
import sys
from typing import Final

from engine.clock import SystemClock
from engine.errors import EngineError
from engine.file_digest import SharedDigests
from engine.prctl import set_timer_slack
from server.app import serve
from server.config import Config, ConfigError
from server.exit_codes import ExitCode, of_store
from server.orders import Report, receive_order
from server.ports import ListenError
from server.telemetry import location_of, start_logging

# How long a call waits for the thread that takes up changes to let go of the interpreter, and it
# waits several times: at each step that lets go of it itself. By default it is 5 ms, and Linux adds
# up to 50 us so as to wake up several at once.
_SWITCH_S: Final = 0.000_02
_SLACK_NS: Final = 1


def run_worker(number: int) -> ExitCode:
    """Serves as worker `number` until told to end; returns the exit code."""
    # The supervisor's business, and fatal by default.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    order = receive_order()
    sys.setswitchinterval(_SWITCH_S)
    set_timer_slack(_SLACK_NS)
    # What was imported is never garbage: going through it takes 30 ms, and nothing is served then.
    gc.collect()
    gc.freeze()
    config, clock = order.config(), SystemClock()
    start_logging(config.log.level, clock, worker=number)
    try:
        digest = SharedDigests(order.digests_fd, clock).digest
        asyncio.run(serve(config, clock, digest, is_early=order.is_early))
    except Exception as error:  # noqa: BLE001  its text may hold anything, and is told below if it may
        code, text = _said(config, error)
        Report(is_serving=False, failure=" ".join(text.split())).send()
        return code
    return ExitCode.STOPPED


def _said(config: Config, error: Exception) -> tuple[ExitCode, str]:
    """The exit code and the text of an error."""
    if isinstance(error, ConfigError):
        return ExitCode.CONFIG, str(error)
    if isinstance(error, ListenError):
        return ExitCode.LISTEN, str(error)
    if isinstance(error, EngineError):
        return of_store(config.store.path, error)
    return ExitCode.FAULT, f"internal error: {type(error).__name__} at {location_of(error)}"
