"""A vPDQ file is listed as one video."""

import io
import json
from pathlib import Path

import pytest

from engine.entries import Labels, NewItem
from engine.hashes import HashType, MediaType
from indexer.feeds.opening import Format, ReadOptions, read_file
from indexer.feeds.reading import MAX_ITEM_HASHES, Defaults, Read
from tests.indexer.stores import listed, run, value


def lines(count: int, fps: float = 30) -> str:
    return "".join(f"{i},90,{value(i).hex()},{i / fps:.3f}\n" for i in range(count))


def read(text: str, format_: Format = Format.AUTO) -> list[Read]:
    defaults = Defaults(MediaType.IMAGE, Labels("clip", 1))
    return list(read_file(io.BytesIO(text.encode()), "-", defaults, ReadOptions(format_)))


def test_text_is_one_video_of_sampled_frames() -> None:
    [(place, found)] = read(lines(30 * 30))
    assert isinstance(found, NewItem)
    assert place == 1
    assert found.labels == Labels("clip", 1)
    assert found.item.media_type is MediaType.VIDEO
    offsets = [hash_.frame_offset_ms for hash_ in found.item.hashes]
    assert offsets == [*range(0, 20_000, 500), *range(20_000, 30_000, 1_000)]
    assert found.item.hashes[1].value == value(15)
    assert {hash_.type for hash_ in found.item.hashes} == {HashType.PDQ}


def test_json_is_the_same_video() -> None:
    listed = [",".join((f[2], f[1], f[3])) for f in (x.split(",") for x in lines(90).split())]
    assert read(json.dumps(listed)) == read(json.dumps(listed, indent=1)) == read(lines(90))


def test_wrong_line_is_rejected_and_the_others_are_one_video() -> None:
    found = read(lines(1) + "31,101,x,y\n\n" + lines(60)[len(lines(1)) :])
    assert found[0] == (2, "hash: 1 characters, want 64 of hex")
    [(_, item)] = found[1:]
    assert isinstance(item, NewItem)
    assert len(item.item.hashes) == 4


@pytest.mark.parametrize("text", ["[", "[1]", "[]]"])
def test_wrong_json_is_one_reject(text: str) -> None:
    [(place, reason)] = read(text)
    assert place == 1
    assert isinstance(reason, str)


def test_empty_file_is_no_video() -> None:
    assert read("", Format.VPDQ) == []
    assert read("[]") == []


def test_longer_video_than_an_item_may_be_is_rejected() -> None:
    [(_, reason)] = read(lines(MAX_ITEM_HASHES + 100, fps=1))
    assert reason == f"hashes: more than {MAX_ITEM_HASHES} sampled frames"


def test_file_is_loaded_by_the_command(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.vpdq.txt"
    path.write_text(lines(60))
    assert run("load", path, "--store", store, "--bank", "REMOVED").returncode == 0
    [(item, _)] = listed(store)
    assert item.media_type is MediaType.VIDEO
    assert [hash_.frame_offset_ms for hash_ in item.hashes] == [0, 500, 1_000, 1_500]
