"""Hash types, hashes and items: what is refused, and what no text form may show."""

import base64
import copy
import logging
from collections.abc import Callable

import pytest

from engine.entries import Labels, ListedItem, NewItem, columns_of
from engine.errors import InvalidInputError
from engine.hashes import (
    JUDGED_TYPES,
    MAX_FRAME_OFFSET_MS,
    MAX_PAGE_INDEX,
    SPECS,
    SUPPORTING_TYPES,
    Hash,
    HashType,
    HashValue,
    Item,
    MediaType,
)
from engine.store import Contents, Delta
from firstseen.v1 import types_pb2
from tests.engine.values import ListModel, bank, pdq, picture, sha256, value

TEXTS: list[Callable[[object], str]] = [
    repr,
    str,
    format,
    ascii,
    lambda held: f"{held}",
    lambda held: f"{held!s} {held!r} {held!a}",
    lambda held: "%s %r" % (held, held),  # noqa: UP031
    "{0} {0!r}".format,
    lambda held: str([held]),
    lambda held: str({"held": held}),
    lambda held: str(Exception(held)),
    lambda held: logging.LogRecord("a", 0, "", 0, "%s", (held,), None).getMessage(),
]


def shown_forms(content: bytes) -> list[str]:
    """How a value could appear in a text."""
    return [
        content.hex(),
        content.hex().upper(),
        base64.b64encode(content).decode(),
        repr(bytes(content))[2:-1].replace(" ", ""),
        ",".join(map(str, content[:4])),
        str(int.from_bytes(content)),
    ]


def model() -> ListModel:
    listed = ListModel(bank())
    listed.load(1, picture(pdq(value(0)), sha256(value(0))))
    return listed


def listed_item() -> ListedItem:
    return next(iter(model().listed.values()))


def delta() -> Delta:
    listed = model()
    base = listed.checkpoint
    listed.load(1, picture(pdq(value(0))))
    return listed.delta(base)


def contents() -> Contents:
    return model().contents()


