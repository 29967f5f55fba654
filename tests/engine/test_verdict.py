"""What an item is, case by case (docs/adr/0005-verdict-rules.md)."""

import pytest

from engine.hashes import HashType, Item, MediaType
from engine.policy import BankRole, Rules
from engine.verdict import Match, Nearness, Verdict, decide, decide_nearest
from tests.engine.values import bank, md5, pdq, pdq_limits, picture, sha256, value

EXACT = Nearness(alike=False, distance_bits=0)


def alike(distance_bits: int) -> Nearness:
    return Nearness(alike=True, distance_bits=distance_bits)


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
    ],
)
def test_cleared_match_counts_when_it_is_at_least_as_near(
    known: Nearness | None, cleared: Nearness | None, verdict: Verdict
) -> None:
    assert decide_nearest(CLEAR, known, cleared, RULES) is verdict


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
        (Item(MediaType.VIDEO, (pdq(value(1)),)), Verdict.UNSUPPORTED),
        (Item(MediaType.DOCUMENT, (pdq(value(1)), md5(value(1, 16)))), Verdict.NOVEL),
    ],
)
def test_item_without_a_match_is_novel_only_when_it_could_be_judged(
    item: Item, verdict: Verdict
) -> None:
    assert decide(item, [], RULES) is verdict


def test_blurred_item_that_matches_is_known() -> None:
    assert decide_nearest(BLURRED, alike(31), None, RULES) is Verdict.KNOWN


def test_blurred_item_that_was_cleared_is_novel() -> None:
    assert decide_nearest(BLURRED, alike(31), alike(0), RULES) is Verdict.NOVEL


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
    assert decide(picture(sha256(value(1))), [], rules) is Verdict.UNSUPPORTED


def test_strictest_quality_of_the_known_banks_decides() -> None:
    strict, lax = bank(1, types=pdq_limits(31, 80)), bank(2, types=pdq_limits(31, 20))
    item = picture(pdq(value(1), 60))
    assert decide(item, [], Rules.of([strict, lax])) is Verdict.UNSURE
    assert decide(item, [], Rules.of([lax])) is Verdict.NOVEL


def match_at(bank_id: int, distance_bits: int) -> Match:
    ids: tuple[int, int, int] = (bank_id * 10, bank_id * 10, bank_id)
    return Match(*ids, HashType.PDQ, distance_bits, 0)  # type: ignore[arg-type]


def test_nearest_match_of_each_role_decides() -> None:
    matches = [match_at(1, 30), match_at(2, 20), match_at(1, 10), match_at(2, 12)]
    assert decide(CLEAR, matches, RULES) is Verdict.KNOWN
    assert decide(CLEAR, [*matches, match_at(2, 10)], RULES) is Verdict.NOVEL
