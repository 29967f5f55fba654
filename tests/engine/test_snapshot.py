"""Snapshots against a naive model, and what must never be served."""

import random
from dataclasses import replace

import pytest

from engine import search as search_module
from engine import snapshot as snapshot_module
from engine.entries import Checkpoint
from engine.errors import CorruptError
from engine.hashes import Hash, HashType
from engine.index_choice import choosers
from engine.index_kind import IndexKind
from engine.mih_plan import Plan
from engine.policy import BankRole, TypePolicy
from engine.snapshot import Snapshot
from engine.verdict import Strength, Verdict
from tests.engine.some_items import some_item
from tests.engine.values import (
    SEED,
    ListModel,
    bank,
    chunk,
    document,
    flipped,
    frame,
    pdq,
    pdq_limits,
    picture,
    sha256,
    tile,
    value,
    video,
)


def check(snapshot: Snapshot, model: ListModel, chance: random.Random) -> None:
    """The snapshot finds and judges as the model does."""
    assert snapshot.checkpoint == model.checkpoint
    for _ in range(6):
        item = some_item(chance)
        want = model.matches(item)
        assert list(snapshot.matches(item)) == want
        assert snapshot.judge(item) is model.judge(item)


@pytest.mark.parametrize("kind", [IndexKind.AUTO, IndexKind.MIH])
@pytest.mark.parametrize("seed", range(6))
def test_history_of_changes_agrees_with_the_model(
    seed: int, kind: IndexKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The short way through the index, too, which lists as short as these do not take.
    monkeypatch.setattr(Plan, "pays", lambda *_: True)
    chance = random.Random(SEED + seed)
    model = ListModel(bank(1))
    followed = Snapshot.of(model.contents(), choosers(kind))
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
    check(Snapshot.of(model.contents(), choosers(kind)), model, chance)


def test_entry_of_no_bank_is_corrupt() -> None:
    model = ListModel(bank(1), bank(2))
    empty = Snapshot.of(model.contents())
    model.load(2, picture(pdq(value(1))))
    contents, delta = model.contents(), model.delta(empty.checkpoint)
    for banks in (model.banks[:1], (bank(1, role=BankRole.CLEARED),)):
        with pytest.raises(CorruptError, match="of a bank that there is not"):
            Snapshot.of(replace(contents, banks=banks))
        with pytest.raises(CorruptError, match="of a bank that there is not"):
            empty.advance(replace(delta, banks=banks))


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


def test_rules_are_arranged_anew_only_when_a_bank_changes() -> None:
    model = ListModel(bank(1))
    model.load(1, picture(pdq(value(1))))
    snapshot = Snapshot.of(model.contents())
    model.load(1, picture(pdq(value(2))))
    loaded = snapshot.advance(model.delta(snapshot.checkpoint))
    assert loaded.rules is snapshot.rules
    assert loaded.search_ns(picture(pdq(value(1)))) > snapshot.search_ns(picture(pdq(value(1))))
    model.put_bank(bank(1, role=BankRole.CLEARED))
    changed = loaded.advance(model.delta(loaded.checkpoint))
    assert changed.rules is not snapshot.rules
    assert changed.judge(picture(pdq(value(1)))) is not Verdict.KNOWN


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


@pytest.fixture
def few_are_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash is common from a hundred items on."""
    monkeypatch.setattr(search_module, "COMMON_HITS", 100)
    monkeypatch.setattr(search_module, "COMMON_ITEMS", 90)


@pytest.mark.usefixtures("few_are_common")
def test_hash_that_is_common_makes_nothing_known_and_nothing_novel() -> None:
    model = ListModel(bank(1))
    model.load(1, *[picture(pdq(value(1)))] * 101, picture(pdq(value(2)), sha256(value(3))))
    snapshot = Snapshot.of(model.contents())
    blank = picture(pdq(flipped(value(1), 3)))
    assert snapshot.judge(blank) is Verdict.UNSURE
    assert snapshot.matches(blank) == ()
    # What else an item has still makes it known; that it matches nothing says nothing.
    assert snapshot.judge(picture(pdq(value(1)), pdq(value(2)))) is Verdict.KNOWN
    assert snapshot.judge(picture(pdq(value(1)), pdq(value(9)))) is Verdict.UNSURE
    assert snapshot.judge(picture(pdq(value(1)), sha256(value(3)))) is Verdict.KNOWN
    model.withdraw([min(model.listed)])
    assert Snapshot.of(model.contents()).judge(blank) is Verdict.KNOWN


@pytest.mark.usefixtures("few_are_common")
def test_what_a_disabled_bank_lists_or_one_item_repeats_makes_no_hash_common() -> None:
    model = ListModel(bank(1), bank(2, enabled=False))
    model.load(2, *[picture(pdq(value(1)))] * 300)
    model.load(1, picture(pdq(value(1))))
    still = video(*(frame(value(2), n * 1_000) for n in range(300)))
    model.load(1, still)
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(picture(pdq(value(1)))) is Verdict.KNOWN
    assert snapshot.judge(still) is Verdict.KNOWN


@pytest.mark.usefixtures("few_are_common")
def test_question_of_many_hashes_is_searched_in_slices_and_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_module, "_MAX_HITS", 1_000)
    model = ListModel(bank(1))
    model.load(1, *(picture(pdq(value(n % 20))) for n in range(1_000)))
    snapshot = Snapshot.of(model.contents())
    many = video(*(frame(value(n % 20), n * 1_000) for n in range(300)))
    # What was left unsearched might have been known.
    assert snapshot.judge(many) is Verdict.UNSURE
    assert len(snapshot.matches(many)) < 10_000
    few = video(*(frame(value(n), n * 1_000) for n in (*range(100, 200), 7)))
    assert snapshot.judge(few) is model.judge(few) is Verdict.NOVEL
    assert list(snapshot.matches(few)) == model.matches(few)


def test_equal_file_is_cleared_though_known_banks_list_only_pictures() -> None:
    model = ListModel(bank(1, types=pdq_limits(31)), bank(2, BankRole.CLEARED))
    model.load(1, picture(pdq(value(1))))
    item = picture(pdq(value(1)), sha256(value(5)))
    assert Snapshot.of(model.contents()).judge(item) is Verdict.KNOWN
    model.load(2, picture(sha256(value(5))))
    assert Snapshot.of(model.contents()).judge(item) is Verdict.NOVEL


def test_two_tiles_are_a_match_and_one_is_near() -> None:
    model = ListModel(bank(1))
    model.load(1, picture(pdq(value(1)), tile(value(2)), tile(value(3)), tile(value(4))))
    snapshot = Snapshot.of(model.contents())
    two = picture(pdq(value(90)), tile(value(2)), tile(value(4)))
    one = picture(pdq(value(90)), tile(value(2)), tile(value(91)))
    assert snapshot.judge(two) is Verdict.KNOWN
    assert snapshot.judge(one) is Verdict.NOVEL
    assert [m.strength for m in snapshot.matches(one)] == [Strength.NEAR]


@pytest.mark.parametrize(
    ("shared", "verdict", "strengths"),
    [
        (5, Verdict.KNOWN, {Strength.MATCH}),
        (4, Verdict.NOVEL, {Strength.NEAR}),
        (2, Verdict.NOVEL, {Strength.NEAR}),
        (1, Verdict.NOVEL, set()),
    ],
)
def test_text_is_known_by_its_share_of_chunks(
    shared: int, verdict: Verdict, strengths: set[Strength]
) -> None:
    model = ListModel(bank(1))
    model.load(1, document(*(chunk(value(n)) for n in range(10))))
    asked = document(*(chunk(value(n if n < shared else 100 + n)) for n in range(10)))
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(asked) is verdict
    assert {m.strength for m in snapshot.matches(asked)} == strengths


def test_one_chunk_of_a_text_of_several_says_nothing() -> None:
    model = ListModel(bank(1))
    model.load(1, document(*(chunk(value(n)) for n in range(30))))
    snapshot = Snapshot.of(model.contents())
    letter = document(chunk(value(0)), chunk(value(400)))
    assert snapshot.judge(letter) is model.judge(letter) is Verdict.NOVEL
    assert snapshot.matches(letter) == ()
    quote = document(chunk(value(0)))
    assert snapshot.judge(quote) is model.judge(quote) is Verdict.KNOWN


def test_tlsh_and_videohash_support_and_never_decide() -> None:
    tlsh = Hash(HashType.TLSH, value(1, 35))
    length = Hash(HashType.VIDEOHASH, value(1, 8), frame_offset_ms=9_000)
    model = ListModel(bank(1))
    model.load(1, document(tlsh), video(length))
    snapshot = Snapshot.of(model.contents())
    for asked in (document(tlsh, chunk(value(3))), video(length, frame(value(3), 0))):
        assert snapshot.judge(asked) is Verdict.NOVEL
        assert [m.strength for m in snapshot.matches(asked)] == [Strength.NEAR]


def test_withdrawn_meanwhile_counts_for_nothing() -> None:
    model = ListModel(bank(1))
    (item_id,) = model.load(1, picture(pdq(value(1))))
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(picture(pdq(value(1))), [item_id]) is Verdict.NOVEL


def test_snapshot_of_nothing_judges_nothing() -> None:
    snapshot = Snapshot.of(ListModel().contents())
    assert snapshot.judge(picture(pdq(value(1)))) is Verdict.UNSUPPORTED
    assert snapshot.matches(picture(pdq(value(1)))) == ()
    empty = Snapshot.of(ListModel(bank(1)).contents())
    assert empty.judge(picture(pdq(value(1)), sha256(value(1)))) is Verdict.NOVEL
