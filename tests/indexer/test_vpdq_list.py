"""A vPDQ file is listed as one video."""

import io
import json
import stat
from pathlib import Path

import pytest

from engine.entries import Labels, NewItem
from engine.hashes import HashType, MediaType
from indexer.exit_codes import ExitCode
from indexer.feeds.opening import Format, ReadOptions, read_file
from indexer.feeds.reading import MAX_ITEM_HASHES, Defaults, Read
from tests.indexer.stores import Command, listed, pdq_lines, run, run_json, value


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


def video(first: int, count: int) -> str:
    """An item as NDJSON: of each frame two hashes and a tile, and what vPDQ has no place for."""
    hashes: list[dict[str, object]] = [{"type": "md5", "value": value(first, 16).hex()}]
    for frame in range(count):
        own = {"quality": 90, "frame_offset_ms": frame * 500}
        hashes += [
            {"type": type_, "value": value(first + 3 * frame + n).hex(), **own}
            for n, type_ in enumerate(("pdq", "pdq", "pdq_tile"))
        ]
    return json.dumps({"media_type": "video", "hashes": hashes, "source": "unit"}) + "\n"


def test_videos_are_exported_and_load_back_as_their_frames(store: Path, tmp_path: Path) -> None:
    feed = tmp_path / "list.ndjson"
    feed.write_text(video(0, 4) + video(100, 30))
    pictures = tmp_path / "pictures.txt"
    pictures.write_text(pdq_lines(2, first=900))
    for path in (feed, pictures):
        run_json("load", path, "--bank", "REMOVED", "--store", store)
    out = tmp_path / "videos"
    words = ("export", out, "--bank", "REMOVED", "--format", "vpdq", "--store", store)
    told = run_json(*words)
    assert (told["videos"], told["frames"], told["left_out"]) == (2, 34, 2)
    files = sorted(out.iterdir(), key=lambda path: int(path.name.partition(".")[0]))
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for path in files:
        run_json("load", path, "--bank", "COPY", "--create-bank", "--store", store)
    copies = [item for item, _ in listed(store, "COPY")]
    assert [item.media_type for item in copies] == [MediaType.VIDEO] * 2
    assert [
        [(h.type, h.value, h.quality, h.frame_offset_ms) for h in i.hashes] for i in copies
    ] == [
        [(HashType.PDQ, value(first + 3 * n), 90, n * 500) for n in range(count)]
        for first, count in ((0, 4), (100, 30))
    ]


def test_export_of_videos_wants_an_empty_folder(store: Path, tmp_path: Path) -> None:
    feed = tmp_path / "list.ndjson"
    feed.write_text(video(0, 2))
    run_json("load", feed, "--bank", "REMOVED", "--store", store)
    out = tmp_path / "videos"
    out.mkdir()
    words = ("--bank", "REMOVED", "--format", "vpdq", "--store", store)
    assert run("export", out, *words).returncode == ExitCode.DONE
    [file] = out.iterdir()
    before = file.read_bytes()
    again = run("export", out, *words)
    assert again.returncode == ExitCode.FILE
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.ndjson", "store", "videos"]
    assert run("export", "-", *words).returncode == ExitCode.USAGE


@pytest.mark.parametrize("is_there", [True, False])
def test_export_of_videos_from_a_bank_without_any_leaves_nothing(
    is_there: bool, command: Command, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures.txt"
    pictures.write_text(pdq_lines(2))
    command("load", pictures)
    out = tmp_path / "videos"
    if is_there:
        out.mkdir()
    before = sorted(tmp_path.iterdir())
    _, said = command("export", out, "--bank", "REMOVED", "--format", "vpdq", code=ExitCode.USAGE)
    assert said.startswith("indexer: REMOVED: lists no video by its frames, nothing to write")
    assert sorted(tmp_path.iterdir()) == before
    assert not is_there or list(out.iterdir()) == []
