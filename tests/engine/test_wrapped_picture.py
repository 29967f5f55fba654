"""A document that is nothing but one picture is judged as that picture, and no other is."""

import pytest

from engine import search
from engine.hashes import Hash, HashType
from engine.policy import BankRole, TypePolicy
from engine.snapshot import Snapshot
from engine.verdict import Strength, Verdict
from tests.engine.values import (
    ListModel,
    bank,
    chunk,
    document,
    flipped,
    md5,
    page,
    pdq,
    pdq_limits,
    picture,
    value,
)

# What a document holds beside the listed picture, and whether that makes it the picture.
WRAPPED = {
    "the page, filled": ([page(flipped(value(1), 31), 0)], Verdict.KNOWN),
    "the page, with more on it": ([page(flipped(value(1), 32), 0)], Verdict.NOVEL),
    "a second page": ([page(value(1), 0), page(value(2), 1)], Verdict.NOVEL),
    "a second picture": ([page(value(1), 0), pdq(value(2))], Verdict.NOVEL),
    "a text": ([page(value(1), 0), chunk(value(3))], Verdict.NOVEL),
    "a short text": ([page(value(1), 0), Hash(HashType.TEXT_SHA256, value(3))], Verdict.NOVEL),
    "a page too plain to tell": ([Hash(HashType.PAGE_PDQ, value(1), 49)], Verdict.UNSURE),
    "no page, as in a DOCX": ([Hash(HashType.PAGE_PDQ, value(1), 0)], Verdict.UNSURE),
    "nothing that says what it shows": ([], Verdict.NOVEL),
}


@pytest.mark.parametrize("beside", WRAPPED)
def test_listed_picture_is_known_in_a_document_that_is_nothing_else(beside: str) -> None:
    hashes, verdict = WRAPPED[beside]
    asked = document(pdq(value(1)), *hashes, md5(value(1, 16)))
    model = ListModel(bank(1), bank(2, BankRole.CLEARED))
    model.load(1, picture(pdq(flipped(value(1), 20))), document(pdq(value(1))))
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(asked) is model.judge(asked) is verdict
    strengths = [match.strength for match in snapshot.matches(asked)]
    is_known = verdict is Verdict.KNOWN
    assert strengths == [Strength.MATCH if is_known else Strength.NEAR, Strength.NEAR]
    model.load(2, document(md5(value(1, 16))))
    cleared = Snapshot.of(model.contents())
    assert cleared.judge(asked) is Verdict.NOVEL


def test_wrapped_picture_is_known_where_only_pictures_are_listed() -> None:
    model = ListModel(bank(1, types=pdq_limits(31)))
    model.load(1, picture(pdq(value(1))))
    snapshot = Snapshot.of(model.contents())
    asked = document(pdq(value(1)), page(value(1), 0))
    assert snapshot.judge(asked) is model.judge(asked) is Verdict.KNOWN
    other = document(pdq(value(2)), page(value(2), 0))
    assert snapshot.judge(other) is model.judge(other) is Verdict.NOVEL
    filling = document(pdq(value(2)), page(value(3), 0))
    assert snapshot.judge(filling) is model.judge(filling) is Verdict.UNSUPPORTED


def test_wrapped_picture_is_unsure_when_the_picture_is() -> None:
    strict = bank(1, types=pdq_limits(31, 80))
    lax = bank(2, types={**pdq_limits(31, 20), HashType.PAGE_PDQ: TypePolicy(40, 50)})
    model = ListModel(strict, lax)
    model.load(2, picture(pdq(value(1))))
    snapshot = Snapshot.of(model.contents())
    for seed, verdict in {1: Verdict.KNOWN, 2: Verdict.UNSURE}.items():
        alone = picture(pdq(value(seed), 60))
        wrapped = document(pdq(value(seed), 60), page(value(seed), 0), md5(value(9, 16)))
        assert snapshot.judge(alone) is model.judge(alone) is verdict
        assert snapshot.judge(wrapped) is model.judge(wrapped) is verdict


def test_wrapped_picture_is_unsure_when_its_hash_is_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "COMMON_HITS", 9)
    monkeypatch.setattr(search, "COMMON_ITEMS", 9)
    model = ListModel(bank(1))
    model.load(1, *(picture(pdq(value(1))) for _ in range(10)))
    snapshot = Snapshot.of(model.contents())
    assert snapshot.judge(document(pdq(value(1)), page(value(1), 0))) is Verdict.UNSURE
    assert snapshot.judge(document(pdq(value(1)), page(value(2), 0))) is Verdict.NOVEL


@pytest.mark.parametrize("limit", [0, 20, 40])
def test_how_far_a_page_may_be_from_its_picture_is_the_banks_limit(limit: int) -> None:
    model = ListModel(bank(1, types=pdq_limits(limit)))
    model.load(1, picture(pdq(value(1))))
    snapshot = Snapshot.of(model.contents())
    for apart, verdict in {limit: Verdict.KNOWN, limit + 1: Verdict.UNSUPPORTED}.items():
        asked = document(pdq(value(1)), page(flipped(value(1), apart), 0))
        assert snapshot.judge(asked) is model.judge(asked) is verdict
