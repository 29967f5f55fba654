"""One worker from start to end: what it is made of, health, signals, shutdown.

    store -> Refresher (thread) -> View <- MatchService, ReviewService <- Boundary <- gRPC

Everything here runs on one event loop, except the refresher's thread and the search pool.
Several such processes follow the same store and listen on the same port.
"""

import asyncio
import logging
import os
import resource
import signal
import sys
from typing import Final

from grpc_health.v1 import health_pb2

from engine.clock import Clock
from engine.file_digest import Digest
from engine.index_choice import choosers
from engine.lmdb_store import LmdbReader
from engine.segment import SegmentFolder
from server.config import Config
from server.drain import stop_server
from server.listeners import (
    MATCH_SERVICE,
    REVIEW_SERVICE,
    HealthServicer,
    Listener,
    match_listener,
    review_listener,
)
from server.orders import Report
from server.refresh import Refresher
from server.review import ReviewService
from server.segment_watch import SegmentWatch
from server.service import MatchService, search_pool
from server.telemetry import SUMMARY_INTERVAL_MS, CallCounts, log, log_crash

# How often health is brought in line with the list.
HEALTH_INTERVAL_MS: Final = 100
_HEALTH_NAMES: Final = ("", MATCH_SERVICE, REVIEW_SERVICE)
_Status = health_pb2.HealthCheckResponse.ServingStatus


class App:
    """The parts of a worker."""

    def __init__(self, config: Config, clock: Clock, digest: Digest, *, is_early: bool) -> None:
        """Opens the store; needs a running event loop.

        Args:
            config: with the addresses that were taken for it.
            clock: the time.
            digest: what to know the digest of a segment's file by.
            is_early: whether to listen before the list is loaded.

        Raises:
            EngineError: the store cannot be opened.
        """
        self._config = config
        self._clock = clock
        self._is_early = is_early
        self._is_listening = False
        self._counts = CallCounts()
        self._pool = search_pool()
        self._health = HealthServicer()
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()
        index = config.index
        self.refresher = Refresher(
            lambda: LmdbReader(config.store.path),
            config.store,
            clock,
            choosers(index.kind),
            SegmentWatch(SegmentFolder(index.segments, index.kind, digest), clock),
        )
        self._listeners = self._make_listeners()

    def _make_listeners(self) -> dict[str, Listener]:
        config, limits, counts = self._config, self._config.limits, self._counts
        grace_ms = config.shutdown.grace_ms
        match = MatchService(self.refresher, limits, self._pool, counts)
        listeners = {
            "match": match_listener(config.match, limits, grace_ms, match, self._health, counts)
        }
        if config.review is not None:
            review = ReviewService(self.refresher, limits, self._pool)
            listeners["review"] = review_listener(
                config.review, limits, grace_ms, review, self._health, counts
            )
        return listeners

    def request_stop(self) -> None:
        """Begins the end, as SIGTERM does; asked again, it hurries."""
        if self._stopping.is_set():
            self._hurrying.set()
        self._stopping.set()

    async def run(self) -> None:
        """Serves until `request_stop`.

        Raises:
            ListenError: an address cannot be had.
            ConfigError: a certificate cannot be read.
            Exception: the first load failed, with whatever it raised.
        """
        try:
            if self._is_early:
                await self._listen()
            self.refresher.start()
            await self._watch()
        finally:
            await self._shut_down()
        if self.refresher.fatal is not None:
            raise self.refresher.fatal
        log("stopped")

    async def _listen(self) -> None:
        for listener in self._listeners.values():
            listener.bind()
        await self._set_health(_Status.NOT_SERVING)
        for listener in self._listeners.values():
            await listener.server.start()
        self._is_listening = True
        if self._config.match.plaintext and not self._config.match.listen.is_loopback:
            log("plaintext_listener", logging.WARNING, match_port=self._port("match"))
        log("listening", logging.DEBUG, match_port=self._port("match"))

    async def _watch(self) -> None:
        """Keeps health in line with the list and writes the summaries, until the end."""
        is_serving = False
        summary_ms = self._clock.monotonic_ms() + SUMMARY_INTERVAL_MS
        while not self._stopping.is_set() and self.refresher.fatal is None:
            if self.refresher.is_fresh() != is_serving:
                is_serving = not is_serving
                await self._on_health(is_serving=is_serving)
            if self._clock.monotonic_ms() >= summary_ms:
                summary_ms += SUMMARY_INTERVAL_MS
                self._counts.log_summary()
            try:
                async with asyncio.timeout(HEALTH_INTERVAL_MS / 1000):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _on_health(self, *, is_serving: bool) -> None:
        if not self._is_listening:
            await self._listen()
        await self._set_health(_Status.SERVING if is_serving else _Status.NOT_SERVING)
        Report(is_serving).send()
        if not is_serving:
            log("not_serving", logging.ERROR, list_age_ms=self.refresher.age_ms())
            return
        checkpoint = self.refresher.latest().snapshot.checkpoint  # fresh or stale by now
        log(
            "serving",
            match_port=self._port("match"),
            review_port=self._port("review"),
            sequence=checkpoint.sequence,
            entry_count=checkpoint.entry_count,
            pid=os.getpid(),
        )

    def _port(self, name: str) -> int:
        listener = self._listeners.get(name)
        return 0 if listener is None else listener.address.port

    async def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in _HEALTH_NAMES[: 1 + len(self._listeners)]:
            await self._health.set(name, status)

    async def _shut_down(self) -> None:
        await self._health.enter_graceful_shutdown()
        grace_s = self._config.shutdown.grace_ms / 1000
        servers = [listener.server for listener in self._listeners.values()]
        await asyncio.gather(
            *(stop_server(server, grace_s, self._counts, self._hurrying) for server in servers)
        )
        self._pool.shutdown(wait=True, cancel_futures=True)
        await asyncio.to_thread(self.refresher.stop)
        self._counts.log_summary()


async def serve(config: Config, clock: Clock, digest: Digest, *, is_early: bool) -> None:
    """Serves until SIGTERM, SIGINT or the end of stdin; see `App.run` for what it raises."""
    _bound_process()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_on_loop_error)
    app = App(config, clock, digest, is_early=is_early)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.request_stop)
    supervisor_fd = sys.stdin.fileno()

    def on_stdin() -> None:
        # Nothing more is ordered: what there is to read is the end, of the supervisor.
        loop.remove_reader(supervisor_fd)
        app.request_stop()

    loop.add_reader(supervisor_fd, on_stdin)
    await app.run()


def _bound_process() -> None:
    """Room for many connections, and no memory image on disk when the process dies."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _on_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What the event loop calls with an exception that nobody awaited."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        log_crash("loop_error", error)
    else:
        log("loop_error", logging.ERROR)
