"""The text of a hash: what is read, what is refused, and that refusals never show it."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInputError
from engine.hashes import SPECS, HashType
from indexer.feeds.values import parse_count, parse_quality, parse_value, showable_name
from tests.indexer.stores import value

TYPES = pytest.mark.parametrize("hash_type", list(HashType))


@TYPES
def test_hash_in_any_spelling_is_read(hash_type: HashType) -> None:
    raw = value(1, SPECS[hash_type].size_bytes)
    for text in (raw.hex(), raw.hex().upper(), base64.b64encode(raw).decode()):
        assert parse_value(hash_type, text) == raw


@TYPES
@pytest.mark.parametrize(
    "mangle",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: "0x" + text[2:],
        lambda text: " " + text[1:],
        lambda text: text[:2] + "  " + text[4:],
        lambda text: text[:-1] + "g",
        lambda text: text[:-1] + "\u0661",
        lambda text: base64.b64encode(bytes.fromhex(text)).decode().rstrip("="),
        lambda text: "-" + base64.b64encode(bytes.fromhex(text)).decode()[1:],
        lambda text: base64.b64encode(bytes.fromhex(text + "00")).decode(),
        lambda text: "=" * len(base64.b64encode(bytes.fromhex(text))),
    ],
)
def test_hash_that_is_not_exact_is_refused_unseen(hash_type: HashType, mangle: object) -> None:
    assert callable(mangle)
    text = mangle(value(1, SPECS[hash_type].size_bytes).hex())
    with pytest.raises(InvalidInputError) as caught:
        parse_value(hash_type, text)
    assert not text.strip() or text not in str(caught.value)


def test_base64_with_spare_bits_set_is_refused() -> None:
    text = base64.b64encode(bytes(16)).decode()
    with pytest.raises(InvalidInputError, match="not base64"):
        parse_value(HashType.MD5, text.replace("A==", "B=="))


@TYPES
@given(text=st.text(max_size=70))
def test_any_text_is_read_or_refused(hash_type: HashType, text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        assert len(parse_value(hash_type, text)) == SPECS[hash_type].size_bytes


@pytest.mark.parametrize("text", ["-1", "+1", "1_0", "1.0", "\u0661", "9" * 16, "0x1"])
def test_number_that_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_count("page_index", text)
    with pytest.raises(InvalidInputError):
        parse_quality(text)


def test_quality_over_100_is_refused() -> None:
    assert parse_quality("100") == 100
    assert parse_quality("") is None
    with pytest.raises(InvalidInputError, match="want 0 to 100"):
        parse_quality("101")


@TYPES
def test_name_that_may_be_a_hash_is_not_shown(hash_type: HashType) -> None:
    raw = value(1, SPECS[hash_type].size_bytes)
    for text in (raw.hex(), base64.b64encode(raw).decode()):
        assert text[:8] not in showable_name(text)
    assert showable_name("colour") == "'colour'"
