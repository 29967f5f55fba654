"""What the sync and the async client have in common: everything but the waiting."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from firstseen import wire
from firstseen.errors import CallError, FirstseenError, ServerError, UnavailableError
from firstseen.hashing.file import FileOptions, hash_items
from firstseen.items import Answer, HashType, Item, MediaType, Policy, Verdict
from firstseen.options import Options
from firstseen.v1 import match_pb2

# What wants attention least to most. Of the parts of a file the last one decides: a file must
# never pass for known when a part of it was not judged, or is seen for the first time.
ATTENTION: Final = (Verdict.KNOWN, Verdict.UNSUPPORTED, Verdict.UNSURE, Verdict.NOVEL)

FileProgress = Callable[[Path, int, int | None], None]
"""Told how far a video is: its path, milliseconds done, and in all when that is known."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file that was hashed, or could not be.

    Attributes:
        path: the file.
        found: what it holds, or why it could not be hashed.
        elapsed_ms: how long that took.
    """

    path: Path
    found: tuple[Item, ...] | FirstseenError | OSError
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What became of one file of many.

    Attributes:
        path: the file.
        answer: what the engine says of it; None when there is an error. Of a Motion Photo it
            is that of the picture or of the clip, whichever wants more attention.
        error: why there is no answer: a `MediaError`, an `OSError` or an `InvalidItemError`.
        elapsed_ms: how long hashing it took, and from asking to its answer; not the wait for
            the files that were asked about together with it.
    """

    path: Path
    answer: Answer | None = None
    error: FirstseenError | OSError | None = None
    elapsed_ms: float = field(default=0.0, compare=False)


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

    What a server does not judge need not leave the device, nor what decides nothing: the pictures
    of a document, unless it is one picture wrapped in a page.
    """
    types = policy.judged.get(item.media_type, frozenset())
    if item.media_type is MediaType.DOCUMENT and not item.may_be_one_picture():
        types -= {HashType.PDQ}
    reduced = item.only(types)
    if reduced.hashes:
        return reduced
    return Answer(Verdict.UNSUPPORTED, policy.checkpoint)


def hashed(
    path: Path, options: Options, policy: Policy, progress: FileProgress | None = None
) -> tuple[Item, ...]:
    """Hashes a file for a server, as many hashes an item as it takes.

    Raises:
        MediaError: it cannot be hashed.
        OSError: it cannot be read.
    """
    files = FileOptions(
        dihedral=options.dihedral,
        max_hashes=policy.max_hashes_per_item,
        exact_when_undecodable=options.exact_when_undecodable,
    )
    return hash_items(path, files, partial(progress, path) if progress else None)


def hashed_or_error(
    path: Path, options: Options, policy: Policy, progress: FileProgress | None = None
) -> Hashed:
    """As `hashed`; one file of many that cannot be hashed is no reason to stop."""
    started_s = time.perf_counter()
    found: tuple[Item, ...] | FirstseenError | OSError
    try:
        found = hashed(path, options, policy, progress)
    except (FirstseenError, OSError) as error:
        found = error
    return Hashed(path, found, (time.perf_counter() - started_s) * 1000)


def decisive(answers: Iterable[Answer]) -> Answer:
    """Of the answers to the parts of one file, the one that wants most attention."""
    return max(answers, key=lambda answer: ATTENTION.index(answer.verdict))


class Batch:
    """Files of one `CheckStream` call: which are still to be asked about, and what came back."""

    def __init__(self, files: Sequence[Hashed]) -> None:
        self._files: list[tuple[Hashed, range]] = []
        self._items: dict[int, Item] = {}
        self._outcomes: dict[int, Answer | CallError] = {}
        self._waited_ms: dict[int, float] = {}
        tag = 0
        for file in files:
            parts = file.found if isinstance(file.found, tuple) else ()
            tags = range(tag, tag + len(parts))
            self._files.append((file, tags))
            self._items.update(zip(tags, parts, strict=True))
            tag = tags.stop
        self._asked_s = time.perf_counter()
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
        self._waited_ms[number] = (time.perf_counter() - self._asked_s) * 1000

    def answers(self) -> Iterator[FileAnswer]:
        """What became of each file, in order, up to the first without an answer."""
        for file, tags in self._files:
            if any(tag in self._items for tag in tags):
                return
            waited_ms = max((self._waited_ms[tag] for tag in tags), default=0.0)
            told = partial(FileAnswer, file.path, elapsed_ms=file.elapsed_ms + waited_ms)
            if not isinstance(file.found, tuple):
                yield told(error=file.found)
                continue
            outcomes = [self._outcomes[tag] for tag in tags]
            answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
            errors = [outcome for outcome in outcomes if not isinstance(outcome, Answer)]
            if errors:
                yield told(error=errors[0])
            else:
                yield told(answer=decisive(answers))
