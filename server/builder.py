"""The builder: the one process of a host that makes segments, for its workers to map.

It follows the store as a worker does, but indexes nothing until enough has changed since the
newest segment. It answers nobody and runs at a low priority once the server serves. What it
makes may be lost: when it dies, the workers serve on what they have.
"""

import logging
import os
import signal
import sys
import threading
import time
from typing import Final

from engine.clock import Clock, SystemClock
from engine.errors import CorruptError, EngineError, WriterBusyError
from engine.file_digest import Digest, SharedDigests, file_digest
from engine.index_choice import choosers, unindexed
from engine.lmdb_store import LmdbReader
from engine.prctl import refuse_large_pages
from engine.segment import Segment, SegmentFolder
from engine.snapshot import Snapshot, checkpoint_of
from server.config import Config, StoreConfig
from server.exit_codes import ExitCode
from server.orders import Report, receive_order
from server.refresh import Refresher
from server.segment_watch import SegmentWatch
from server.telemetry import location_of, log, start_logging

POLL_INTERVAL_MS: Final = 500
# A worker searches what came after the segment in parts of its own. Until they are an eighth of
# the list they cost less than another pass over the whole of it.
REBUILD_SHARE: Final = 8
# Between two segments, so that a long load does not keep a core busy with them.
BUILD_INTERVAL_MS: Final = 10_000
RETRY_MS: Final = 60_000
NICENESS: Final = 10
PROGRESS_INTERVAL_MS: Final = 2_000


class RottenSegmentError(CorruptError):
    """A segment has changed since it was read; it was put aside, and the store has to be read."""


class Builder:
    """Makes segments of one store."""

    def __init__(self, config: Config, clock: Clock, digest: Digest = file_digest) -> None:
        """Opens the store.

        Args:
            config: of the server.
            clock: the time.
            digest: what to know the digest of a segment's file by.

        Raises:
            EngineError: it cannot be opened.
        """
        self._config = config
        self._clock = clock
        self._choose = choosers(config.index.kind)
        self._folder = SegmentFolder(config.index.segments, config.index.kind, digest)
        self._not_before_ms = clock.monotonic_ms()
        store = StoreConfig(config.store.path, POLL_INTERVAL_MS, config.store.staleness_limit_ms)
        self._watch = SegmentWatch(self._folder, clock)
        self._progress = Progress(clock)
        self._refresher = Refresher(
            lambda: LmdbReader(store.path),
            store,
            clock,
            unindexed(),
            self._watch,
            rebuild_limit_ms=0,  # nobody but this process makes another
            stage=self._progress,
        )

    def close(self) -> None:
        """Lets go of the store."""
        self._refresher.stop()

    def step(self) -> int:
        """Looks once, and builds when it is due.

        Returns:
            Milliseconds to wait before the next step.

        Raises:
            Exception: the list cannot be loaded, with whatever that raised.
            RottenSegmentError: the newest segment is not what it was when it was read.
        """
        wait_ms = self._refresher.step()
        while not self._refresher.is_loaded():
            if self._refresher.fatal is not None:
                raise self._refresher.fatal
            wait_ms = self._refresher.step()
        snapshot = self._refresher.latest().snapshot
        now_ms = self._clock.monotonic_ms()
        if self._is_due(snapshot) and now_ms >= self._not_before_ms:
            is_built = self._build(snapshot)
            pause_ms = BUILD_INTERVAL_MS if is_built else RETRY_MS
            self._not_before_ms = self._clock.monotonic_ms() + pause_ms
            return 0
        return wait_ms

    def _is_due(self, snapshot: Snapshot) -> bool:
        if self._watch.is_behind():  # what was made last is not in this snapshot yet
            return False
        loose = snapshot.loose_count()
        share = snapshot.checkpoint.entry_count // REBUILD_SHARE
        if self._folder.names():
            return loose >= max(self._config.index.segment_min_entries, share)
        return snapshot.checkpoint.entry_count >= self._config.index.segment_min_entries

    def _build(self, snapshot: Snapshot) -> bool:
        """Makes a segment; returns whether there is one now."""
        started_ms = self._clock.monotonic_ms()
        checkpoint = snapshot.checkpoint
        log("segment_building", entry_count=checkpoint.entry_count, sequence=checkpoint.sequence)
        try:
            columns = snapshot.columns()
            # What was mapped for long is read again here: a disk that has gone bad is noticed.
            if checkpoint_of(checkpoint.sequence, columns, self._progress) != checkpoint:
                for name in self._folder.names():
                    self._folder.put_aside(name)
                raise RottenSegmentError("what is mapped is not the list any more")
            segment = Segment.build(checkpoint, columns, self._choose, self._progress)
            name = self._folder.write(segment, self._progress)
            self._folder.sweep(name)
        except (CorruptError, MemoryError):
            raise
        except (EngineError, OSError) as error:
            detail = str(error) if isinstance(error, EngineError) else ""
            log(
                "segment_failed",
                logging.ERROR,
                error_type=type(error).__name__,
                location=location_of(error),
                detail=detail,
            )
            return False
        elapsed_ms = self._clock.monotonic_ms() - started_ms
        count = checkpoint.entry_count
        log("segment_built", segment=name, entry_count=count, elapsed_ms=elapsed_ms)
        return True


