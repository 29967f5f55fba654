"""A document that is nothing but one picture is judged as that picture, and no other is."""

import pytest

from engine.hashes import Hash, HashType
from engine.policy import BankRole
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
    "no page, as in a DOCX": ([Hash(HashType.PAGE_PDQ, value(1), 0)], Verdict.UNSURE),
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
    assert strengths == ([Strength.MATCH] if verdict is Verdict.KNOWN else [Strength.NEAR]) + [
        Strength.NEAR
    ]
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
    assert snapshot.judge(other) is model.judge(other) is Verdict.UNSUPPORTED
