"""The short way to a verdict against the long one, over a list of many parts."""

import random

import pytest

from engine import layer as layer_module
from engine import search as search_module
from engine.entries import ItemId
from engine.hashes import HashType
from engine.index_choice import choosers
from engine.index_kind import IndexKind
from engine.mih_plan import Plan
from engine.policy import BankRole, TypePolicy
from engine.snapshot import Snapshot
from engine.verdict import Verdict
from tests.engine.some_items import some_item
from tests.engine.values import SEED, ListModel, bank, pdq, picture, value

pytestmark = pytest.mark.usefixtures("many_parts")


@pytest.fixture
def many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are not joined unless the last is no larger than what is new."""
    monkeypatch.setattr(layer_module, "_SMALL_ROWS", 2)
    monkeypatch.setattr(layer_module, "_RATIO", 1)


@pytest.mark.parametrize(
    ("kind", "is_bound"),
    [(IndexKind.AUTO, False), (IndexKind.AUTO, True), (IndexKind.MIH, True)],
)
@pytest.mark.parametrize("seed", range(4))
def test_short_way_over_many_parts_says_what_weighing_says(
    seed: int,
    kind: IndexKind,
    is_bound: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Plan, "pays", lambda *_: True)
    if not is_bound:  # the bound search has bounds of its own, far under the true ones
        monkeypatch.setattr(search_module, "COMMON_HITS", 6)
        monkeypatch.setattr(search_module, "COMMON_ITEMS", 3)
    chance = random.Random(SEED + seed)
    limits = {HashType.PDQ: TypePolicy(10, 0), HashType.SHA256: TypePolicy(0, 0)}
    model = ListModel(
        bank(1),
        bank(2, BankRole.CLEARED),
        bank(3, enabled=False),
        bank(4, types=limits),
        bank(5, BankRole.CLEARED, types=limits),
    )
    followed = Snapshot.of(model.contents(), choosers(kind))
    part_count = short_count = 0
    for _ in range(30):
        base = followed.checkpoint
        for _ in range(chance.choice([1, 2])):
            model.load(chance.randrange(1, 6), *(some_item(chance) for _ in range(2)))
        if chance.random() < 0.3:
            model.withdraw(chance.sample(sorted(model.listed), len(model.listed) // 4))
        followed = followed.advance(model.delta(base))
        part_count = max(part_count, len(followed._layers[HashType.PDQ].parts))
        for _ in range(12):
            item = some_item(chance)
            # Without an item that is not listed: nothing less, but by the long way.
            weighed = followed.judge(item, without=[ItemId(0)])
            assert followed.judge(item) is weighed
            short_count += followed._glance.nearest(item) is not None
    assert part_count > 2
    assert short_count > 20


def test_hash_is_common_though_no_part_has_enough_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "COMMON_HITS", 100)
    monkeypatch.setattr(search_module, "COMMON_ITEMS", 90)
    model = ListModel(bank(1))
    snapshot = Snapshot.of(model.contents())
    for count in (70, 50):
        model.load(1, *[picture(pdq(value(1)))] * count)
        snapshot = snapshot.advance(model.delta(snapshot.checkpoint))
    assert len(snapshot._layers[HashType.PDQ].parts) == 2
    assert snapshot.judge(picture(pdq(value(1)))) is Verdict.UNSURE
