"""Loads a feed into a bank, batch by batch; each batch is on disk before the next begins.

What the bank lists already is passed over by the store, so a load that was stopped is
simply run again. How feeds are read is told in `feeds`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from engine.clock import Clock
from engine.entries import Checkpoint, NewItem
from engine.errors import WriterBusyError
from engine.hashes import Hash, Item, MediaType
from engine.policy import Bank
from engine.store import LoadResult
from indexer.console import Report
from indexer.feeds.reading import Place, Read
from indexer.feeds.rejects import Outcome, Rejects

DEFAULT_BATCH_ITEMS = 10_000
COMMIT_INTERVAL_MS = 10_000  # pictures are slow: what is hashed should not wait for long
_HASHES_PER_ITEM = 10  # a batch is also full at this many hashes for each item it may have
_LOOK_EVERY = 64  # reading the clock costs as much as a field

Admit = Callable[[Bank], Sequence[NewItem]]
"""Gives of a batch what a bank takes, as it is when the batch is listed."""

Commit = Callable[[Admit, bool], LoadResult]
"""Lists a batch; whether it may wait for another writer, or is to fail at once."""


@dataclass(slots=True)
class LoadTotals:
    """What became of a feed so far.

    Attributes:
        read: items read, those rejected too.
        added_items: how many are new.
        added_hashes: how many hashes they have.
        added_by_type: how many of the new items are of which media type.
        duplicates: items that were listed already or came twice.
        checkpoint: the list after the last batch; None before the first.
    """

    read: int = 0
    added_items: int = 0
    added_hashes: int = 0
    added_by_type: Counter[MediaType] = field(default_factory=Counter)
    duplicates: int = 0
    checkpoint: Checkpoint | None = None


class Loader:
    """Takes items until a batch is full, and commits it."""

    def __init__(
        self,
        bank: Bank,
        commit: Commit,
        rejects: Rejects,
        clock: Clock,
        batch_items: int,
        *,
        is_slow: bool = False,
    ) -> None:
        """Takes where to load.

        Args:
            bank: whose policy decides what may be listed, until a commit finds another.
            commit: lists a batch.
            rejects: takes what may not.
            clock: to commit by when items are slow.
            batch_items: how many items are one commit.
            is_slow: look at the clock at every item, which may have taken half an hour.
        """
        self.totals = LoadTotals()
        self._bank = bank
        self._commit = commit
        self._rejects = rejects
        self._clock = clock
        self._batch_items = batch_items
        self._look_every = 1 if is_slow else _LOOK_EVERY
        self._batch: list[tuple[Place, NewItem]] = []
        self._batch_hashes = 0
        self._committed_ms = clock.monotonic_ms()

    def load(
        self, feed: Iterable[Read], report: Report, position: Callable[[], int | None]
    ) -> None:
        """Loads a feed to its end.

        Args:
            feed: what to load.
            report: told of every batch.
            position: how far in the feed this is, in the report's measure.

        Raises:
            StoreFullError: the batch that did not fit is not listed; those before it are.
            KeyboardInterrupt: what was read until then is listed, unless another process is
                writing: then the last batch is not.
        """
        try:
            self._load(feed, report, position)
        except KeyboardInterrupt:
            with suppress(WriterBusyError):  # who has had enough is not to wait any longer
                self._flush(may_wait=False)
            raise

    def _load(
        self, feed: Iterable[Read], report: Report, position: Callable[[], int | None]
    ) -> None:
        totals, batch, refusal = self.totals, self._batch, self._bank.refusal
        for place, found in feed:
            totals.read += 1
            if isinstance(found, str):
                self._rejects.add(place, Outcome.REJECTED, found)
            else:
                hashes = found.item.hashes
                for hash_ in hashes:
                    if refusal(hash_) is not None:
                        kept = self._without_refused(place, found, self._bank)
                        break
                else:
                    kept = found
                if kept is not None:
                    batch.append((place, kept))
                    self._batch_hashes += len(hashes)
            if len(batch) >= self._batch_items or self._is_due():
                self._flush()
                refusal = self._bank.refusal
                report(totals.read, position())
        self._flush()
        report(totals.read, position())

    def _is_due(self) -> bool:
        if self._batch_hashes >= self._batch_items * _HASHES_PER_ITEM:
            return True
        return (
            self.totals.read % self._look_every == 0
            and self._clock.monotonic_ms() - self._committed_ms >= COMMIT_INTERVAL_MS
        )

    def _without_refused(self, place: Place, new: NewItem, bank: Bank) -> NewItem | None:
        """The item without the hashes that a bank refuses; None when none is left."""
        kept: list[Hash] = []
        reasons: list[str] = []
        for hash_ in new.item.hashes:
            reason = bank.refusal(hash_)
            if reason is None:
                kept.append(hash_)
            else:
                reasons.append(f"{hash_.type.name.lower()}: {reason}")
        if not kept:
            self._rejects.add(place, Outcome.REJECTED, reasons[0])
            return None
        for reason in reasons:
            self._rejects.add(place, Outcome.LEFT_OUT, reason)
        return NewItem(Item(new.item.media_type, tuple(kept)), new.labels)

    def _admitted(self, bank: Bank) -> list[NewItem]:
        """The batch, without what the bank refuses if it was changed since this was read."""
        if bank.policy != self._bank.policy:
            kept = [(place, self._without_refused(place, new, bank)) for place, new in self._batch]
            self._batch[:] = [(place, new) for place, new in kept if new is not None]
            self._bank = bank
        return [new for _, new in self._batch]

    def _flush(self, *, may_wait: bool = True) -> None:
        if self._batch:
            result = self._commit(self._admitted, may_wait)
            self.totals.added_items += result.added_items
            self.totals.added_hashes += result.added_entries
            self.totals.added_by_type.update(result.added_by_type)
            self.totals.duplicates += result.duplicate_items
            self.totals.checkpoint = result.checkpoint
            self._batch.clear()
            self._batch_hashes = 0
        self._committed_ms = self._clock.monotonic_ms()
