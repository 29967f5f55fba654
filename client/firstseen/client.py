"""Asks a Firstseen server whether something is known, sending only hashes.

For programs with threads; `async_client` is the same for asyncio.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self, TypeVar

import grpc

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
from firstseen.errors import CallError
from firstseen.items import Answer, Item, Policy
from firstseen.options import Options, Plaintext, Tls, channel_arguments, credentials
from firstseen.usage import ITEM, path_of, paths_of, require
from firstseen.v1 import match_pb2, match_pb2_grpc

_Result = TypeVar("_Result")


def open_channel(address: str, security: Tls | Plaintext) -> grpc.Channel:
    """A channel to a server; nothing is sent before the first call."""
    if isinstance(security, Plaintext):
        return grpc.insecure_channel(address, channel_arguments())
    return grpc.secure_channel(address, credentials(security), channel_arguments())


def attempt(call: Callable[[float], _Result], attempts: Attempts, callee: Callee) -> _Result:
    """Makes a call until it succeeds or another attempt is of no use.

    Args:
        call: takes the seconds it may last.
        attempts: how often, and until when.
        callee: whom.

    Raises:
        CallError: it did not succeed.
    """
    while True:
        try:
            return call(attempts.remaining_s())
        except grpc.RpcError as error:
            failure = wire.from_rpc_error(error, callee)
        except CallError as error:
            failure = error
        time.sleep(attempts.pause_s(failure))


class Client:
    """A connection to one server; safe to use from many threads.

    Example:
        with Client("match.example:443") as client:
            print(client.check_file("picture.jpg").verdict.name)
    """

    def __init__(
        self,
        address: str,
        security: Tls | Plaintext = Tls(),  # noqa: B008  immutable
        options: Options = Options(),  # noqa: B008  immutable
    ) -> None:
        """Opens a connection, without waiting for it.

        Args:
            address: `host:port`.
            security: TLS, or plaintext for trying out.
            options: deadlines and retries.

        Raises:
            UsageError: one of them is not as told.
        """
        require("options", options, Options, "Options()")
        self._options = options
        self._callee = Callee(address, security)
        self._channel = open_channel(address, security)
        self._stub = match_pb2_grpc.MatchServiceStub(self._channel)
        self._policy = PolicyCache(options.policy_lifetime_ms)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; calls under way fail."""
        self._channel.close()

    def policy(self) -> Policy:
        """What the server judges and its limits; asked for once in a while.

        Raises:
            CallError: the server does not say.
        """
        with self._callee.named():
            return self._policy_within(Attempts(self._options))

    def _policy_within(self, attempts: Attempts) -> Policy:
        policy = self._policy.get()
        if policy is None:
            request = match_pb2.GetPolicyRequest()
            response = attempt(
                lambda s: self._stub.GetPolicy(request, timeout=s), attempts, self._callee
            )
            policy = wire.from_policy(response)
            self._policy.keep(policy)
        return policy

    def check(self, item: Item) -> Answer:
        """Asks about one item. Only hash types that the server judges are sent.

        Raises:
            CallError: there is no verdict; treat the item as UNSURE, never as NOVEL.
        """
        require("item", item, Item, ITEM)
        attempts = Attempts(self._options)
        with self._callee.named():
            reduced = needed(item, self._policy_within(attempts))
            if isinstance(reduced, Answer):
                return reduced
            request = match_pb2.CheckRequest(item=wire.to_item(reduced))
            response = attempt(
                lambda s: self._stub.Check(request, timeout=s), attempts, self._callee
            )
            return wire.from_answer(response)

    def check_file(self, path: str | Path, progress: FileProgress | None = None) -> Answer:
        """Hashes a file here and asks about it.

        Of a Motion Photo both picture and clip are asked about, and the answer is the one that
        wants more attention: NOVEL before UNSURE, UNSUPPORTED and KNOWN.

        Raises:
            MediaError: it cannot be hashed.
            OSError: it cannot be read.
            CallError: as `check`.
        """
        items = hashed(path_of(path), self._options, self.policy(), progress)
        return decisive([self.check(item) for item in items])

    def check_many(
        self, paths: Iterable[str | Path], progress: FileProgress | None = None
    ) -> Iterator[FileAnswer]:
        """Hashes files here and asks about them in streams, in order.

        A file that cannot be read, hashed or judged is an answer with an error. At most
        `batch_items` are held at a time, and what a broken stream left unanswered is asked again.

        Args:
            paths: of the files.
            progress: told how far a video is.

        Raises:
            CallError: the server does not answer; comes after the answers there are, and
                nothing more is asked.
        """
        for batch in self._batches(paths, progress):
            failure: CallError | None = None
            try:
                self._ask(batch)
            except CallError as error:
                failure = error
            yield from batch.answers()
            if failure:
                raise failure

    def _batches(
        self, paths: Iterable[str | Path], progress: FileProgress | None
    ) -> Iterator[Batch]:
        files: list[Hashed] = []
        policy: Policy | None = None
        since_s = time.monotonic()
        for path in paths_of(paths):
            # First of all: it says how many hashes to make, and fails when nobody is there.
            policy = policy or self.policy()
            files.append(hashed_or_error(path, self._options, policy, progress))
            is_due = time.monotonic() - since_s >= self._options.batch_wait_ms / 1000
            if is_due or len(files) == self._options.batch_items:
                yield Batch(files)
                files, since_s = [], time.monotonic()
        if files:
            yield Batch(files)

    def _ask(self, batch: Batch) -> None:
        if not batch:
            return
        attempts = Attempts(self._options)
        with self._callee.named():
            batch.reduce(self._policy_within(attempts))
            if batch:
                attempt(lambda s: self._stream(batch, s), attempts, self._callee)

    def _stream(self, batch: Batch, timeout_s: float) -> None:
        for response in self._stub.CheckStream(batch.requests(), timeout=timeout_s):
            batch.take(response)
        batch.close()
