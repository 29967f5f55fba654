"""Each format: what it reads, what it rejects, with the line and the reason."""

import io
import json

import pytest

from engine.entries import Labels, NewItem
from engine.errors import InvalidInputError
from engine.hashes import HashType, MediaType
from indexer.feeds.lines import MAX_LINE_BYTES
from indexer.feeds.opening import Format, ReadOptions, read_file
from indexer.feeds.reading import MAX_ITEM_HASHES, Defaults, Read
from tests.indexer.stores import value

PDQ = value(1).hex()
SHA = value(2).hex()
MD5 = value(3, 16).hex()
TYPE_NAMES = "pdq, sha256, md5, pdq_tile, videohash, text_sha256, simhash, minhash, tlsh, page_pdq"


def read(
    text: str | bytes, format_: Format = Format.AUTO, *, ignore_unknown: bool = False
) -> list[Read]:
    """Everything a file gives."""
    raw = text.encode() if isinstance(text, str) else text
    defaults = Defaults(MediaType.IMAGE, Labels("default", 1))
    return list(
        read_file(
            io.BytesIO(raw), "-", defaults, ReadOptions(format_, ignore_unknown=ignore_unknown)
        )
    )


def only(text: str | bytes, format_: Format = Format.AUTO) -> NewItem:
    """The one item a file gives."""
    [(_, found)] = read(text, format_)
    assert isinstance(found, NewItem), found
    return found


def reasons(text: str | bytes, format_: Format = Format.AUTO) -> list[Read]:
    """What a file rejects."""
    return [(place, found) for place, found in read(text, format_) if isinstance(found, str)]


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        (f"hash_type,value\npdq,{PDQ}\n", Format.CSV),
        (f"pdq\n{PDQ}\n", Format.CSV),
        (f"\ufeffPDQ,quality\r\n{PDQ.upper()},\r\n", Format.CSV),
        (f'"hash_type","value"\n"pdq","{PDQ}"', Format.CSV),
        (f'{{"type":"pdq","value":"{PDQ}"}}', Format.NDJSON),
        (f'\n{{"hashes":[{{"type":"PDQ","value":"{PDQ}"}}]}}\n', Format.NDJSON),
        (f"{PDQ}\n", Format.HASHES),
        (f"# hashes\n\nhash_pdq {PDQ}\n", Format.HASHES),
        (f"{PDQ},\n", Format.HASHES),
    ],
)
def test_one_hash_in_any_format_is_the_same_item(text: str, format_: Format) -> None:
    for how in (Format.AUTO, format_):
        found = only(text, how)
        assert found.labels == Labels("default", 1)
        assert found.item.media_type is MediaType.IMAGE
        [hash_] = found.item.hashes
        assert (hash_.type, hash_.value.hex(), hash_.quality) == (HashType.PDQ, PDQ, None)


def test_wide_row_is_one_item() -> None:
    found = only(f"pdq,sha256,md5,quality\n{PDQ},{SHA},{MD5},90\n")
    assert [(h.type, h.quality) for h in found.item.hashes] == [
        (HashType.PDQ, 90),
        (HashType.SHA256, None),
        (HashType.MD5, None),
    ]


def test_labels_of_a_row_come_before_the_defaults() -> None:
    header = "md5,media_type,category,severity,source,reference"
    found = only(f'{header}\n{MD5},Video,"a, ""b""",0, s ,r\n')
    assert found.item.media_type is MediaType.VIDEO
    assert found.labels == Labels('a, "b"', 0, " s ", "r")


def test_adjacent_rows_of_one_name_are_one_item() -> None:
    rows = [f"a,pdq,{PDQ},0", f"a,pdq,{SHA},40", f",pdq,{PDQ},", f",pdq,{SHA},", f"a,pdq,{PDQ},1"]
    found = read("item,hash_type,value,frame_offset_ms\n" + "\n".join(rows))
    assert [place for place, _ in found] == [2, 4, 5, 6]
    assert [len(new.item.hashes) for _, new in found if isinstance(new, NewItem)] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("a,md5,xyz,", "value: 3 characters, want 32 of hex or 24 of base64 (line 3 of its item)"),
        (f"a,md5,{MD5},other", "labels: differ within the item (line 3 of its item)"),
        ("a,md5", "item: its line 3 could not be read"),
    ],
)
def test_item_with_a_wrong_row_is_rejected_whole(bad: str, reason: str) -> None:
    header = "item,hash_type,value,category\n"
    found = read(f"{header}a,md5,{MD5},\n{bad}\na,md5,{MD5},\nb,md5,{MD5},\n")
    assert (2, reason) in found
    assert [place for place, new in found if isinstance(new, NewItem)] == [5]


def test_unreadable_line_between_items_rejects_neither() -> None:
    found = read(f"item,md5\na,{MD5}\nbroken\nb,{MD5}\n")
    assert [place for place, new in found if isinstance(new, NewItem)] == [2, 4]


