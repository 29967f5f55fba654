"""Whatever the bytes are, a feed gives items and reasons, and no reason holds a value."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.entries import NewItem
from engine.errors import InvalidInputError
from indexer.feeds.opening import Format, ReadOptions, read_file
from indexer.feeds.reading import Defaults
from tests.indexer.stores import value

CANARY = value(7)
HEX = CANARY.hex().encode()
PIECES = st.sampled_from(
    [
        HEX,
        HEX.upper(),
        HEX[:32],
        HEX[:-1],
        b"pdq",
        b"md5",
        b"item",
        b"value",
        b"hash_type",
        b"quality",
        b"hash_type,value,quality,item,severity\n",
        b"pdq,quality,item,frame_offset_ms\n",
        b"pdq," + HEX + b",50,a,1\n",
        b'{"type":"pdq","value":"' + HEX + b'"}\n',
        b'{"hashes":[{"type":"md5","value":"' + HEX + b'","quality":1}]}\n',
        b'{"' + HEX + b'":',
        b"{",
        b"}",
        b"[",
        b'"',
        b",",
        b" ",
        b"#",
        b"\n",
        b"\r\n",
        b"\0",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xed\xa0\x80",
        b"-1",
        b"50",
        b"99999999999999999999",
        b"NaN",
    ]
)
FILES = st.lists(PIECES | st.binary(max_size=6), max_size=40).map(b"".join)


@pytest.mark.parametrize("format_", sorted(set(Format) - {Format.DOCUMENT}))
@given(content=FILES, ignore_unknown=st.booleans())
def test_any_bytes_give_items_or_reasons(
    format_: Format, content: bytes, ignore_unknown: bool
) -> None:
    options = ReadOptions(format_, ignore_unknown=ignore_unknown)
    lines = content.count(b"\n") + 1
    told: list[str] = []
    try:
        for place, found in read_file(io.BytesIO(content), "-", Defaults(), options):
            assert isinstance(place, int)
            assert 1 <= place <= lines
            if isinstance(found, NewItem):
                assert found.item.hashes
            else:
                told.append(found)
    except InvalidInputError as error:
        assert format_ in (Format.CSV, Format.AUTO)
        told.append(str(error))
    for text in told:
        assert CANARY.hex()[:12] not in text.lower()
