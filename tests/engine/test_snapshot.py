"""Snapshots against a naive model, and what must never be served."""

import random
from dataclasses import replace

import pytest

from engine import snapshot as snapshot_module
from engine.entries import Checkpoint
from engine.errors import CorruptError
from engine.hashes import HashType, Item, MediaType
from engine.policy import BankRole, TypePolicy
from engine.snapshot import Snapshot
from engine.verdict import Verdict, decide
from tests.engine.values import (
    SEED,
    ListModel,
    bank,
    flipped,
    md5,
    pdq,
    pdq_limits,
    picture,
    sha256,
    value,
)


def some_item(chance: random.Random) -> Item:
    """An item near others: few values, some bits flipped, any media type."""
    hashes = []
    for _ in range(chance.choice([1, 1, 2, 4])):
        number = chance.randrange(5)
        kind = chance.randrange(4)
        if kind == 0:
            hashes.append(sha256(value(number)))
        elif kind == 1:
            hashes.append(md5(value(number, 16)))
        else:
            content = flipped(value(number), chance.choice([0, 2, 9, 10, 11, 30, 31, 32, 60]))
            hashes.append(pdq(content, chance.choice([0, 49, 50, 100])))
    return Item(chance.choice([*MediaType, MediaType.IMAGE, MediaType.IMAGE]), tuple(hashes))


def check(snapshot: Snapshot, model: ListModel, chance: random.Random) -> None:
    """The snapshot finds and judges as the model does."""
    assert snapshot.checkpoint == model.checkpoint
    for _ in range(6):
        item = some_item(chance)
        want = model.matches(item)
        assert list(snapshot.matches(item)) == want
        assert snapshot.judge(item) is decide(item, want, snapshot.rules)


@pytest.mark.parametrize("seed", range(6))
def test_history_of_changes_agrees_with_the_model(seed: int) -> None:
    chance = random.Random(SEED + seed)
    model = ListModel(bank(1))
    followed = Snapshot.of(model.contents())
    for _ in range(40):
        base = followed.checkpoint
        for _ in range(chance.choice([1, 1, 3])):
            change = chance.randrange(6)
            if change <= 2:
                bank_id = chance.choice([b.bank_id for b in model.banks])
                model.load(bank_id, *(some_item(chance) for _ in range(chance.randrange(4))))
            elif change == 3:
                model.withdraw(chance.sample(sorted(model.listed), len(model.listed) // 3))
            else:
                types = {
                    HashType.PDQ: TypePolicy(
                        chance.choice([0, 10, 31, 60]), chance.choice([0, 50])
                    ),
                    HashType.SHA256: TypePolicy(0, 0),
                }
                model.put_bank(
                    bank(
                        chance.randrange(1, 4),
                        chance.choice(list(BankRole)),
                        enabled=chance.random() < 0.7,
                        types=chance.choice([types, None]),
                    )
                )
        followed = followed.advance(model.delta(base))
        check(followed, model, chance)
    check(Snapshot.of(model.contents()), model, chance)


def test_contents_that_do_not_have_the_count_or_digest_are_corrupt() -> None:
    model = ListModel(bank(1))
    model.load(1, picture(pdq(value(1))), picture(pdq(value(2))))
    contents = model.contents()
    at = contents.checkpoint
    for wrong in (replace(at, entry_count=3), replace(at, digest=at.digest ^ 1)):
        with pytest.raises(CorruptError, match=f"checkpoint {at.sequence}"):
            Snapshot.of(replace(contents, checkpoint=wrong))


def test_delta_that_does_not_lead_to_its_head_is_corrupt() -> None:
    model = ListModel(bank(1))
    model.load(1, picture(pdq(value(1))))
    snapshot = Snapshot.of(model.contents())
    model.load(1, picture(pdq(value(2))))
    delta = model.delta(snapshot.checkpoint)
    for head in (replace(delta.head, entry_count=7), replace(delta.head, digest=0)):
        with pytest.raises(CorruptError):
            snapshot.advance(replace(delta, head=head))
    assert snapshot.judge(picture(pdq(value(1)))) is Verdict.KNOWN


def test_delta_from_elsewhere_is_refused() -> None:
    model = ListModel(bank(1))
    snapshot = Snapshot.of(model.contents())
    model.load(1, picture(pdq(value(1))))
    delta = model.delta(snapshot.checkpoint)
    with pytest.raises(ValueError, match="begins at 9"):
        snapshot.advance(replace(delta, base=Checkpoint(9, 0, 0)))


def test_limit_of_each_bank_is_its_own() -> None:
    model = ListModel(bank(1, types=pdq_limits(10)), bank(2, types=pdq_limits(40)))
    model.load(1, picture(pdq(value(1))))
    model.load(2, picture(pdq(value(2))))
    snapshot = Snapshot.of(model.contents())
    for number, limit in ((1, 10), (2, 40)):
        for bits, verdict in ((limit, Verdict.KNOWN), (limit + 1, Verdict.NOVEL)):
            assert snapshot.judge(picture(pdq(flipped(value(number), bits)))) is verdict


def test_value_that_an_item_has_twice_is_reported_for_its_first() -> None:
    model = ListModel(bank(1))
    model.load(1, picture(pdq(value(1))))
    item = picture(pdq(value(9)), pdq(value(1)), pdq(value(1), 50))
    assert [m.hash_index for m in Snapshot.of(model.contents()).matches(item)] == [1]


def test_exact_match_is_nearer_than_any_look_alike() -> None:
    model = ListModel(bank(1))
    model.load(1, picture(pdq(value(1)), sha256(value(2))), picture(pdq(value(1))))
    item = picture(pdq(value(1)), sha256(value(2)))
    found = Snapshot.of(model.contents()).matches(item)
    assert [(m.type, m.entry_id) for m in found] == [
        (HashType.SHA256, 2), (HashType.PDQ, 1), (HashType.PDQ, 3),
    ]  # fmt: skip


def test_flood_of_matches_is_judged_without_an_object_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ListModel(bank(1))
    model.load(1, *[picture(pdq(value(1)))] * 5_000)
    snapshot = Snapshot.of(model.contents())
    monkeypatch.setattr(snapshot_module, "Match", None)
    assert snapshot.judge(picture(pdq(value(1)))) is Verdict.KNOWN


def test_snapshot_of_nothing_judges_nothing() -> None:
    snapshot = Snapshot.of(ListModel().contents())
    assert snapshot.judge(picture(pdq(value(1)))) is Verdict.UNSUPPORTED
    assert snapshot.matches(picture(pdq(value(1)))) == ()
    empty = Snapshot.of(ListModel(bank(1)).contents())
    assert empty.judge(picture(pdq(value(1)), sha256(value(1)))) is Verdict.NOVEL
