"""What a store promises: the list's ground state, as a log with one writer.

Every change is one transaction that appends one record to the log and moves the
head by one; it is on disk when the call returns, or nothing of it is. Readers see
the list at one checkpoint, never between two.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from engine.entries import (
    Checkpoint,
    Columns,
    IdRange,
    ItemId,
    ListedItem,
    NewItem,
)
from engine.hashes import HashType, HashValue, MediaType
from engine.policy import Bank, BankId, BankPolicy
from engine.progress import Stage, untold


class ChangeKind(IntEnum):
    """What a record of the log says happened."""

    BANK = 1
    LOAD = 2
    WITHDRAW = 3
    CLEAR = 4


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One change of the list. It names entries by id and never holds a hash.

    Attributes:
        checkpoint: the list after the change.
        time_unix_ms: when it was made.
        kind: what happened.
        bank_id: the bank it happened to; 0 for a withdrawal, which may touch several.
        added: the ids given out by a load; `first == end` for other kinds.
        removed: the ids taken out, sorted, none touching.
        reason: what the unit wrote of the change, such as a file's name or a case.
    """

    checkpoint: Checkpoint
    time_unix_ms: int
    kind: ChangeKind
    bank_id: BankId
    added: IdRange
    removed: tuple[IdRange, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The whole list at a checkpoint."""

    checkpoint: Checkpoint
    banks: tuple[Bank, ...]
    columns: Mapping[HashType, Columns]


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes between two checkpoints.

    Attributes:
        base: where they begin.
        head: where they end; not always the store's head.
        banks: every bank at `head`.
        removed: the entries to take out of what was listed at `base`, sorted.
        columns: the entries to add, already without those removed since.
    """

    base: Checkpoint
    head: Checkpoint
    banks: tuple[Bank, ...]
    removed: tuple[IdRange, ...]
    columns: Mapping[HashType, Columns]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What became of a batch of items.

    Attributes:
        checkpoint: the list after it.
        added_items: how many items are new.
        added_entries: how many hashes they have.
        duplicate_items: how many were listed in this bank already, or twice in the batch.
        added_by_type: how many of the new items are of which media type.
    """

    checkpoint: Checkpoint
    added_items: int
    added_entries: int
    duplicate_items: int
    added_by_type: Mapping[MediaType, int]


@dataclass(frozen=True, slots=True)
class RemoveResult:
    """What a withdrawal took out."""

    checkpoint: Checkpoint
    removed_items: int
    removed_entries: int


class StoreReader(Protocol):
    """Reading a store, beside a writer and without waiting for it."""

    def head(self) -> Checkpoint:
        """The newest checkpoint; costs about a microsecond."""

    def banks(self) -> tuple[Bank, ...]:
        """Every bank, by id."""

    def contents(self, stage: Stage = untold) -> Contents:
        """The whole list at the head; the stage is `read`.

        Raises:
            CorruptError: a record is damaged. (Whether the whole agrees with its count
                and digest is seen by whoever builds on it.)
        """

    def delta(self, base: Checkpoint, most_entries: int | None = None) -> Delta:
        """The changes from `base` to the head, or the first of them.

        Args:
            base: where to begin.
            most_entries: how many entries the changes may add and remove together, see
                `engine.log_span`; any number when it is not said.

        Raises:
            LogTruncatedError: the log does not lead on from `base`.
            CorruptError: a record is damaged.
        """

    def items(self, item_ids: Sequence[ItemId]) -> Mapping[ItemId, ListedItem]:
        """Those of the items that are still listed."""

    def iter_items(self, bank_id: BankId | None = None) -> Iterator[ListedItem]:
        """Every listed item (of one bank), by id, at one checkpoint."""

    def iter_log(self) -> Iterator[LogRecord]:
        """Every record of the log, oldest first."""

    def find(
        self, hash_type: HashType, value: HashValue, bank_id: BankId | None = None
    ) -> tuple[ItemId, ...]:
        """The items (of one bank) that list exactly this hash."""

    def preview(self, bank_id: BankId, items: Sequence[NewItem]) -> LoadResult:
        """What `StoreWriter.load` would do, doing nothing.

        Raises:
            InvalidInputError: there is no such bank.
        """

    def close(self) -> None:
        """Lets go of the store's files."""


class StoreWriter(StoreReader, Protocol):
    """Changing a store. There is one writer at a time.

    Every method that changes may raise `StoreFullError` and then has changed nothing.
    """

    def put_bank(self, name: str, policy: BankPolicy, note: str = "") -> Bank:
        """Makes a bank, or gives the bank of that name a new policy and note."""

    def load(self, bank_id: BankId, items: Sequence[NewItem], reason: str = "") -> LoadResult:
        """Lists the items that the bank does not list yet.

        An item is listed already when the bank has one with the same media type and
        hashes; its labels stay as they are. A batch without a new item changes nothing.

        Raises:
            InvalidInputError: there is no such bank.
        """

    def withdraw(self, item_ids: Sequence[ItemId], reason: str = "") -> RemoveResult:
        """Takes items out, all hashes of each. Ids that are not listed are ignored."""

    def clear(
        self, bank_id: BankId, reason: str = "", progress: Callable[[int], None] | None = None
    ) -> RemoveResult:
        """Takes out every item of a bank, in one change.

        Raises:
            InvalidInputError: there is no such bank.
        """
