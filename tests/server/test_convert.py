"""Messages and values: what goes over comes back, and what does not fit is named."""

from collections.abc import Callable

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from engine.entries import EMPTY_CHECKPOINT, Checkpoint
from engine.errors import InvalidInputError, LimitError
from engine.hashes import SPECS, Hash, HashType, HashValue, Item, MediaType
from engine.policy import Bank, BankId, BankPolicy, Rules, TypePolicy
from engine.verdict import Verdict
from firstseen.v1 import types_pb2
from server.convert import check_responses, from_item, media_policies, to_item
from tests.server.worlds import item_of, message, pdq, value

LIMIT = 8


@st.composite
def hashes(draw: st.DrawFn) -> Hash:
    kind = draw(st.sampled_from(HashType))
    size = SPECS[kind].size_bytes
    position = draw(st.sampled_from(["none", "frame", "page"]))
    return Hash(
        kind,
        HashValue(draw(st.binary(min_size=size, max_size=size))),
        draw(st.integers(0, 100)) if SPECS[kind].has_quality else None,
        draw(st.integers(0, 604_800_000)) if position == "frame" else None,
        draw(st.integers(0, 999_999)) if position == "page" else None,
    )


items = st.builds(
    Item, st.sampled_from(MediaType), st.lists(hashes(), min_size=1, max_size=LIMIT).map(tuple)
)


@given(items)
def test_item_over_the_wire_comes_back_the_same(item: Item) -> None:
    sent = types_pb2.Item.FromString(from_item(item).SerializeToString())
    assert to_item(sent, LIMIT) == item


@given(st.binary(max_size=300))
def test_any_bytes_are_an_item_or_refused(content: bytes) -> None:
    try:
        sent = types_pb2.Item.FromString(content)
    except DecodeError:
        return
    try:
        item = to_item(sent, LIMIT)
    except InvalidInputError:
        return
    assert to_item(from_item(item), LIMIT) == item


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (types_pb2.Item(), "media_type: required"),
        (types_pb2.Item(media_type=99), "media_type: unknown number"),  # type: ignore[arg-type]
        (item_of([]), "hashes: empty, want at least one"),
        (item_of([types_pb2.Hash(value=value(1))]), "hashes[0].type: required"),
        (
            item_of([pdq(value(1)), types_pb2.Hash(type=77)]),  # type: ignore[arg-type]
            "hashes[1].type: unknown number",
        ),
        (message(1, quality=None), "hashes[0].quality: required for PDQ"),
        (message(1, quality=101), "hashes[0].quality: want 0 to 100"),
        (item_of([pdq(b"a" * 16)]), "hashes[0].value: 16 bytes, want 32"),
        (
            item_of([types_pb2.Hash(type=types_pb2.HASH_TYPE_MD5, value=b"a" * 16, quality=3)]),
            "hashes[0].quality: MD5 has none",
        ),
        (
            item_of(
                [
                    types_pb2.Hash(
                        type=types_pb2.HASH_TYPE_PDQ,
                        value=value(1),
                        quality=1,
                        page_index=4_000_000_000,
                    )
                ]
            ),
            "hashes[0].page_index: want 0 to 999999",
        ),
    ],
)
def test_wrong_field_is_named_by_its_path(item: types_pb2.Item, text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        to_item(item, LIMIT)
    assert str(caught.value) == text


def test_too_many_hashes_is_a_limit() -> None:
    with pytest.raises(LimitError, match="hashes: 9 hashes, want at most 8"):
        to_item(item_of([pdq(value(i)) for i in range(LIMIT + 1)]), LIMIT)


@pytest.mark.parametrize(
    "checkpoint", [EMPTY_CHECKPOINT, Checkpoint(1, 2, 3), Checkpoint(2**63, 2**40, 2**256 - 1)]
)
def test_every_answer_has_the_same_size(checkpoint: Checkpoint) -> None:
    sizes = {len(answer.SerializeToString()) for answer in check_responses(checkpoint).values()}
    smallest = {
        len(answer.SerializeToString()) for answer in check_responses(EMPTY_CHECKPOINT).values()
    }
    assert set(check_responses(checkpoint)) == set(Verdict)
    assert sizes == smallest
    assert len(sizes) == 1


def test_nothing_listed_no_media_type_is_judged() -> None:
    assert list(media_policies(Rules.of([]))) == []


def test_of_a_document_the_picture_is_asked_for_where_pictures_are_judged() -> None:
    def asked(*types: HashType) -> dict[int, set[int]]:
        limits = {hash_type: TypePolicy(0, 0) for hash_type in types}
        bank = Bank(BankId(1), "REMOVED", BankPolicy(types=limits))
        policies = media_policies(Rules.of([bank]))
        return {own.media_type: {rule.type for rule in own.hashes} for own in policies}

    both = asked(HashType.PDQ, HashType.PAGE_PDQ)
    assert both[MediaType.DOCUMENT] == {HashType.PDQ, HashType.PAGE_PDQ}
    assert both[MediaType.IMAGE] == {HashType.PDQ}
    assert asked(HashType.PAGE_PDQ)[MediaType.DOCUMENT] == {HashType.PAGE_PDQ}
    assert MediaType.DOCUMENT not in asked(HashType.PDQ)


@pytest.mark.parametrize("count", [1, 8])
def test_conversion_is_timed(benchmark: Callable[..., Item], count: int) -> None:
    sent = item_of([pdq(value(i)) for i in range(count)])
    assert len(benchmark(to_item, sent, 1_024).hashes) == count
