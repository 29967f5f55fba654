"""vPDQ's files: read, written, and what is no such file refused without showing a hash."""

import json
from pathlib import Path

import pytest

from firstseen.hashing.vpdq import (
    VpdqError,
    looks_like_vpdq,
    parse_json,
    parse_line,
    to_item,
    write_json,
    write_text,
)
from firstseen.items import Hash, HashType, HashValue, Item, MediaType

VALUE = "e271017837246aaccddea259648fb7d62f435c89d9e99b2497763e216c8d055c"


def test_line_is_a_frame() -> None:
    frame = parse_line(f"31,98,{VALUE},1.033\n")
    assert frame.value.hex() == VALUE
    assert (frame.quality, frame.offset_ms) == (98, 1_033)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "line: 1 fields"),
        (f"1,100,{VALUE}", "line: 3 fields"),
        (f"x,100,{VALUE},0.0", "frame: want"),
        (f"1,101,{VALUE},0.0", "quality: want 0 to 100"),
        (f"1,-1,{VALUE},0.0", "quality: want"),
        (f"1,100,{VALUE[:-1]},0.0", "hash: 63 characters"),
        (f"1,100,{VALUE[:-1]}g,0.0", "hash: 64 characters"),
        (f"1,100,{VALUE},-1", "seconds: want a number"),
        (f"1,100,{VALUE},nan", "seconds: want a number"),
        (f"1,100,{VALUE},604801", "seconds: want at most 604800"),
    ],
)
def test_wrong_line_is_refused_without_its_hash(line: str, reason: str) -> None:
    with pytest.raises(VpdqError, match=reason) as caught:
        parse_line(line)
    assert VALUE[:20] not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "file: not JSON"),
        ("[" * 100_000, "file: not JSON"),
        ("{}", "file: want a list"),
        ("[1]", r"\[0\]: want"),
        (f'["{VALUE},100,0.0", "{VALUE},x,0.0"]', r"\[1\].quality: want"),
    ],
)
def test_wrong_json_is_refused(text: str, reason: str) -> None:
    with pytest.raises(VpdqError, match=reason):
        parse_json(text)


def test_item_is_the_same_after_text_and_after_json() -> None:
    item = to_item([parse_line(f"{i},{90 + i},{VALUE},{i}.5") for i in range(3)])
    assert item.media_type is MediaType.VIDEO
    assert [hash_.frame_offset_ms for hash_ in item.hashes] == [500, 1_500, 2_500]
    assert to_item(parse_line(line) for line in write_text(item).splitlines()) == item
    assert to_item(parse_json(write_json(item))) == item
    assert json.loads(write_json(item))[0] == f"{VALUE},90,0.500"


def test_only_the_first_picture_of_a_frame_is_written() -> None:
    other = HashValue(bytes(32))
    item = Item(
        MediaType.VIDEO,
        (
            Hash(HashType.PDQ, HashValue.fromhex(VALUE), 90, 0),
            Hash(HashType.PDQ, other, 90, 0),
            Hash(HashType.PDQ_TILE, other, 90, 0),
            Hash(HashType.SHA256, other),
        ),
    )
    assert write_text(item) == f"0,90,{VALUE},0.000\n"


def test_metas_files_are_read_whole_and_written_alike(shared_data: Path) -> None:
    files = sorted((shared_data / "video").glob("*.vpdq.txt"))
    assert len(files) == 6
    for path in files:
        text = path.read_text()
        assert all(looks_like_vpdq(line) for line in text.splitlines())
        assert write_text(to_item(map(parse_line, text.splitlines()))) == text