def test_item_without_end_is_rejected_in_little_memory() -> None:
    found = read("item,md5\n" + f"a,{MD5}\n" * (MAX_ITEM_HASHES + 5))
    want = f"item: over {MAX_ITEM_HASHES} hashes (line {MAX_ITEM_HASHES + 2} of its item)"
    assert found == [(2, want)]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "missing"),
        ("value", "want hash_type and value"),
        ("pdq,colour", "unknown column 'colour'"),
        ("pdq;quality", "want columns separated by commas"),
        ("pdq\tquality", "want columns separated by commas"),
        ('"pdq";"quality"', "want columns separated by commas"),
        ("pdq;quality;first, second", "want columns separated by commas"),
        ("hash_type;value;first, second", "want columns separated by commas"),
        ("pdq,first;second", "unknown column (a name of 12 characters)"),
        ("pdq,pdq", "there twice"),
        ("pdq,value,hash_type", "either"),
        (PDQ, "unknown column (a name of 64 characters)"),
        (MD5, "unknown column (a name of 32 characters)"),
        ('"pdq', "quotes"),
        (b"\xff\xfep\0d\0q\0", "NUL"),
    ],
)
def test_csv_with_a_wrong_header_is_refused(header: str | bytes, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(header, Format.CSV)
    assert reason in str(caught.value)
    assert PDQ not in str(caught.value)


@pytest.mark.parametrize("header", ["pdq;quality", "hash_type\tvalue", '"MD5";"sha256"'])
def test_list_with_other_signs_is_no_list_of_hashes(header: str) -> None:
    with pytest.raises(InvalidInputError, match="want columns separated by commas"):
        read(f"{header}\n{PDQ};50\n", Format.AUTO)


def test_wrong_hash_is_told_by_its_column() -> None:
    found = read(f"quality,PDQ,sha256,md5\n,{MD5},,\n,,{MD5},\n,,,xyz\n50,{PDQ},{SHA},{'g' * 32}\n")
    assert [str(told).partition(",")[0] for _, told in found] == [
        "pdq: 32 characters",
        "sha256: 32 characters",
        "md5: 3 characters",
        "md5: not hexadecimal",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"sha1," + PDQ.encode() + b",,", f"hash_type: want one of {TYPE_NAMES}"),
        (b"md5," + PDQ.encode() + b",,", "value: 64 characters, want 32 of hex or 24 of base64"),
        (b"md5," + MD5.encode() + b",50,", "quality: MD5 has none"),
        (b"pdq," + PDQ.encode() + b",101,", "quality: want 0 to 100"),
        (b"pdq," + PDQ.encode() + b",,10", "severity: want 0 to 9"),
        (b"pdq," + PDQ.encode() + b",,x", "severity: want a whole number"),
        (b"pdq," + PDQ.encode(), "row: 2 columns, want 4"),
        (b'"pdq,' + PDQ.encode(), "row: quotes do not fit (a row is one line)"),
        (b"pdq," + PDQ.encode() + b"\0,,", "line: holds a NUL byte"),
        (b"pdq,\xff" + PDQ.encode() + b",,", "line: not UTF-8"),
        (b"pdq," + b"a" * (3 * MAX_LINE_BYTES), f"line: over {MAX_LINE_BYTES} bytes"),
    ],
)
def test_wrong_csv_row_is_rejected_and_the_next_is_read(row: bytes, reason: str) -> None:
    good = b"md5," + MD5.encode() + b",,\n"
    found = read(b"hash_type,value,quality,severity\n" + good + row + b"\n\n" + good)
    assert [place for place, new in found if isinstance(new, NewItem)] == [2, 5]
    assert [(place, new) for place, new in found if isinstance(new, str)] == [(3, reason)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("[1]", "line: want an object"),
        ("{", "line: not JSON"),
        ('{"a":' * 100_000, "line: not JSON"),
        ('{"type":"pdq","value":1}', "value: want text"),
        ('{"type":"pdq"}', "value: 0 characters, want 64 of hex or 44 of base64"),
        (f'{{"type":"md5","value":"{MD5}","severity":true}}', "severity: want a whole number"),
        (f'{{"type":"md5","value":"{MD5}","severity":1e9}}', "severity: want a whole number"),
        (f'{{"type":"md5","value":"{MD5}","page_index":-1}}', "page_index: want 0 to 999999"),
        (f'{{"type":"md5","value":"{MD5}","severity":{"9" * 5000}}}', "line: not JSON"),
        (f'{{"type":"md5","value":"{MD5}","source":"\\ud800"}}', "source: not Unicode"),
        (f'{{"type":"md5","value":"{MD5}","colour":1}}', "'colour': unknown key"),
        (f'{{"{PDQ}":1}}', "(a name of 64 characters): unknown key"),
        ('{"type":"sha1","value":"00"}', "type: want one of pdq"),
        ('{"hashes":[{"type":"sha1","value":"00"}]}', "hashes[0].type: want one of pdq"),
        ('{"hashes":[]}', "hashes: want a list of at least one"),
        ('{"hashes":[1]}', "hashes[0]: want an object"),
        ('{"hashes":[{"type":"md5","value":"00"}]}', "hashes[0].value: 2 characters, want 32 of"),
    ],
)
def test_wrong_ndjson_line_is_rejected_with_its_field(row: str, reason: str) -> None:
    [(place, found)] = reasons(row, Format.NDJSON)
    assert place == 1
    assert isinstance(found, str)
    assert found.startswith(reason)


def test_labels_of_any_text_are_kept_by_ndjson() -> None:
    row = {"type": "md5", "value": MD5, "category": "a\nb", "source": "\u2028é"}
    assert only(json.dumps(row)).labels == Labels("a\nb", 1, "\u2028é")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (MD5, "hash: 32 characters, want 64 of hex or 44 of base64"),
        (f"{PDQ} 1 2", "line: 3 words, want a hash or a type and a hash"),
        (f"sha1 {PDQ}", f"type: want one of {TYPE_NAMES}"),
        (f"{PDQ},high", "quality: want a whole number"),
        (f"md5 {MD5},50", "quality: MD5 has none"),
    ],
)
def test_wrong_line_of_a_hash_list_is_rejected(line: str, reason: str) -> None:
    assert reasons(line, Format.HASHES) == [(1, reason)]


def test_unknown_column_and_key_are_passed_over_when_asked() -> None:
    for text in (f"md5,colour\n{MD5},red\n", f'{{"type":"md5","value":"{MD5}","colour":1}}'):
        [(_, found)] = read(text, ignore_unknown=True)
        assert isinstance(found, NewItem)