class Progress:
    """Writes how far a list or a segment is, now and then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_ms = clock.monotonic_ms()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """See `engine.progress.Stage`."""
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._told_ms >= PROGRESS_INTERVAL_MS:
            self._told_ms = now_ms
            percent = 100 * done // max(total, 1)
            log("segment_progress", stage=stage, done=done, total=total, percent=percent)


def run_builder() -> ExitCode:
    """Builds segments by the supervisor's order until told to end; returns the exit code."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    order = receive_order()
    config, clock = order.config(), SystemClock()
    start_logging(config.log.level, clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    threading.Thread(target=_end_with_supervisor, name="stdin", daemon=True).start()
    try:
        _build(config, clock, SharedDigests(order.digests_fd, clock).digest)
    except Exception as error:  # noqa: BLE001  its text may hold anything
        log(
            "builder_failed",
            logging.ERROR,
            error_type=type(error).__name__,
            location=location_of(error),
        )
        return ExitCode.FAULT
    return ExitCode.STOPPED


def _build(config: Config, clock: Clock, digest: Digest) -> None:
    folder = SegmentFolder(config.index.segments, config.index.kind)
    if folder.names():
        _give_way()
    while True:
        try:
            with folder.lock():
                builder = Builder(config, clock, digest)
                try:
                    _step_for_ever(builder)
                finally:
                    builder.close()
        except WriterBusyError:
            # Another server of this host builds in the same folder; its segments serve as well.
            Report(is_serving=True).send()
        except RottenSegmentError as error:
            log("segment_damaged", logging.ERROR, detail=str(error))
            continue
        except EngineError as error:
            # The workers say of the same store what is wrong with it; nobody shall wait for this.
            log("builder_waits", logging.DEBUG, error_type=type(error).__name__)
            Report(is_serving=True).send()
        time.sleep(RETRY_MS / 1000)


def _give_way() -> None:
    """Lets the workers have the processor: none of them waits for a segment."""
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    refuse_large_pages()


def _step_for_ever(builder: Builder) -> None:
    wait_ms = builder.step()
    # Workers wait for this: they would each load the whole list for themselves.
    Report(is_serving=True).send()
    _give_way()
    while True:
        time.sleep(wait_ms / 1000)
        wait_ms = builder.step()


def _end(_number: int, _frame: object) -> None:
    """Ends where it is: what is being written is swept up, and nothing else is lost."""
    raise SystemExit(ExitCode.STOPPED)


def _end_with_supervisor() -> None:
    # Not through Python's buffer, whose lock would still be held when the process ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
