"""What the sync and the async client have in common: everything but the waiting."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstseen import wire
from firstseen.errors import CallError, FirstseenError, ServerError, UnavailableError
from firstseen.items import Answer, Item, Policy, Verdict
from firstseen.v1 import match_pb2


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What became of one file of many.

    Attributes:
        path: the file.
        answer: what the engine says of it; None when there is an error.
        error: why there is no answer: a `MediaError`, an `OSError` or an `InvalidItemError`.
    """

    path: Path
    answer: Answer | None = None
    error: FirstseenError | OSError | None = None


class PolicyCache:
    """What the server said it judges, for as long as that may be gone by."""

    def __init__(self, lifetime_ms: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._lifetime_s = lifetime_ms / 1000
        self._now_s = now_s
        self._kept: tuple[Policy, float] | None = None

    def get(self) -> Policy | None:
        """The policy, unless it is too old or was never kept."""
        kept = self._kept
        return kept[0] if kept and self._now_s() < kept[1] else None

    def keep(self, policy: Policy) -> None:
        """Keeps a fresh one."""
        self._kept = (policy, self._now_s() + self._lifetime_s)


def needed(item: Item, policy: Policy) -> Item | Answer:
    """The part of an item that is worth sending, or the answer when nothing is.

    What a server does not judge need not leave the device.
    """
    reduced = item.only(policy.judged.get(item.media_type, frozenset()))
    if reduced.hashes:
        return reduced
    return Answer(Verdict.UNSUPPORTED, policy.checkpoint)


class Batch:
    """Files of one `CheckStream` call: which are still to be asked about, and what came back."""

    def __init__(self, files: Sequence[tuple[Path, Item | FirstseenError | OSError]]) -> None:
        self._paths = [path for path, _ in files]
        self._items = {n: found for n, (_, found) in enumerate(files) if isinstance(found, Item)}
        self._outcomes: dict[int, Answer | CallError | FirstseenError | OSError] = {
            n: found for n, (_, found) in enumerate(files) if not isinstance(found, Item)
        }
        self._refused: UnavailableError | None = None

    def reduce(self, policy: Policy) -> None:
        """Answers the items that have nothing this server judges, and cuts down the others."""
        for number, item in list(self._items.items()):
            reduced = needed(item, policy)
            if isinstance(reduced, Item):
                self._items[number] = reduced
            else:
                self._settle(number, reduced)

    def __bool__(self) -> bool:
        """Whether something is still to be asked."""
        return bool(self._items)

    def requests(self) -> Iterator[match_pb2.CheckStreamRequest]:
        """One request for each item without an answer."""
        for number, item in list(self._items.items()):
            yield match_pb2.CheckStreamRequest(tag=number, item=wire.to_item(item))

    def take(self, response: match_pb2.CheckStreamResponse) -> None:
        """Takes one answer; one that may come later leaves its item unanswered.

        Raises:
            ServerError: nobody asked for it.
        """
        if response.tag not in self._items:
            raise ServerError("the server answered what was not asked")
        outcome = wire.from_outcome(response)
        if isinstance(outcome, UnavailableError):
            self._refused = outcome
        elif isinstance(outcome, ServerError):
            raise outcome
        else:
            self._settle(response.tag, outcome)

    def close(self) -> None:
        """Ends an attempt.

        Raises:
            CallError: the stream ended and left something unanswered.
        """
        refused, self._refused = self._refused, None
        if refused:
            raise refused
        if self._items:
            raise ServerError("the server ended the stream before the last answer")

    def _settle(self, number: int, outcome: Answer | CallError) -> None:
        del self._items[number]
        self._outcomes[number] = outcome

    def answers(self) -> Iterator[FileAnswer]:
        """What became of each file, in order, up to the first without an answer."""
        for number, path in enumerate(self._paths):
            if number in self._items:
                return
            outcome = self._outcomes[number]
            if isinstance(outcome, Answer):
                yield FileAnswer(path, answer=outcome)
            else:
                yield FileAnswer(path, error=outcome)
