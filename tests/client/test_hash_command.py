"""`firstseen hash`: every kind of file, for people, for programs and for vPDQ's tools."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from engine.hashes import SUPPORTING_TYPES
from firstseen.cli import main
from firstseen.hash_command import SUPPORTING
from firstseen.hashing.file import hash_file
from firstseen.hashing.vpdq import parse_line
from firstseen.items import HashType
from firstseen.progress import Bars
from indexer.feeds.ndjson_list import NdjsonList
from indexer.feeds.reading import Defaults
from tests.client import documents
from tests.client.clips import PHOTOS, motion_photo, write_pan

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        try:
            code = main(["hash", *map(str, words)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_pan(tmp_path / "clip.mp4", seconds=3)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.docx"
    path.write_bytes(documents.docx_(documents.paragraphs(3)))
    return path


def test_each_type_is_a_line_with_its_count_and_the_first_few(run: Run, clip: Path) -> None:
    code, out, err = run(clip)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    hashes = hash_file(clip).hashes
    pdqs = [hash_ for hash_ in hashes if hash_.type is HashType.PDQ]
    frames = {hash_.frame_offset_ms for hash_ in pdqs}
    assert lines[0] == f"{clip}: video, {len(hashes)} hashes"
    assert lines[1].startswith(f"  PDQ              {len(pdqs)}  of {len(frames)} frames, 0:00.000")
    assert lines[2].endswith("  quality 100  at 0:00.000")
    assert lines[5] == f"    and {len(pdqs) - 3} more (--all)"
    assert any(line.endswith("  length 0:03.000") for line in lines)
    assert len(lines) < 20
    _, everything, _ = run(clip, "--all")
    assert len(everything.splitlines()) == 1 + 5 + len(hashes)


def test_json_of_every_kind_is_what_the_indexer_loads(
    run: Run, clip: Path, report: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "motion.jpg"
    photo.write_bytes(motion_photo(clip.read_bytes()))
    code, out, _ = run(PHOTOS[0], clip, report, photo, "--json", "--side", "bank")
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    kinds = ["image", "video", "document", "image", "video"]
    assert [line["media_type"] for line in lines] == kinds
    assert [line["file"] for line in lines[2:]] == [str(report), str(photo), str(photo)]
    numbered = [(number, line, "") for number, line in enumerate(out.splitlines(), start=1)]
    read = list(NdjsonList(iter(numbered), Defaults(), ignore_unknown=True))
    items = [found.item for _, found in read if not isinstance(found, str)]
    assert [len(item.hashes) for item in items] == [len(line["hashes"]) for line in lines]
    assert items[1].hashes[0].frame_offset_ms == 0


def test_side_and_profile_say_which_forms(run: Run) -> None:
    counts = []
    for words in ([], ["--side", "bank", "--profile", "lean"], ["--side", "bank"]):
        _, out, _ = run(PHOTOS[0], "--json", *words)
        types = [hash_["type"] for hash_ in json.loads(out)["hashes"]]
        counts.append((types.count("pdq"), types.count("pdq_tile")))
    assert counts[0] == (9, 4)
    assert counts[1] == (1, 0)
    assert counts[2][0] > 4


def test_what_check_does_not_send_is_marked_for_people_alone(
    run: Run, clip: Path, tmp_path: Path
) -> None:
    illustrated = tmp_path / "illustrated.docx"
    illustrated.write_bytes(documents.docx_(documents.paragraphs(3), [PHOTOS[0].read_bytes()]))

    def marked(*words: object) -> list[str]:
        _, out, _ = run(clip, illustrated, PHOTOS[0], *words)
        names = [line.split()[0] for line in out.splitlines() if "not sent by check" in line]
        return [name for name in names if name != "TLSH"]  # of a package that need not be there

    assert marked() == ["VIDEOHASH", "PDQ"]
    assert marked("--side", "bank") == []
    assert marked("--json") == []
    assert {media.name: {type_.name for type_ in types} for media, types in SUPPORTING.items()} == {
        media.name: {type_.name for type_ in types} for media, types in SUPPORTING_TYPES.items()
    }


def test_vpdq_file_has_a_line_for_each_frame(
    run: Run, clip: Path, report: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out.vpdq.txt"
    assert run(clip, "--vpdq", path)[0] == 0
    frames = [parse_line(line) for line in path.read_text().splitlines()]
    assert [frame.offset_ms for frame in frames] == list(range(0, 3_000, 500))
    code, out, err = run(report, "--vpdq", path)
    assert (code, out) == (1, "")
    assert "no video" in err
    assert run(clip, report, "--vpdq", path)[0] == 2
    code, out, err = run(clip, "--vpdq", tmp_path)
    assert (code, out) == (2, "")
    assert "--vpdq: a folder" in err
    code, out, err = run(clip, "--vpdq", tmp_path / "none" / "out.vpdq.txt")
    assert code == 1
    assert out.startswith(f"{clip}: video")
    assert err.endswith("out.vpdq.txt: No such file or directory\n")


def test_file_that_cannot_be_hashed_is_told_and_the_next_is_hashed(
    run: Run, clip: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x20ftypisom" + bytes(4_000))
    code, out, err = run(broken, tmp_path / "none", clip)
    assert code == 1
    assert out.startswith(f"{clip}: video")
    assert "broken.mp4: " in err
    assert "No such file or directory" in err
    code, out, _ = run(broken, "--exact-when-undecodable", "--json")
    assert code == 0
    assert [hash_["type"] for hash_ in json.loads(out)["hashes"]] == ["sha256", "md5"]


def test_bars_are_on_a_terminal_alone_and_never_on_stdout(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for is_terminal in (True, False):
        stream = io.StringIO()
        with Bars(1, Console(file=stream, force_terminal=is_terminal, width=80)) as bars:
            for path in bars.each([clip]):
                bars.video(path, 1_000, 3_000)
                bars.video(Path("\x1b[2Jevil[red]"), 1_000, None)
                with bars.aside():
                    print("result")  # noqa: T201
        shown = stream.getvalue()
        assert ("files" in shown, "\ufffd[2Jevil[red]" in shown) == (is_terminal, is_terminal)
        assert is_terminal or shown == ""
        assert "\x1b[2J" not in shown
        assert capsys.readouterr().out == "result\n"
