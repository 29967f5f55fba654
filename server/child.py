"""One process of the server, as the supervisor sees it: started, listened to, told to end."""

import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.orders import Order, Report, read_report

_MAX_LINE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of process.

    Attributes:
        name: what it is called in the log.
        arguments: what its command line has beside the server's own.
        is_needed: whether the server serves only when it does.
        worker: its number among the workers; None if it is none.
    """

    name: str
    arguments: tuple[str, ...]
    is_needed: bool
    worker: int | None = None


# Makes the segments that the workers map; the server serves without it.
BUILDER: Final = Role("builder", ("--builder",), is_needed=False)


def worker_role(number: int) -> Role:
    """The role of worker `number`."""
    return Role("worker", ("--worker", str(number)), is_needed=True, worker=number)


class Child:
    """A process in a role, from its start to its end."""

    def __init__(
        self, role: Role, command: Sequence[str], order: Order, selector: selectors.BaseSelector
    ) -> None:
        """Starts it.

        Args:
            role: what it is for.
            command: the server's own command line.
            order: what it is to run.
            selector: what waits for its reports; it is registered there as the data.

        Raises:
            OSError: no process can be started.
        """
        self.role = role
        self.has_served = False
        self.is_serving = False
        self.failure = ""
        self.kill_at_ms: int | None = None
        self._unread = b""
        self._selector = selector
        self._process = subprocess.Popen(
            [*command, *role.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=(order.digests_fd,),
            # A Ctrl-C is for the supervisor, who decides when its processes end.
            process_group=0,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        self._orders, self._reports = self._process.stdin, self._process.stdout
        os.set_blocking(self._reports.fileno(), False)
        selector.register(self._reports, selectors.EVENT_READ, self)
        self._give(order)

    def _give(self, order: Order) -> None:
        line = memoryview(order.line())
        try:
            while line:
                line = line[self._orders.write(line) :]
        except BrokenPipeError:
            return  # it is dead already, and `exit_code` will say so

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def read(self) -> None:
        """Takes in what it has reported."""
        while content := self._reports.read(_MAX_LINE_BYTES):
            *lines, self._unread = (self._unread + content).split(b"\n")
            self._unread = self._unread[-_MAX_LINE_BYTES:]
            for line in lines:
                self._take(read_report(line))
        if content == b"":  # not None: it has closed its end
            self._unregister()

    def _take(self, report: Report | None) -> None:
        if report is None:
            return
        self.is_serving = report.is_serving
        self.has_served |= report.is_serving
        self.failure = report.failure or self.failure

    def exit_code(self) -> int | None:
        """How it ended, a signal as a negative number; None while it runs."""
        code = self._process.poll()
        if code is not None:
            if not self._reports.closed:
                self.read()
            self._unregister()
            self._reports.close()
            self._orders.close()
            self.is_serving = False
        return code

    def _unregister(self) -> None:
        if not self._reports.closed and self._reports in self._selector.get_map():
            self._selector.unregister(self._reports)

    def terminate(self, kill_at_ms: int) -> None:
        """Asks it to drain and end; a second time, to end at once."""
        if self.kill_at_ms is None:
            self.kill_at_ms = kill_at_ms
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it now."""
        self._process.kill()
