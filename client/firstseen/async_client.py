"""Asks a Firstseen server from asyncio; see `client`, which is the same for threads."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Self, TypeVar

import grpc
from grpc import aio

from firstseen import wire
from firstseen.asking import (
    Batch,
    FileAnswer,
    FileProgress,
    Hashed,
    PolicyCache,
    decisive,
    hashed,
    hashed_or_error,
    needed,
)
from firstseen.attempts import Attempts
from firstseen.callee import Callee
from firstseen.errors import CallError, UnavailableError
from firstseen.items import Answer, Item, Policy
from firstseen.options import Options, Plaintext, Tls, channel_arguments, credentials
from firstseen.usage import ITEM, path_of, paths_of, require
from firstseen.v1 import match_pb2, match_pb2_grpc

_Result = TypeVar("_Result")


def _open_channel(address: str, security: Tls | Plaintext) -> aio.Channel:
    if isinstance(security, Plaintext):
        return aio.insecure_channel(address, channel_arguments())
    return aio.secure_channel(address, credentials(security), channel_arguments())


async def _attempt(
    call: Callable[[float], Awaitable[_Result]], attempts: Attempts, callee: Callee
) -> _Result:
    while True:
        try:
            return await call(attempts.remaining_s())
        except grpc.RpcError as error:
            failure = wire.from_rpc_error(error, callee)
        except CallError as error:
            failure = error
        await asyncio.sleep(attempts.pause_s(failure))


class AsyncClient:
    """A connection to one server, for one event loop. Files are hashed in threads."""

    def __init__(
        self,
        address: str,
        security: Tls | Plaintext = Tls(),  # noqa: B008  immutable
        options: Options = Options(),  # noqa: B008  immutable
    ) -> None:
        """See `Client`; to be made while the event loop runs."""
        require("options", options, Options, "Options()")
        self._options = options
        self._callee = Callee(address, security)
        self._channel = _open_channel(address, security)
        self._stub = match_pb2_grpc.MatchServiceStub(self._channel)
        self._policy = PolicyCache(options.policy_lifetime_ms)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; calls under way fail."""
        await self._channel.close(None)

    async def policy(self) -> Policy:
        """See `Client.policy`."""
        with self._callee.named():
            return await self._policy_within(Attempts(self._options))

    async def _policy_within(self, attempts: Attempts) -> Policy:
        policy = self._policy.get()
        if policy is None:
            request = match_pb2.GetPolicyRequest()
            response = await _attempt(
                lambda s: self._stub.GetPolicy(request, timeout=s), attempts, self._callee
            )
            policy = wire.from_policy(response)
            self._policy.keep(policy)
        return policy

    async def check(self, item: Item) -> Answer:
        """See `Client.check`."""
        require("item", item, Item, ITEM)
        attempts = Attempts(self._options)
        with self._callee.named():
            reduced = needed(item, await self._policy_within(attempts))
            if isinstance(reduced, Answer):
                return reduced
            request = match_pb2.CheckRequest(item=wire.to_item(reduced))
            response = await _attempt(
                lambda s: self._stub.Check(request, timeout=s), attempts, self._callee
            )
            return wire.from_answer(response)

    async def check_file(self, path: str | Path, progress: FileProgress | None = None) -> Answer:
        """See `Client.check_file`; `progress` is called in another thread."""
        policy = await self.policy()
        items = await asyncio.to_thread(hashed, path_of(path), self._options, policy, progress)
        return decisive([await self.check(item) for item in items])

    async def check_many(
        self, paths: Iterable[str | Path], progress: FileProgress | None = None
    ) -> AsyncIterator[FileAnswer]:
        """See `Client.check_many`; `progress` is called in another thread."""
        async for batch in self._batches(paths, progress):
            failure: CallError | None = None
            try:
                await self._ask(batch)
            except CallError as error:
                failure = error
            for answer in batch.answers():
                yield answer
            if failure:
                raise failure

    async def _batches(
        self, paths: Iterable[str | Path], progress: FileProgress | None
    ) -> AsyncIterator[Batch]:
        files: list[Hashed] = []
        policy: Policy | None = None
        since_s = time.monotonic()
        for path in paths_of(paths):
            policy = policy or await self.policy()
            files.append(
                await asyncio.to_thread(hashed_or_error, path, self._options, policy, progress)
            )
            is_due = time.monotonic() - since_s >= self._options.batch_wait_ms / 1000
            if is_due or len(files) == self._options.batch_items:
                yield Batch(files)
                files, since_s = [], time.monotonic()
        if files:
            yield Batch(files)

    async def _ask(self, batch: Batch) -> None:
        if not batch:
            return
        attempts = Attempts(self._options)
        with self._callee.named():
            batch.reduce(await self._policy_within(attempts))
            if batch:
                await _attempt(lambda s: self._stream(batch, s), attempts, self._callee)

    async def _stream(self, batch: Batch, timeout_s: float) -> None:
        try:
            async for response in self._stub.CheckStream(batch.requests(), timeout=timeout_s):
                batch.take(response)
        except aio.AioRpcError as error:
            # When the server ends a stream that is still being written to, grpc.aio may say
            # INTERNAL in place of the server's status, without any details. Asking again tells.
            if error.code() is grpc.StatusCode.INTERNAL and not error.trailing_metadata():
                raise UnavailableError("the stream broke") from error
            raise
        batch.close()
