"""Banks and their policies: what is refused, and how policies add up to rules."""

import pytest

from engine.errors import InvalidInputError
from engine.hashes import JUDGED_TYPES, SPECS, SUPPORTING_TYPES, HashType, MediaType
from engine.policy import (
    MAX_BANK_ID,
    MAX_NOTE_BYTES,
    Bank,
    BankId,
    BankPolicy,
    BankRole,
    Rules,
    TypePolicy,
)
from tests.engine.values import bank, md5, pdq, pdq_limits, sha256, value

EXACT = {HashType.SHA256: TypePolicy(0, 0)}


@pytest.mark.parametrize("name", ["A", "_", "REMOVED", "A1", "_9", "A" * 64])
def test_name_of_capitals_digits_and_underscores_is_taken(name: str) -> None:
    assert Bank(BankId(1), name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "1A",
        "A-B",
        "A B",
        " A",
        "A ",
        "A\n",
        "A\nB",
        "Ä",
        "A" * 65,
        "\N{FULLWIDTH DIGIT ONE}",
        "A٣",
    ],
)
def test_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        Bank(BankId(1), name)
    assert refusal.value.field == "name"


@pytest.mark.parametrize("bank_id", [-1, 0, MAX_BANK_ID + 1])
def test_bank_id_out_of_range_is_refused(bank_id: int) -> None:
    with pytest.raises(InvalidInputError, match="bank_id: want 1 to 65535"):
        Bank(BankId(bank_id), "A")


def test_bank_ids_at_their_bounds_are_taken() -> None:
    assert Bank(BankId(1), "A").bank_id == 1
    assert Bank(BankId(MAX_BANK_ID), "A").bank_id == MAX_BANK_ID


def test_note_is_measured_in_bytes() -> None:
    assert Bank(BankId(1), "A", note="é" * (MAX_NOTE_BYTES // 2)).note
    with pytest.raises(InvalidInputError, match="note: over 1000 bytes"):
        Bank(BankId(1), "A", note="é" * (MAX_NOTE_BYTES // 2 + 1))


@pytest.mark.parametrize(
    ("hash_type", "max_distance_bits", "min_quality", "field"),
    [
        (HashType.PDQ, -1, 50, "types.PDQ.max_distance_bits"),
        (HashType.PDQ, 65, 50, "types.PDQ.max_distance_bits"),
        (HashType.PDQ, 31, -1, "types.PDQ.min_quality"),
        (HashType.PDQ, 31, 101, "types.PDQ.min_quality"),
        (HashType.SHA256, 1, 0, "types.SHA256.max_distance_bits"),
        (HashType.SHA256, 0, 1, "types.SHA256.min_quality"),
        (HashType.MD5, 1, 0, "types.MD5.max_distance_bits"),
        (HashType.MD5, 0, 1, "types.MD5.min_quality"),
    ],
)
def test_limit_that_does_not_fit_its_type_is_refused(
    hash_type: HashType, max_distance_bits: int, min_quality: int, field: str
) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        BankPolicy(types={hash_type: TypePolicy(max_distance_bits, min_quality)})
    assert refusal.value.field == field


@pytest.mark.parametrize(("max_distance_bits", "min_quality"), [(0, 0), (64, 100)])
def test_limits_at_their_bounds_are_taken(max_distance_bits: int, min_quality: int) -> None:
    assert BankPolicy(types=pdq_limits(max_distance_bits, min_quality)).enabled


def test_policy_without_a_type_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="types: empty"):
        BankPolicy(types={})


def test_policy_that_says_nothing_has_the_defaults_of_every_type() -> None:
    policy = BankPolicy()
    assert (policy.role, policy.enabled) == (BankRole.KNOWN, True)
    assert set(policy.types) == set(HashType)
    for hash_type, limits in policy.types.items():
        spec = SPECS[hash_type]
        assert limits == TypePolicy(spec.default_distance_bits, spec.default_min_quality)


@pytest.mark.parametrize(
    ("quality", "refused"), [(None, False), (0, True), (49, True), (50, False), (100, False)]
)
def test_bank_refuses_a_hash_under_its_quality_limit(quality: int | None, *, refused: bool) -> None:
    refusal = bank().refusal(pdq(value(0), quality))
    assert (refusal is not None) is refused
    assert refusal is None or value(0).hex() not in refusal


def test_bank_refuses_a_type_that_it_does_not_list() -> None:
    only_pdq = bank(types=pdq_limits(31))
    assert only_pdq.refusal(pdq(value(0))) is None
    assert only_pdq.refusal(sha256(value(0))) == "bank BANK_1 does not list SHA256"
    assert only_pdq.refusal(md5(value(0, 16))) == "bank BANK_1 does not list MD5"


def test_rules_of_no_banks_judge_nothing() -> None:
    rules = Rules.of([])
    assert not rules.banks
    assert not rules.types
    assert rules.judged == {media: frozenset() for media in MediaType}


def test_rules_take_the_widest_distance_and_the_strictest_quality() -> None:
    rules = Rules.of(
        [
            bank(1, types=pdq_limits(20, 80)),
            bank(2, types=pdq_limits(40, 10)),
            bank(3, BankRole.CLEARED, types=pdq_limits(50, 90)),
        ]
    )
    rule = rules.types[HashType.PDQ]
    assert rule.max_distance_bits == 50
    assert rule.min_quality == 80
    assert rule.limits_by_bank == {1: 20, 2: 40, 3: 50}
    assert rule.listed


def test_disabled_bank_is_kept_but_counts_for_nothing() -> None:
    rules = Rules.of(
        [
            bank(1, types=pdq_limits(20, 10)),
            bank(2, enabled=False, types={**pdq_limits(60, 90), **EXACT}),
        ]
    )
    assert set(rules.banks) == {1, 2}
    assert set(rules.types) == {HashType.PDQ}
    assert rules.types[HashType.PDQ].limits_by_bank == {1: 20}
    assert rules.types[HashType.PDQ].min_quality == 10


def test_type_that_only_a_cleared_bank_has_is_not_listed() -> None:
    rules = Rules.of([bank(1, types=pdq_limits(31)), bank(2, BankRole.CLEARED)])
    assert rules.types[HashType.PDQ].listed
    assert not rules.types[HashType.SHA256].listed
    assert rules.judged[MediaType.IMAGE] == {HashType.PDQ}
    # An equal file may have been cleared, though no known bank lists files.
    assert rules.searched[MediaType.IMAGE] == JUDGED_TYPES[MediaType.IMAGE]
    assert rules.judged[MediaType.DOCUMENT] == rules.searched[MediaType.DOCUMENT] == frozenset()
    assert HashType.SIMHASH in rules.reviewed[MediaType.DOCUMENT]


def test_known_banks_of_every_type_judge_all_that_a_medium_can_be_judged_by() -> None:
    rules = Rules.of([bank()])
    assert rules.judged == rules.searched == JUDGED_TYPES
    for media, reviewed in rules.reviewed.items():
        assert reviewed == JUDGED_TYPES[media] | SUPPORTING_TYPES[media]


def test_type_is_listed_by_policy_even_when_its_bank_is_empty() -> None:
    rules = Rules.of([bank(types=EXACT)])
    assert rules.judged[MediaType.VIDEO] == {HashType.SHA256}


def test_rules_cannot_be_changed() -> None:
    rules = Rules.of([bank()])
    for mapping in (
        rules.banks,
        rules.types,
        rules.judged,
        rules.searched,
        rules.reviewed,
        rules.types[HashType.PDQ].limits_by_bank,
    ):
        with pytest.raises(TypeError):
            mapping[1] = None  # type: ignore[index]
