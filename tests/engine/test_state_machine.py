"""Store and follower against a dict: any history of changes, restarts and readings."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.entries import ItemId, Labels, NewItem
from engine.follower import Follower
from engine.hashes import HashType, Item
from engine.index_choice import choosers
from engine.index_kind import IndexKind
from engine.lmdb_store import LmdbWriter, create_store
from engine.policy import Bank, BankId, BankPolicy, BankRole, TypePolicy, default_types
from engine.segment import Segment
from engine.store_check import check_store
from tests.engine.values import FakeClock, ListModel, flipped, md5, pdq, picture, sha256, value

MOST = 4  # entries a poll
NAMES = ("A", "B", "C")
VALUES = st.integers(0, 4)
DISTANCES = st.sampled_from([0, 2, 10, 11, 30, 31, 32, 90])
HASHES = st.one_of(
    st.builds(
        lambda n, bits, quality: pdq(flipped(value(n), bits), quality),
        VALUES,
        DISTANCES,
        st.sampled_from([50, 100]),
    ),
    st.builds(lambda n: sha256(value(n)), VALUES),
    st.builds(lambda n: md5(value(n, 16)), VALUES),
)
ITEMS = st.lists(HASHES, min_size=1, max_size=3).map(lambda found: picture(*found))
POLICIES = st.builds(
    lambda role, enabled, distance: BankPolicy(
        role, enabled, {**default_types(), HashType.PDQ: TypePolicy(distance, 50)}
    ),
    st.sampled_from(BankRole),
    st.booleans(),
    st.sampled_from([0, 10, 31]),
)


class StoreMachine(RuleBasedStateMachine):
    """A writer, a follower, and the model of both."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="firstseen-machine-"))
        self.path = self.folder / "store"
        create_store(self.path)
        self.clock = FakeClock()
        self.model = ListModel()
        self.sequence = 0
        self.segment: Segment | None = None
        self.open()

    def open(self) -> None:
        self.store = LmdbWriter(self.path, self.clock)
        self.restart_follower()

    def teardown(self) -> None:
        assert list(check_store(self.store)) == []
        self.store.close()
        shutil.rmtree(self.folder)

    @initialize(policy=POLICIES)
    def first_bank(self, policy: BankPolicy) -> None:
        self.put_bank("A", policy)

    @rule(name=st.sampled_from(NAMES), policy=POLICIES)
    def put_bank(self, name: str, policy: BankPolicy) -> None:
        same = [b for b in self.model.banks if b.name == name]
        bank = self.store.put_bank(name, policy)
        want = same[0].bank_id if same else len(self.model.banks) + 1
        assert bank == Bank(BankId(want), name, policy)
        if bank not in self.model.banks:
            self.model.put_bank(bank)
            self.sequence += 1

    @rule(which=st.integers(0, 2), items=st.lists(ITEMS, max_size=4))
    def load(self, which: int, items: list[Item]) -> None:
        bank_id = self.model.banks[which % len(self.model.banks)].bank_id
        listed = [i.item for i in self.model.listed.values() if i.bank_id == bank_id]
        fresh: list[Item] = []
        for item in items:
            if item not in listed and item not in fresh:
                fresh.append(item)
        result = self.store.load(bank_id, [NewItem(item, Labels()) for item in items])
        assert result.added_items == len(fresh)
        assert result.duplicate_items == len(items) - len(fresh)
        if fresh:
            self.model.load(bank_id, *fresh)
            self.sequence += 1

    @precondition(lambda self: self.model.listed)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.model.listed)), max_size=3))
        assert self.store.withdraw([*ids, ItemId(10_000)]).removed_items == len(set(ids))
        if ids:
            self.model.withdraw(ids)
            self.sequence += 1

    @rule(which=st.integers(0, 2))
    def clear(self, which: int) -> None:
        bank_id = self.model.banks[which % len(self.model.banks)].bank_id
        gone = [i.item_id for i in self.model.listed.values() if i.bank_id == bank_id]
        assert self.store.clear(bank_id).removed_items == len(gone)
        if gone:
            self.model.withdraw(gone)
            self.sequence += 1

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.open()

    @rule()
    def restart_follower(self) -> None:
        self.follower = Follower(self.store, self.clock, max_poll_entries=MOST)
        self.follower.poll()

    @rule()
    def build(self) -> None:
        snapshot = self.follower.snapshot
        self.segment = Segment.build(
            snapshot.checkpoint, snapshot.columns(), choosers(IndexKind.AUTO)
        )

    @precondition(lambda self: self.segment is not None)
    @rule()
    def adopt_once(self) -> None:
        assert self.segment is not None
        before = self.follower.snapshot
        is_held = self.follower.adopt(self.segment)
        after = self.follower.snapshot
        # What is served never goes back.
        assert after.checkpoint.sequence >= before.checkpoint.sequence
        assert is_held or after is before

    @rule()
    def poll_once(self) -> None:
        self.follower.poll()
        snapshot, banks = self.follower.snapshot, {b.bank_id: b for b in self.model.banks}
        assert self.follower.resets == 0
        assert self.follower.is_behind is (snapshot.checkpoint != self.store.head())
        # Whatever it has come up to, the policies are those that were in force there.
        assert snapshot.rules.banks == banks

    @rule(items=st.lists(ITEMS, min_size=1, max_size=4))
    def ask(self, items: list[Item]) -> None:
        while self.follower.poll():
            assert self.follower.resets == 0
        snapshot = self.follower.snapshot
        assert self.follower.resets == 0
        assert snapshot.checkpoint == self.store.head()
        for item in items:
            want = self.model.matches(item)
            assert list(snapshot.matches(item)) == want
            assert snapshot.judge(item) is self.model.judge(item)

    @invariant()
    def head_is_that_of_the_model(self) -> None:
        head = self.store.head()
        assert head.sequence == self.sequence
        count = sum(len(i.item.hashes) for i in self.model.listed.values())
        assert head.entry_count == count
        if self.model.banks:
            assert head.digest == self.model.checkpoint.digest


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    derandomize=True, database=None, deadline=None, max_examples=60, stateful_step_count=30
)
