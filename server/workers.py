"""The supervisor: workers on one port, started again when they die, replaced on SIGHUP.

    supervisor ── order (stdin), SIGTERM ──▶ worker 0 … N-1: each a whole server on one store
        ▲
        └── serving, not serving, failed (stdout)

One thread and one selector, in which reports and signals arrive. It answers no call and loads
neither gRPC nor the search. What a worker does is in `worker`, how one is run in `child`, and
where it is run again in `slot`.
"""

import json
import logging
import os
import selectors
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from engine.clock import Clock
from engine.segment_name import segment_names
from server.child import Child, Role, worker_role
from server.config import Config, ConfigError, Source, read_source
from server.exit_codes import ExitCode
from server.orders import Order
from server.ports import Ports
from server.signals import Signals
from server.slot import Slot, ending, tell_failure
from server.telemetry import log, set_level

# Beyond the grace that calls get: for closing connections and the store.
KILL_MARGIN_MS: Final = 5_000
# About 300,000 hashes: loaded within two seconds.
QUICK_STORE_BYTES: Final = 64 << 20
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_SIGNALS: Final = (*_STOP_SIGNALS, signal.SIGHUP, signal.SIGCHLD)


class Supervisor:
    """Runs the processes of one server."""

    def __init__(
        self,
        source: Source,
        command: Sequence[str],
        clock: Clock,
        ready_file: Path | None = None,
        background: Sequence[Role] = (),
    ) -> None:
        """Takes the addresses.

        Args:
            source: the configuration.
            command: the server's own command line; a process is run by it and its role's arguments.
            clock: the time.
            ready_file: where to write addresses and process ids once all workers serve.
            background: what runs beside the workers.

        Raises:
            ListenError: an address is taken, or is not this machine's.
        """
        self._source = source
        self._command = command
        self._clock = clock
        self._ready_file = ready_file
        self._ready_text = ""
        self._ports = Ports(source.config)
        self._selector = selectors.DefaultSelector()
        self._background = tuple(background)
        self._is_prepared = not background or has_quick_start(source.config)
        self._begins_in_background = not self._is_prepared
        self._digests_fd = os.memfd_create("firstseen-digests")
        self._slots = [Slot(role, clock) for role in self._roles()]
        self._retiring: list[Child] = []
        self._candidate: Source | None = None  # read on SIGHUP; nobody serves by it yet
        self._to_replace: list[Slot] = []
        self._has_begun = False
        self._exit_code: int | None = None

    def _roles(self) -> tuple[Role, ...]:
        count = self._source.config.server.worker_count()
        return (*self._background, *map(worker_role, range(count)))

    def run(self) -> int:
        """Runs until SIGTERM or SIGINT, or until a worker cannot begin at the first start.

        Returns:
            The exit code: 0, or that of the worker that could not begin.
        """
        with self._ports, self._selector, Signals(_SIGNALS, self._selector) as signals:
            try:
                while not self._step():
                    for number in self._wait(signals):
                        self._on_signal(number)
            finally:
                for child in self._children():
                    child.kill()
                os.close(self._digests_fd)
                if self._ready_file is not None:
                    with suppress(OSError):
                        self._ready_file.unlink()
        return self._exit_code or ExitCode.STOPPED

    def _children(self) -> Iterator[Child]:
        for slot in self._slots:
            yield from slot.children()
        yield from self._retiring

    def _step(self) -> bool:
        """Does everything that is due; returns whether nothing is left to do or to wait for."""
        for slot in self._slots:
            if (ended := slot.reap()) is not None and self._exit_code is None:
                self._on_end(slot, *ended)
        self._retiring = [child for child in self._retiring if child.exit_code() is None]
        for child in self._children():
            if child.kill_at_ms is not None and child.kill_at_ms <= self._clock.monotonic_ms():
                child.kill()
        if self._exit_code is None:
            for slot in self._slots:
                if self._is_to_be_filled(slot):
                    slot.fill(partial(self._start, slot.role, self._source))
                self._is_prepared |= not slot.role.is_needed and slot.is_serving
            self._replace()
            self._note_serving()
        return self._exit_code is not None and not any(True for _ in self._children())

    def _wait(self, signals: Signals) -> bytes:
        """Waits until something happens or is due; returns the signals that came."""
        due_ms = [child.kill_at_ms for child in self._children() if child.kill_at_ms is not None]
        if self._exit_code is None:
            waiting = [slot for slot in self._slots if self._is_to_be_filled(slot)]
            waiting += [slot for slot in self._to_replace[:1] if slot.successor is None]
            due_ms += [slot.fill_at_ms for slot in waiting]
        wait_ms = max(min(due_ms) - self._clock.monotonic_ms(), 1) if due_ms else None
        came = b""
        for key, _ in self._selector.select(None if wait_ms is None else wait_ms / 1000):
            if isinstance(key.data, Child):
                key.data.read()
            else:
                came += signals.take()
        return came

    def _is_to_be_filled(self, slot: Slot) -> bool:
        if slot.role.is_needed:
            return slot.child is None and self._is_prepared
        # What nobody waits for leaves the machine to the workers until they serve.
        return slot.child is None and (self._begins_in_background or self._has_begun)

    def _start(self, role: Role, source: Source) -> Child:
        # One worker says at once that there is no list yet; the others join when they have it, so
        # that nobody is refused by one while another could answer.
        is_early = not any(child.role.is_needed for child in self._children())
        addresses, digests_fd = self._ports.addresses, self._digests_fd
        order = Order(source.toml, source.path.parent, addresses, is_early, digests_fd)
        return Child(role, self._command, order, self._selector)

    def _on_end(self, slot: Slot, child: Child, code: int) -> None:
        is_first = not self._has_begun and not child.has_served
        if child.kill_at_ms is not None:
            slot.fill_at_ms = self._clock.monotonic_ms()  # told to end, for another to come
        elif is_first and slot.role.is_needed and code > 0:
            tell_failure(child)
            self._stop(code if code in set(ExitCode) else ExitCode.FAULT)
        else:
            slot.on_death(child, code)
            # Without what a dead builder would have made, the workers load the list themselves.
            self._is_prepared = True

    def _note_serving(self) -> None:
        """Once all workers serve, writes who and where, all of the file or nothing."""
        needed = [slot for slot in self._slots if slot.role.is_needed]
        if not all(slot.is_serving for slot in needed):
            return
        is_first, self._has_begun = not self._has_begun, True
        addresses = {name: str(address) for name, address in self._ports.addresses.items()}
        pids = [slot.child.pid for slot in needed if slot.child is not None]
        text = json.dumps({"pid": os.getpid(), "workers": pids, **addresses})
        if self._ready_file is None or text == self._ready_text:
            return
        self._ready_text = text
        unfinished = self._ready_file.with_name(f"{self._ready_file.name}.{os.getpid()}")
        try:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(self._ready_file)
        except OSError as error:
            if is_first:
                raise
            # The server serves; a full disk shall not end it.
            log("ready_file_failed", logging.ERROR, error_type=type(error).__name__)

    def _on_signal(self, number: int) -> None:
        if number in _STOP_SIGNALS:
            self._stop(ExitCode.STOPPED)
        elif number == signal.SIGHUP and self._exit_code is None:
            self._reload()

    def _stop(self, code: int) -> None:
        """Begins the end; asked again, it hurries."""
        if self._exit_code is None:
            self._exit_code = code
        self._drop_successor()  # nothing is replaced any more
        for child in self._children():
            self._terminate(child)

    def _terminate(self, child: Child) -> None:
        limit_ms = self._source.config.shutdown.grace_ms + KILL_MARGIN_MS
        child.terminate(self._clock.monotonic_ms() + limit_ms)

    def _retire(self, child: Child | None) -> None:
        if child is not None:
            self._terminate(child)
            self._retiring.append(child)

    def _drop_successor(self) -> None:
        for slot in self._to_replace[:1]:
            self._retire(slot.successor)
            slot.successor = None

    def _reload(self) -> None:
        """Reads the file again and begins to replace every process by one that goes by it."""
        try:
            candidate = read_source(self._source.path)
            check_replaceable(self._source.config, candidate.config)
        except ConfigError as error:
            log("config_refused", logging.ERROR, key=error.key, detail=error.problem)
            return
        self._drop_successor()
        self._candidate = candidate
        # Workers first: the file is accepted by the first that serves, and then goes to the rest.
        self._to_replace = sorted(self._slots, key=lambda slot: not slot.role.is_needed)

    def _replace(self) -> None:
        """Goes on replacing, one after the other, each once its successor serves."""
        if not self._to_replace:
            return
        slot = self._to_replace[0]
        successor = slot.successor
        if not slot.role.is_needed:  # what nobody waits for is ended first, and never runs twice
            if slot.child is not None:
                self._terminate(slot.child)
            self._end_replacing(slot)
        elif successor is None:
            slot.begin_successor(partial(self._start, slot.role, self._candidate or self._source))
        elif (code := successor.exit_code()) is not None:
            self._on_successor_death(slot, successor, code)
        elif successor.is_serving:
            self._retire(slot.take_over())
            if self._candidate is not None:
                self._accept(self._candidate)
            self._end_replacing(slot)

    def _on_successor_death(self, slot: Slot, successor: Child, code: int) -> None:
        """The death of the first refuses the file; that of a later one is a death like any."""
        slot.successor = None
        if self._candidate is None:
            slot.on_death(successor, code)
            return  # the process that is there stays until another successor serves
        self._candidate = None
        self._to_replace.clear()
        fields = ending(slot.role, code)
        fields["detail"] = successor.failure
        log("config_refused", logging.ERROR, **fields)

    def _accept(self, candidate: Source) -> None:
        """Goes by another configuration from now on, with as many workers as it says."""
        self._source, self._candidate = candidate, None
        set_level(candidate.config.log.level)
        roles = self._roles()
        for surplus in [slot for slot in self._slots if slot.role not in roles]:
            self._retire(surplus.child)
            self._slots.remove(surplus)
            self._to_replace.remove(surplus)
        present = {slot.role for slot in self._slots}
        self._slots += [Slot(role, self._clock) for role in roles if role not in present]

    def _end_replacing(self, slot: Slot) -> None:
        self._to_replace.remove(slot)
        if not self._to_replace:
            log("config_reloaded")


def has_quick_start(config: Config) -> bool:
    """Whether workers can begin at once, each by itself.

    They can when there is a segment to map, or when the list is so short that each of them loads
    it faster than one could be made.
    """
    has_segment = bool(segment_names(config.index.segments, config.index.kind))
    try:
        size_bytes = (config.store.path / "data.mdb").stat().st_size
    except OSError:
        size_bytes = 0
    return has_segment or size_bytes < QUICK_STORE_BYTES


def check_replaceable(old: Config, new: Config) -> None:
    """Refuses a change that only another start of the server can bring.

    Raises:
        ConfigError: an address or the store is another one.
    """
    places = {
        "store.path": (old.store.path, new.store.path),
        "match.listen": (old.match.listen, new.match.listen),
        "review.listen": (old.review and old.review.listen, new.review and new.review.listen),
    }
    for key, (before, after) in places.items():
        if before != after:
            raise ConfigError(key, "another one needs a restart of the server")
