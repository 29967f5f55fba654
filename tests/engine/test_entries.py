"""Columns, ranges, checkpoints and the digest of a list."""

import random
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import entries
from engine.entries import (
    EMPTY_CHECKPOINT,
    MAX_LABEL_BYTES,
    Checkpoint,
    Columns,
    EntryId,
    IdRange,
    Labels,
    columns_of,
    entry_digest,
    item_digests,
    merge_ranges,
)
from engine.errors import InvalidInputError
from engine.hashes import HashType
from tests.engine.values import (
    PROPERTY,
    ListModel,
    bank,
    id_ranges,
    md5,
    pdq,
    picture,
    sha256,
    value,
)

IDS = st.sets(st.integers(0, 60))


@given(IDS)
@PROPERTY
def test_ranges_hold_the_ids_they_were_made_of(ids: set[int]) -> None:
    ranges = id_ranges(ids)
    assert [i for r in ranges for i in range(r.first, r.end)] == sorted(ids)
    assert all(a.end < b.first for a, b in pairwise(ranges))


def test_no_ranges_are_merged_to_none() -> None:
    assert merge_ranges([]) == ()


@given(IDS)
@PROPERTY
def test_rows_of_ranges_are_those_with_their_ids(ids: set[int]) -> None:
    model = ListModel(bank(1))
    model.load(1, *(picture(pdq(value(n)), sha256(value(n))) for n in range(20)))
    for columns in columns_of(model.listed.values()).values():
        found = columns.select(columns.rows_in(id_ranges(ids))).entry_ids.tolist()
        assert found == [i for i in columns.entry_ids.tolist() if i in ids]


def test_digest_is_free_of_order_and_follows_each_change() -> None:
    model = ListModel(bank(1), bank(2))
    items = [picture(pdq(value(n)), md5(value(n, 16))) for n in range(8)]
    model.load(1, *items[:5])
    model.load(2, *items[5:])
    model.withdraw(list(model.listed)[2:4])
    listed = list(model.listed.values())
    random.Random(1).shuffle(listed)
    digest_sum = sum(sum(item_digests(item)) for item in listed)
    columns = columns_of(model.listed.values())
    by_columns = sum(part.digest_sum(hash_type) for hash_type, part in columns.items())
    want = model.checkpoint.digest
    assert Checkpoint.at(3, 12, digest_sum).digest == want
    assert Checkpoint.at(3, 12, by_columns).digest == want


def test_digest_is_the_same_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ListModel(bank(1))
    model.load(1, *(picture(pdq(value(n)), md5(value(n, 16))) for n in range(23)))
    monkeypatch.setattr(entries, "_TOLD_ROWS", 5)
    told: list[int] = []
    columns = columns_of(model.listed.values())
    by_columns = sum(part.digest_sum(kind, told.append) for kind, part in columns.items())
    assert Checkpoint.at(1, 46, by_columns).digest == model.checkpoint.digest
    assert told == [0, 5, 10, 15, 20] * 2


def test_digest_of_an_entry_is_fixed() -> None:
    # Written down: stores on disk rest on it. SHA-256 of id, item, bank, type, value.
    digest = entry_digest(7, 6, 2, HashType.PDQ, bytes(range(32)))
    assert f"{digest:064x}" == "6083f535191002b442e01e3cb0824becef6f82714614f4950bf2f15f6a031c82"


def test_each_field_of_an_entry_is_in_its_digest() -> None:
    fields = (7, 6, 2, HashType.PDQ, bytes(32))
    changed = [(8, *fields[1:]), (7, 5, *fields[2:]), (7, 6, 3, *fields[3:])]
    changed += [(7, 6, 2, HashType.SHA256, bytes(32)), (7, 6, 2, HashType.PDQ, bytes([1] * 32))]
    assert len({entry_digest(*given) for given in [fields, *changed]}) == 6


def test_checkpoint_that_adds_and_takes_out_the_same_comes_back() -> None:
    digest = entry_digest(1, 1, 1, HashType.PDQ, bytes(32))
    there = EMPTY_CHECKPOINT.plus(entries=1, digest_sum=digest)
    back = there.plus(entries=-1, digest_sum=-digest)
    assert (back.sequence, back.entry_count, back.digest) == (2, 0, 0)
    assert 0 <= EMPTY_CHECKPOINT.plus(entries=0, digest_sum=-1).digest < 1 << 256
    assert len(there.digest_bytes()) == 32


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Labels(severity=-1), "severity"),
        (lambda: Labels(severity=10), "severity"),
        (lambda: Labels(category="x" * (MAX_LABEL_BYTES + 1)), "category"),
        (lambda: Labels(source="é" * MAX_LABEL_BYTES), "source"),
    ],
)
def test_labels_out_of_range_are_refused(make: Callable[[], Labels], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert caught.value.field == field


def test_columns_are_the_same_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ListModel(bank(1))
    model.load(1, *(picture(pdq(value(n))) for n in range(23)))
    columns = columns_of(model.listed.values())[HashType.PDQ]
    ids = columns.entry_ids.tolist()
    monkeypatch.setattr(entries, "_COPIED_ROWS", 5)
    odd = columns.entry_ids % 2 == 1
    assert columns.select(odd).entry_ids.tolist() == [i for i in ids if i % 2]
    assert columns.select(np.flatnonzero(odd)).values.tolist() == columns.values[odd].tolist()
    assert columns.select(~odd & odd).values.shape == columns.none().values.shape == (0, 32)
    joined = Columns.concat([columns.select(~odd), columns.none(), columns.select(odd)])
    assert joined.entry_ids.tolist() == sorted(ids, key=lambda i: i % 2)
    assert joined.arrays().keys() == columns.arrays().keys()


def test_columns_join_and_say_only_their_number() -> None:
    model = ListModel(bank(1))
    model.load(1, picture(pdq(value(1))))
    first = columns_of(model.listed.values())[HashType.PDQ]
    model.load(1, picture(pdq(value(2))))
    both = columns_of(model.listed.values())[HashType.PDQ]
    second = both.select(both.rows_in([IdRange(EntryId(2), EntryId(3))]))
    joined = Columns.concat([first, second]).arrays()
    for name, column in both.arrays().items():
        assert joined[name].tobytes() == column.tobytes()
        assert joined[name].dtype == column.dtype
    assert repr(both) == "<2 entries of 32 bytes>"
