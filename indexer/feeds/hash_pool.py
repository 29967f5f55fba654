"""Runs a few hashing processes, so that a file that kills or hangs one costs only itself.

Each process has one file at a time, which is why the culprit is known; a pool with a common
queue loses every file it holds when one process dies. A file is tried twice before it is blamed.
"""

import json
import multiprocessing
import os
import signal
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final, Self

from engine.clock import Clock, SystemClock
from firstseen.hashing.document_kind import HEAD_BYTES
from firstseen.hashing.kind import may_be_video
from indexer.feeds import hash_worker
from indexer.feeds.hash_worker import WorkerOptions
from indexer.feeds.reading import FeedError
from indexer.feeds.worker_environment import one_thread

START_LIMIT_MS: Final = 120_000
MAX_ANSWER_BYTES: Final = 4 << 20  # twenty thousand hashes of frames take 1.9 MB
_WINDOW: Final = 256  # answers that may wait for an earlier one
# A minute of messenger video in full HD is some 8 MiB: it may take longer than it plays.
VIDEO_MS_PER_MIB: Final = 10_000
MAX_VIDEO_MS: Final = 30 * 60_000

Answer = dict[str, Any]
"""`items`, each `media_type` and `hashes`; or `reason`.

A hash is `[type, hex, quality, frame_offset_ms, page_index]`, types by number.
"""

Serve = Callable[[Connection, WorkerOptions], None]
"""Says it is ready, then answers paths; see `hash_worker.serve`."""


def limit_ms(path: Path, timeout_ms: int) -> int:
    """How long a file may take: a video longer by its size, up to half an hour.

    Args:
        path: the file.
        timeout_ms: of every other file, and the least of a video.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or not may_be_video(stream.read(HEAD_BYTES)):
                return timeout_ms
    except OSError:  # the process that is to hash it says what is wrong
        return timeout_ms
    by_size_ms = timeout_ms + VIDEO_MS_PER_MIB * status.st_size // (1 << 20)
    return max(timeout_ms, min(by_size_ms, MAX_VIDEO_MS))


@dataclass(slots=True)
class _Worker:
    """A process and what it is doing.

    Attributes:
        process: the process.
        connection: to it.
        index: the number of its file; None when it is idle.
        path: that file.
        attempt: which try at it this is, from 1.
        limit_ms: how long it may take.
        deadline_ms: when it has taken too long.
    """

    process: SpawnProcess
    connection: Connection
    index: int | None = None
    path: Path = field(default_factory=Path)
    attempt: int = 1
    limit_ms: int = 0
    deadline_ms: int = 0


class HashPool:
    """A few hashing processes."""

    def __init__(
        self,
        jobs: int,
        timeout_ms: int,
        options: WorkerOptions | None = None,
        clock: Clock | None = None,
        serve: Serve = hash_worker.serve,
    ) -> None:
        """Starts them.

        Args:
            jobs: how many.
            timeout_ms: how long one file may take; see `limit_ms`.
            options: what each process is told.
            clock: to measure it by.
            serve: what each process runs.

        Raises:
            FeedError: they do not start.
        """
        self._clock = clock or SystemClock()
        self._timeout_ms = timeout_ms
        self._options = options or WorkerOptions()
        self._serve = serve
        self._workers: list[_Worker] = []
        try:
            # All at once, then wait: each takes half a second to import its decoders.
            self._workers = [_start(serve, self._options) for _ in range(jobs)]
            for worker in self._workers:
                _await_ready(worker)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes."""
        for worker in self._workers:
            _end(worker)
        self._workers = []

    def answers(self, paths: Iterable[Path]) -> Iterator[tuple[Path, Answer]]:
        """The answer for each file, in the order given."""
        waiting = enumerate(paths)
        pending: deque[Path] = deque()
        first = 0  # the number of the file at the head of `pending`
        done: dict[int, Answer] = {}
        exhausted = False
        while True:
            for worker in self._workers:
                if exhausted or worker.index is not None or len(pending) >= _WINDOW:
                    continue
                index, path = next(waiting, (-1, Path()))
                exhausted = index < 0
                if not exhausted:
                    pending.append(path)
                    self._give(worker, index, path)
            if not pending:
                return
            done.update(self._collect())
            while first in done:
                yield pending.popleft(), done.pop(first)
                first += 1

    def _give(self, worker: _Worker, index: int, path: Path, attempt: int = 1) -> None:
        try:
            worker.connection.send_bytes(os.fsencode(path))
        except OSError:  # it died while it had nothing to do
            self._restart(worker)
            worker.connection.send_bytes(os.fsencode(path))
        worker.index, worker.path, worker.attempt = index, path, attempt
        worker.limit_ms = limit_ms(path, self._timeout_ms)
        worker.deadline_ms = self._clock.monotonic_ms() + worker.limit_ms

    def _collect(self) -> Iterator[tuple[int, Answer]]:
        """Waits for answers, deaths and deadlines."""
        busy = {w.connection: w for w in self._workers if w.index is not None}
        next_ms = min(w.deadline_ms for w in busy.values()) - self._clock.monotonic_ms()
        ready = wait(list(busy), max(next_ms, 0) / 1000)
        now_ms = self._clock.monotonic_ms()
        for connection, worker in busy.items():
            index = worker.index
            if index is None:
                continue
            if connection in ready:
                answer = self._received(worker, index)
                if answer is not None:
                    yield index, answer
            elif now_ms >= worker.deadline_ms:
                self._restart(worker)
                yield index, {"reason": f"took over {worker.limit_ms / 1000:g} s"}

    def _received(self, worker: _Worker, index: int) -> Answer | None:
        """The answer; None when the file was given to another process."""
        worker.index = None
        try:
            answer = json.loads(worker.connection.recv_bytes(MAX_ANSWER_BYTES))
        except (EOFError, OSError):
            code = self._restart(worker)
            if worker.attempt == 1:
                # The file before it, or the system, may have ended the process just now.
                self._give(worker, index, worker.path, attempt=2)
                return None
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            return {"reason": f"ended the process that read it ({how})"}
        except (ValueError, RecursionError):  # no JSON, or nested beyond what can be read
            answer = None
        return answer if isinstance(answer, dict) else {"reason": "hashed to no hash"}

    def _restart(self, worker: _Worker) -> int | None:
        """Replaces a process; returns the exit code of the old one."""
        exit_code = _end(worker)
        fresh = _start(self._serve, self._options)
        worker.process, worker.connection = fresh.process, fresh.connection
        worker.index = None
        _await_ready(worker)
        return exit_code


def _start(serve: Serve, options: WorkerOptions) -> _Worker:
    # Spawned, not forked: an open LMDB environment must never be carried across a fork.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, options), daemon=True)
    # Ctrl-C reaches every process of the terminal; this one ends when its pipe does.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with one_thread():
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return _Worker(process, ours)


def _await_ready(worker: _Worker) -> None:
    try:
        if (
            worker.connection.poll(START_LIMIT_MS / 1000)
            and worker.connection.recv_bytes(MAX_ANSWER_BYTES) == hash_worker.READY
        ):
            return
    except (EOFError, OSError):
        pass
    raise FeedError("the processes that hash files do not start")


def _end(worker: _Worker) -> int | None:
    worker.connection.close()
    worker.process.join(0.05)  # what died by itself keeps its own exit code
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join()
    return worker.process.exitcode
