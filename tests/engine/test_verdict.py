"""What an item is, case by case (docs/adr/0005-verdict-rules.md)."""

import pytest

from engine.hashes import Item, MediaType
from engine.policy import BankRole, Rules
from engine.verdict import Nearness, Verdict, decide
from tests.engine.values import (
    bank,
    chunk,
    document,
    md5,
    page,
    pdq,
    pdq_limits,
    picture,
    sha256,
    tile,
    value,
)

EXACT = Nearness(alike=False, uncovered_percent=0, distance_bits=0)


def alike(distance_bits: int, uncovered_percent: int = 0) -> Nearness:
    return Nearness(True, uncovered_percent, distance_bits)


CLEAR = picture(pdq(value(1), 80))
BLURRED = picture(pdq(value(1), 49))
RULES = Rules.of([bank(1), bank(2, BankRole.CLEARED)])


@pytest.mark.parametrize(
    ("known", "cleared", "verdict"),
    [
        (None, None, Verdict.NOVEL),
        (alike(31), None, Verdict.KNOWN),
        (EXACT, None, Verdict.KNOWN),
        (None, alike(10), Verdict.NOVEL),
        (alike(10), alike(10), Verdict.NOVEL),
        (alike(10), alike(8), Verdict.NOVEL),
        (alike(10), alike(12), Verdict.KNOWN),
        (EXACT, alike(0), Verdict.KNOWN),
        (alike(0), EXACT, Verdict.NOVEL),
        (EXACT, EXACT, Verdict.NOVEL),
        (alike(20, 0), alike(0, 70), Verdict.KNOWN),
        (alike(20, 70), alike(20, 70), Verdict.NOVEL),
        (alike(0, 70), alike(20, 0), Verdict.NOVEL),
    ],
)
def test_cleared_match_counts_when_it_is_at_least_as_near(
    known: Nearness | None, cleared: Nearness | None, verdict: Verdict
) -> None:
    assert decide(CLEAR, known, cleared, RULES) is verdict


@pytest.mark.parametrize(
    ("item", "verdict"),
    [
        (CLEAR, Verdict.NOVEL),
        (BLURRED, Verdict.UNSURE),
        (picture(pdq(value(1), 50)), Verdict.NOVEL),
        (picture(pdq(value(1), None)), Verdict.UNSURE),
        (picture(pdq(value(1), 0), pdq(value(2), 50)), Verdict.NOVEL),
        (picture(pdq(value(1), 49), sha256(value(2))), Verdict.UNSURE),
        (picture(sha256(value(2))), Verdict.NOVEL),
        (Item(MediaType.VIDEO, (sha256(value(2)),)), Verdict.NOVEL),
        (Item(MediaType.VIDEO, (pdq(value(1)),)), Verdict.NOVEL),
        (Item(MediaType.VIDEO, (pdq(value(1), 20), sha256(value(2)))), Verdict.UNSURE),
        (document(chunk(value(1))), Verdict.NOVEL),
        (document(page(value(1), 0)), Verdict.NOVEL),
        (document(pdq(value(1))), Verdict.UNSUPPORTED),
        (Item(MediaType.DOCUMENT, (pdq(value(1)), md5(value(1, 16)))), Verdict.NOVEL),
    ],
)
def test_item_without_a_match_is_novel_only_when_it_could_be_judged(
    item: Item, verdict: Verdict
) -> None:
    assert decide(item, None, None, RULES) is verdict


def test_blurred_item_that_matches_is_known() -> None:
    assert decide(BLURRED, alike(31), None, RULES) is Verdict.KNOWN


def test_blurred_item_that_was_cleared_is_novel() -> None:
    assert decide(BLURRED, alike(31), alike(0), RULES) is Verdict.NOVEL


@pytest.mark.parametrize(
    "rules",
    [
        Rules.of([]),
        Rules.of([bank(1, enabled=False)]),
        Rules.of([bank(1, BankRole.CLEARED)]),
        Rules.of([bank(1, types=pdq_limits(31))]),
    ],
)
def test_type_that_no_enabled_known_bank_lists_is_unsupported(rules: Rules) -> None:
    assert decide(picture(sha256(value(1))), None, None, rules) is Verdict.UNSUPPORTED


def test_strictest_quality_of_the_known_banks_decides() -> None:
    strict, lax = bank(1, types=pdq_limits(31, 80)), bank(2, types=pdq_limits(31, 20))
    item = picture(pdq(value(1), 60))
    assert decide(item, None, None, Rules.of([strict, lax])) is Verdict.UNSURE
    assert decide(item, None, None, Rules.of([lax])) is Verdict.NOVEL


def test_common_hash_judges_nothing() -> None:
    assert decide(CLEAR, None, None, RULES, {0}) is Verdict.UNSURE
    # The forms of a picture are alternatives: what the other says proves nothing.
    both = picture(pdq(value(1), 80), pdq(value(2), 80))
    assert decide(both, None, None, RULES, {0}) is Verdict.UNSURE
    assert decide(both, None, alike(3), RULES, {0}) is Verdict.UNSURE
    assert decide(both, None, EXACT, RULES, {0}) is Verdict.NOVEL
    assert decide(CLEAR, alike(3), None, RULES, {0}) is Verdict.KNOWN
    text = document(chunk(value(1)), chunk(value(2)), chunk(value(3)))
    assert decide(text, None, None, RULES, {0}) is Verdict.NOVEL
    assert decide(text, None, None, RULES, {0, 1}) is Verdict.UNSURE


def test_tile_alone_judges_nothing() -> None:
    item = picture(pdq(value(1), 10), tile(value(2)))
    assert decide(item, None, None, RULES) is Verdict.UNSURE