HOLDERS: dict[str, Callable[[], object]] = {
    "value": lambda: value(0),
    "hash": lambda: pdq(value(0)),
    "item": lambda: picture(pdq(value(0)), sha256(value(0))),
    "new item": lambda: NewItem(picture(pdq(value(0))), Labels("category")),
    "listed item": listed_item,
    "columns": lambda: columns_of([listed_item()])[HashType.PDQ],
    "contents": contents,
    "delta": delta,
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("to_text", TEXTS)
def test_text_of_what_holds_a_value_does_not_show_it(
    holder: Callable[[], object], to_text: Callable[[object], str]
) -> None:
    text = to_text(holder()).replace(" ", "")  # numpy aligns its numbers
    assert [form for form in shown_forms(value(0)) if form in text] == []


def test_value_says_how_long_it_is() -> None:
    assert repr(value(0)) == str(value(0)) == f"{value(0)}" == "<hash of 32 bytes>"


def test_value_is_refused_a_format_without_showing_it() -> None:
    with pytest.raises(TypeError) as refusal:
        format(value(0), ">80")
    assert value(0).hex() not in str(refusal.value)


def test_copy_of_a_value_is_redacted_too() -> None:
    for copied in (copy.copy(value(0)), copy.deepcopy(value(0)), HashValue(bytes(value(0)))):
        assert copied == value(0)
        assert str(copied) == "<hash of 32 bytes>"


def test_value_has_no_room_for_other_attributes() -> None:
    with pytest.raises(AttributeError):
        value(0).note = "x"  # type: ignore[attr-defined]


@pytest.mark.parametrize("hash_type", HashType)
@pytest.mark.parametrize("off_by", [-32, -16, -1, 1, 16])
def test_value_of_wrong_size_is_refused_by_its_size(hash_type: HashType, off_by: int) -> None:
    want = SPECS[hash_type].size_bytes
    content = HashValue(b"\xab" * max(0, want + off_by))
    with pytest.raises(InvalidInputError) as refusal:
        Hash(hash_type, content)
    assert str(refusal.value) == f"value: {len(content)} bytes, want {want}"


@pytest.mark.parametrize("quality", [None, 0, 1, 50, 100])
def test_quality_within_its_scale_is_taken(quality: int | None) -> None:
    assert pdq(value(0), quality).quality == quality


@pytest.mark.parametrize(
    ("hash_type", "quality", "frame_offset_ms", "page_index", "field"),
    [
        (HashType.PDQ, -1, None, None, "quality"),
        (HashType.PDQ, 101, None, None, "quality"),
        (HashType.SHA256, 100, None, None, "quality"),
        (HashType.MD5, 0, None, None, "quality"),
        (HashType.PDQ, None, -1, None, "frame_offset_ms"),
        (HashType.PDQ, None, MAX_FRAME_OFFSET_MS + 1, None, "frame_offset_ms"),
        (HashType.PDQ, None, None, -1, "page_index"),
        (HashType.PDQ, None, None, MAX_PAGE_INDEX + 1, "page_index"),
        (HashType.PDQ, None, 0, 0, "page_index"),
    ],
)
def test_field_out_of_range_is_refused_by_name(
    hash_type: HashType,
    quality: int | None,
    frame_offset_ms: int | None,
    page_index: int | None,
    field: str,
) -> None:
    content = value(0, SPECS[hash_type].size_bytes)
    with pytest.raises(InvalidInputError) as refusal:
        Hash(hash_type, content, quality, frame_offset_ms, page_index)
    assert refusal.value.field == field
    assert content.hex() not in str(refusal.value)


@pytest.mark.parametrize(
    ("frame_offset_ms", "page_index"),
    [(0, None), (MAX_FRAME_OFFSET_MS, None), (None, 0), (None, MAX_PAGE_INDEX)],
)
def test_positions_at_their_bounds_are_taken(
    frame_offset_ms: int | None, page_index: int | None
) -> None:
    made = Hash(HashType.PDQ, value(0), 100, frame_offset_ms, page_index)
    assert (made.frame_offset_ms, made.page_index) == (frame_offset_ms, page_index)


def test_item_without_hashes_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="hashes: empty"):
        Item(MediaType.IMAGE, ())


def test_numbers_are_those_of_the_contract() -> None:
    for hash_type in HashType:
        assert types_pb2.HashType.Value(f"HASH_TYPE_{hash_type.name}") == hash_type
    for media_type in MediaType:
        assert types_pb2.MediaType.Value(f"MEDIA_TYPE_{media_type.name}") == media_type


def test_every_hash_type_and_media_type_is_described() -> None:
    assert set(SPECS) == set(HashType)
    assert set(JUDGED_TYPES) == set(MediaType)


def test_sizes_and_defaults_are_those_of_the_field() -> None:
    spec = SPECS[HashType.PDQ]
    assert (spec.size_bits, spec.default_distance_bits, spec.default_min_quality) == (256, 31, 50)
    assert SPECS[HashType.SHA256].size_bits == 256
    assert SPECS[HashType.MD5].size_bits == 128
    for hash_type in (HashType.SHA256, HashType.MD5):
        assert not SPECS[hash_type].perceptual
        assert SPECS[hash_type].max_distance_bits == 0


def test_what_supports_is_not_what_decides() -> None:
    assert set(SUPPORTING_TYPES) == set(MediaType)
    for media_type, supporting in SUPPORTING_TYPES.items():
        assert not supporting & JUDGED_TYPES[media_type]
    for hash_type in HashType:
        assert any(hash_type in JUDGED_TYPES[m] | SUPPORTING_TYPES[m] for m in MediaType)


def test_hash_that_is_near_is_further_than_one_that_matches() -> None:
    for spec in SPECS.values():
        assert spec.near_distance_bits == 0 or spec.near_distance_bits > spec.default_distance_bits
