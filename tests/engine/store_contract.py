"""What every store has to hold to; a store's test class derives from this one.

What only one kind of store promises is tested beside it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engine.entries import (
    EMPTY_CHECKPOINT,
    Checkpoint,
    ItemId,
    Labels,
    ListedItem,
    NewItem,
    columns_of,
    item_digests,
)
from engine.errors import InvalidInputError, LogTruncatedError
from engine.hashes import HashType, Item
from engine.policy import Bank, BankPolicy
from engine.snapshot import Snapshot
from engine.store import ChangeKind, StoreWriter
from tests.engine.values import md5, pdq, picture, sha256, triples, value


def item(number: int) -> Item:
    """A picture with three hashes."""
    return picture(pdq(value(number)), sha256(value(number)), md5(value(number, 16)))


def new(*numbers: int) -> list[NewItem]:
    return [NewItem(item(number), Labels(reference=f"case {number}")) for number in numbers]


def listed(store: StoreWriter) -> list[ListedItem]:
    return list(store.iter_items())


class StoreContract:
    """Tests of `engine.store`."""

    @contextmanager
    def opened(self, path: Path) -> Iterator[StoreWriter]:
        """The store at a path, made when there is none."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[StoreWriter]:
        with self.opened(tmp_path / "store") as opened:
            yield opened

    @pytest.fixture
    def bank(self, store: StoreWriter) -> Bank:
        return store.put_bank("REMOVED", BankPolicy())

    def test_new_store_is_empty(self, store: StoreWriter) -> None:
        assert store.head() == EMPTY_CHECKPOINT
        assert store.banks() == ()
        assert listed(store) == []
        assert list(store.iter_log()) == []
        assert Snapshot.of(store.contents()).checkpoint == EMPTY_CHECKPOINT

    def test_items_are_listed_in_order_with_consecutive_ids(
        self, store: StoreWriter, bank: Bank
    ) -> None:
        result = store.load(bank.bank_id, new(1, 2), "a file")
        assert (result.added_items, result.added_entries, result.duplicate_items) == (2, 6, 0)
        assert [(i.item_id, i.end_id, i.item) for i in listed(store)] == [
            (1, 4, item(1)), (4, 7, item(2)),
        ]  # fmt: skip
        assert listed(store)[0].labels.reference == "case 1"
        assert store.head() == result.checkpoint

    def test_head_is_the_sum_of_what_is_listed(self, store: StoreWriter, bank: Bank) -> None:
        store.load(bank.bank_id, new(1, 2, 3))
        store.withdraw([ItemId(4)])
        digest_sum = sum(sum(item_digests(i)) for i in listed(store))
        assert store.head() == Checkpoint.at(3, 6, digest_sum)

    def test_what_is_listed_already_changes_nothing(self, store: StoreWriter, bank: Bank) -> None:
        first = store.load(bank.bank_id, new(1, 2))
        again = store.load(bank.bank_id, [NewItem(item(1), Labels("other")), *new(2, 2)])
        assert (again.added_items, again.duplicate_items) == (0, 3)
        assert again.checkpoint == first.checkpoint == store.head()
        assert listed(store)[0].labels.category == ""

    def test_item_that_comes_twice_in_a_batch_is_listed_once(
        self, store: StoreWriter, bank: Bank
    ) -> None:
        result = store.load(bank.bank_id, new(1, 1, 2, 1))
        assert (result.added_items, result.duplicate_items) == (2, 2)

    def test_banks_do_not_know_of_each_others_items(self, store: StoreWriter, bank: Bank) -> None:
        other = store.put_bank("OTHER", BankPolicy())
        store.load(bank.bank_id, new(1))
        assert store.load(other.bank_id, new(1)).added_items == 1
        assert [i.bank_id for i in store.iter_items(other.bank_id)] == [other.bank_id]

    def test_items_that_share_a_hash_are_not_the_same(self, store: StoreWriter, bank: Bank) -> None:
        store.load(bank.bank_id, [NewItem(picture(pdq(value(1)), pdq(value(2))))])
        result = store.load(bank.bank_id, [NewItem(picture(pdq(value(1))))])
        assert result.added_items == 1
        assert store.find(HashType.PDQ, value(1)) == (1, 3)
        assert store.find(HashType.PDQ, value(2)) == (1,)
        assert store.find(HashType.PDQ, value(3)) == ()

    def test_preview_says_what_a_load_would_do_and_does_nothing(
        self, store: StoreWriter, bank: Bank
    ) -> None:
        store.load(bank.bank_id, new(1))
        before = store.head()
        foreseen = store.preview(bank.bank_id, new(1, 2, 2, 3))
        assert store.head() == foreseen.checkpoint == before
        done = store.load(bank.bank_id, new(1, 2, 2, 3))
        assert (foreseen.added_items, foreseen.added_entries, foreseen.duplicate_items) == (
            done.added_items, done.added_entries, done.duplicate_items,
        )  # fmt: skip

    def test_ids_are_never_used_again(self, store: StoreWriter, bank: Bank) -> None:
        store.load(bank.bank_id, new(1, 2))
        store.withdraw([ItemId(1), ItemId(4)])
        store.load(bank.bank_id, new(1))
        assert [i.item_id for i in listed(store)] == [7]

    def test_withdrawal_takes_out_whole_items_and_ignores_others(
        self, store: StoreWriter, bank: Bank
    ) -> None:
        store.load(bank.bank_id, new(1, 2, 3))
        result = store.withdraw([ItemId(4), ItemId(4), ItemId(5), ItemId(99)], "case 2")
        assert (result.removed_items, result.removed_entries) == (1, 3)
        assert [i.item for i in listed(store)] == [item(1), item(3)]
        assert store.find(HashType.PDQ, value(2)) == ()
        before = store.head()
        assert store.withdraw([ItemId(4), ItemId(99)]).removed_items == 0
        assert store.withdraw([]).checkpoint == before == store.head()

    def test_cleared_bank_is_empty_and_others_are_not(self, store: StoreWriter, bank: Bank) -> None:
        other = store.put_bank("OTHER", BankPolicy())
        store.load(bank.bank_id, new(1, 2))
        store.load(other.bank_id, new(3))
        seen: list[int] = []
        assert store.clear(bank.bank_id, "mistake", seen.append).removed_items == 2
        assert [i.item for i in listed(store)] == [item(3)]
        assert seen == [1, 2]
        assert store.clear(bank.bank_id).removed_items == 0

    def test_bank_that_is_not_there_is_refused(self, store: StoreWriter, bank: Bank) -> None:
        missing = type(bank.bank_id)(9)
        for change in (
            lambda: store.load(missing, new(1)),
            lambda: store.preview(missing, new(1)),
            lambda: store.clear(missing),
        ):
            with pytest.raises(InvalidInputError, match="bank_id"):
                change()
        assert store.head().sequence == 1

    def test_bank_keeps_its_id_under_a_new_policy(self, store: StoreWriter, bank: Bank) -> None:
        changed = store.put_bank("REMOVED", BankPolicy(enabled=False), "off")
        assert changed.bank_id == bank.bank_id
        assert store.banks() == (changed,)
        before = store.head()
        store.put_bank("REMOVED", BankPolicy(enabled=False), "off")
        assert store.head() == before

    def test_log_tells_every_change_and_holds_no_hash(self, store: StoreWriter, bank: Bank) -> None:
        store.load(bank.bank_id, new(1, 2), "a file")
        store.withdraw([ItemId(1)], "case 1")
        store.clear(bank.bank_id, "all")
        log = list(store.iter_log())
        assert [(r.kind, r.reason) for r in log] == [
            (ChangeKind.BANK, "REMOVED"),
            (ChangeKind.LOAD, "a file"),
            (ChangeKind.WITHDRAW, "case 1"),
            (ChangeKind.CLEAR, "all"),
        ]
        assert [r.checkpoint.sequence for r in log] == [1, 2, 3, 4]
        assert [r.checkpoint.entry_count for r in log] == [0, 6, 3, 0]
        assert [(p.first, p.end) for r in log for p in r.removed] == [(1, 4), (4, 7)]
        assert value(1).hex() not in repr(log)

    def test_reason_that_is_too_long_is_refused_and_nothing_changes(
        self, store: StoreWriter, bank: Bank
    ) -> None:
        with pytest.raises(InvalidInputError, match="reason"):
            store.load(bank.bank_id, new(1), "x" * 1_001)
        assert listed(store) == []

    def test_delta_from_every_checkpoint_leads_to_the_head(
        self, store: StoreWriter, bank: Bank
    ) -> None:
        snapshots = [Snapshot.of(store.contents())]
        for change in (
            lambda: store.load(bank.bank_id, new(1, 2)),
            lambda: store.load(bank.bank_id, new(3, 4)),
            lambda: store.withdraw([ItemId(4)]),
            lambda: store.put_bank("OTHER", BankPolicy()),
            lambda: store.load(bank.bank_id, new(2, 5)),
            lambda: store.withdraw([ItemId(7), ItemId(13)]),
            lambda: store.clear(bank.bank_id),
            lambda: store.load(bank.bank_id, new(9)),
        ):
            change()
            snapshots.append(Snapshot.of(store.contents()))
        whole = store.contents()
        for snapshot in snapshots:
            delta = store.delta(snapshot.checkpoint)
            assert snapshot.advance(delta).checkpoint == store.head() == whole.checkpoint
            assert delta.banks == whole.banks
        from_nothing = store.delta(EMPTY_CHECKPOINT)
        for hash_type, columns in whole.columns.items():
            assert triples(from_nothing.columns[hash_type]) == triples(columns)

    def test_delta_holds_nothing_that_came_and_went(self, store: StoreWriter, bank: Bank) -> None:
        base = store.head()
        store.load(bank.bank_id, new(1, 2))
        store.withdraw([ItemId(1)])
        delta = store.delta(base)
        assert delta.columns[HashType.PDQ].entry_ids.tolist() == [4]

    def test_delta_with_a_limit_ends_early_and_leads_to_the_head_in_the_end(
        self, store: StoreWriter, bank: Bank
    ) -> None:
        snapshot = Snapshot.of(store.contents())
        for numbers in ((1, 2), (3,), (4, 5), (6,), (7, 8, 9)):
            store.load(bank.bank_id, new(*numbers))
        store.withdraw([ItemId(1)])
        ends = []
        while snapshot.checkpoint != store.head():
            snapshot = snapshot.advance(store.delta(snapshot.checkpoint, 9))
            ends.append(snapshot.checkpoint.sequence)
        assert ends == [7]  # the first load was taken back by the last change
        store.load(bank.bank_id, new(10, 11))
        store.load(bank.bank_id, new(12))
        store.load(bank.bank_id, new(13))
        delta = store.delta(snapshot.checkpoint, 9)
        assert (delta.head.sequence, delta.banks) == (9, store.banks())
        assert snapshot.advance(delta).checkpoint == delta.head
        assert store.delta(delta.head, 1).head == store.head()
        assert store.delta(store.head(), 1).head == store.head()

    def test_delta_from_a_foreign_checkpoint_is_refused(
        self, store: StoreWriter, bank: Bank
    ) -> None:
        store.load(bank.bank_id, new(1))
        head = store.head()
        for base in (
            Checkpoint(head.sequence + 1, 0, 0),
            Checkpoint(head.sequence, head.entry_count, head.digest ^ 1),
            Checkpoint(1, 5, 0),
            Checkpoint(0, 1, 0),
        ):
            with pytest.raises(LogTruncatedError):
                store.delta(base)

    def test_contents_are_the_items_as_columns(self, store: StoreWriter, bank: Bank) -> None:
        store.load(bank.bank_id, new(*range(1, 30)))
        store.withdraw([ItemId(n) for n in range(1, 60, 9)])
        want = columns_of(listed(store))
        for hash_type, columns in store.contents().columns.items():
            assert triples(columns) == triples(want[hash_type])
            assert np.all(np.diff(columns.entry_ids.astype(np.int64)) > 0)

    def test_items_gives_those_that_are_still_listed(self, store: StoreWriter, bank: Bank) -> None:
        store.load(bank.bank_id, new(1, 2))
        store.withdraw([ItemId(1)])
        found = store.items([ItemId(1), ItemId(4), ItemId(5), ItemId(99)])
        assert [i.item for i in found.values()] == [item(2)]

    def test_everything_is_there_after_opening_again(self, tmp_path: Path) -> None:
        path = tmp_path / "again"
        with self.opened(path) as store:
            bank = store.put_bank("REMOVED", BankPolicy(), "a note")
            store.load(bank.bank_id, new(1, 2))
            before = (store.head(), store.banks(), listed(store), list(store.iter_log()))
        with self.opened(path) as store:
            assert (store.head(), store.banks(), listed(store), list(store.iter_log())) == before
