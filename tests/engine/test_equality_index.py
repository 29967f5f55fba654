"""The index of exact hashes against a dict."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.equality_index import EqualityIndex
from engine.errors import InvalidInputError
from tests.engine.index_contract import IndexContract, pairs
from tests.engine.values import PROPERTY, rows, value


class TestEqualityIndex(IndexContract):
    index_type = EqualityIndex
    distances = (0,)


class TestEqualityIndexOf128Bits(IndexContract):
    index_type = EqualityIndex
    size_bytes = 16
    distances = (0,)


@pytest.mark.parametrize("size_bytes", [16, 32])
def test_values_with_the_same_beginning_are_told_apart(size_bytes: int) -> None:
    beginning = value(0, 8)
    listed = [beginning + value(number % 7, size_bytes - 8) for number in range(40)]
    queries = [listed[3], beginning + value(99, size_bytes - 8), listed[6], value(1, size_bytes)]
    found = pairs(EqualityIndex.build(rows(listed, size_bytes)).search(rows(queries, size_bytes)))
    assert found == [
        (query, row, 0)
        for query, wanted in enumerate(queries)
        for row, content in enumerate(listed)
        if content == wanted
    ]
    assert {query for query, _, _ in found} == {0, 2}


def test_value_that_differs_in_its_last_byte_alone_is_not_found() -> None:
    content = value(0)
    other = content[:-1] + bytes([content[-1] ^ 1])
    assert len(EqualityIndex.build(rows([content])).search(rows([other]))) == 0


@pytest.mark.parametrize("max_distance_bits", [1, 31, 256])
def test_distance_other_than_zero_is_refused(max_distance_bits: int) -> None:
    index = EqualityIndex.build(rows([value(0)]))
    with pytest.raises(InvalidInputError) as refusal:
        index.search(rows([value(0)]), max_distance_bits)
    assert refusal.value.field == "max_distance_bits"


def test_rows_of_equal_values_are_reported_in_ascending_order() -> None:
    index = EqualityIndex.build(rows([value(1), value(0), value(1), value(0), value(1)]))
    assert index.search(rows([value(1)])).rows.tolist() == [0, 2, 4]


@pytest.mark.parametrize("size_bytes", [16, 32])
@given(data=st.data())
@PROPERTY
def test_any_list_agrees_with_a_dict(size_bytes: int, data: st.DataObject) -> None:
    # Few letters, so that values and their first eight bytes coincide often.
    beginnings = st.sampled_from([bytes(8), b"\xff" * 8, bytes(7) + b"\x01", b"\x01" + bytes(7)])
    endings = st.binary(min_size=1, max_size=1).map(lambda b: bytes(size_bytes - 9) + b)
    contents = st.builds(bytes.__add__, beginnings, endings)
    listed = data.draw(st.lists(contents, max_size=40))
    queries = data.draw(
        st.lists(st.one_of(contents, st.sampled_from(listed or [b""])), max_size=12)
    )
    queries = [query for query in queries if query]
    where: dict[bytes, list[int]] = defaultdict(list)
    for row, content in enumerate(listed):
        where[content].append(row)
    found = EqualityIndex.build(rows(listed, size_bytes)).search(rows(queries, size_bytes))
    want = [(query, row, 0) for query, wanted in enumerate(queries) for row in where[wanted]]
    assert pairs(found) == want
    assert found.distances_bits.dtype == np.int64
