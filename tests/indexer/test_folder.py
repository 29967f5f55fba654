"""Folders of pictures, videos and documents, and files that are none, that kill, or that hang."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.hashes import HashType
from indexer.__main__ import main
from indexer.exit_codes import ExitCode
from indexer.feeds.folder import list_folder, read_files
from indexer.feeds.hash_pool import HashPool
from indexer.feeds.reading import Defaults, FeedError
from tests.indexer import hostile_workers
from tests.indexer.stores import listed

TIMEOUT_MS = 60_000

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(store: Path, capsys: pytest.CaptureFixture[str]) -> Load:
    """Loads a folder into the bank and gives the result."""

    def run(folder: Path, *options: str, code: int = 0) -> dict[str, Any]:
        words = ["load", str(folder), "--bank", "REMOVED", "--store", str(store), "--json"]
        capsys.readouterr()
        assert main([*words, *options]) == code
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return run


def test_folder_is_loaded_in_order_with_exact_hashes(
    load: Load, store: Path, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    (folder / "deep" / "er").mkdir(parents=True)
    wanted = [folder / "a.jpg", folder / "deep" / "er" / "b.jpg", folder / "z.jpg"]
    for photo, path in zip(photos, wanted, strict=False):
        shutil.copy(photo, path)
    shutil.copy(photos[0], folder / "zz-again.jpg")
    found = load(folder, "--category", "A", "--jobs", "2")
    assert [found[name] for name in ("read", "added_items", "duplicates")] == [4, 3, 1]
    items = listed(store)
    assert [label.category for _, label in items] == ["A"] * 3
    for (item, _), path in zip(items, wanted, strict=True):
        values = {hash_.type: hash_.value for hash_ in item.hashes}
        assert set(values) == {HashType.PDQ, HashType.PDQ_TILE, HashType.SHA256, HashType.MD5}
        assert values[HashType.SHA256] == hashlib.sha256(path.read_bytes()).digest()
    assert load(folder)["added_items"] == 0


def test_broken_files_are_rejected_with_their_place(
    load: Load, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(photos[0], folder / "good.jpg")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_bytes(b"no picture\0")
    (folder / "cut.jpg").write_bytes(photos[1].read_bytes()[:200])
    (folder / "line\nbreak.jpg").touch()
    (folder / os.fsdecode(b"not-utf8-\xff.jpg")).touch()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "out.jpg").symlink_to(photos[2])
    (folder / "outside").symlink_to(photos[2].parent)
    (folder / "inside.jpg").symlink_to(folder / "good.jpg")
    (folder / "loop").symlink_to(folder)
    (folder / "itself.jpg").symlink_to(folder / "itself.jpg")
    rejects = tmp_path / "rejects.csv"
    found = load(folder, "--rejects", str(rejects), code=ExitCode.REJECTS)
    assert (found["added_items"], found["rejected"]) == (1, 9)
    text = rejects.read_text(encoding="utf-8")
    assert len(text.splitlines()) == 10
    for told in (
        "empty.jpg,rejected,",
        "cut.jpg,rejected,",
        "line\\nbreak.jpg,rejected,",
        "not-utf8-\\udcff.jpg,rejected,",
        "pipe.jpg,rejected,not readable: no regular file",
        "out.jpg,rejected,a link out of the folder",
        "outside,rejected,a link out of the folder",
        "itself.jpg,rejected,a link that leads nowhere",
    ):
        assert f"\n{told}" in text


def test_blank_picture_keeps_its_exact_hashes(load: Load, store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("L", (256, 256), 128).save(folder / "blank.png")
    found = load(folder)
    assert (found["added_hashes"], found["hashes_left_out"], found["rejected"]) == (2, 0, 0)
    assert {h.type for h in listed(store)[0][0].hashes} == {HashType.SHA256, HashType.MD5}


def test_folder_without_files_is_a_reject(load: Load, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    rejects = tmp_path / "rejects.csv"
    load(tmp_path / "none", "--rejects", str(rejects), code=ExitCode.REJECTS)
    assert rejects.read_text().endswith("none,rejected,an empty folder\n")


def test_picture_over_the_limit_is_rejected(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    with (folder / "large.jpg").open("wb") as stream:
        stream.write(b"\xff\xd8\xff")
        stream.truncate((256 << 20) + 1)  # a hole, which takes no space
    rejects = tmp_path / "rejects.csv"
    load(folder, "--rejects", str(rejects), code=ExitCode.REJECTS)
    assert "large.jpg,rejected," in rejects.read_text()
    assert '"over 268,435,456 bytes"' in rejects.read_text()


def answers(names: list[str], jobs: int, timeout_ms: int = TIMEOUT_MS) -> list[tuple[str, str]]:
    """What a pool of hostile processes answers."""
    with HashPool(jobs, timeout_ms, serve=hostile_workers.serve) as pool:
        found = pool.answers([Path(name) for name in names])
        return [(str(path), answer["reason"]) for path, answer in found]


@pytest.mark.parametrize("jobs", [1, 3])
def test_file_that_ends_its_process_costs_only_itself(jobs: int) -> None:
    names = ["a", "kill", "b", "exit", "pickle", "c", "flood", "deep", "last", "d", "kill2", "e"]
    found = dict(answers(names, jobs))
    assert list(found) == names
    assert all(found[name] == name for name in ("a", "b", "c", "d", "e", "last"))
    assert found["kill"] == found["kill2"] == "ended the process that read it (signal 11)"
    assert found["exit"] == "ended the process that read it (exit code 3)"
    assert found["pickle"] == "hashed to no hash"
    assert found["deep"] == "hashed to no hash"
    assert found["flood"].startswith("ended the process")


def test_file_that_hangs_is_given_up_and_order_is_kept() -> None:
    names = ["hang1", *(f"n{i}" for i in range(300)), "hang2", "z"]
    found = answers(names, 2, timeout_ms=2_000)
    assert [name for name, _ in found] == names
    assert [reason for _, reason in found if reason.startswith("took")] == ["took over 2 s"] * 2


def test_pool_that_cannot_start_says_so() -> None:
    with pytest.raises(FeedError, match="do not start"):
        HashPool(2, TIMEOUT_MS, serve=hostile_workers.refuse)


def test_nonsense_of_a_process_is_a_reject(tmp_path: Path) -> None:
    good: dict[str, Any] = {"media_type": 1, "hashes": [[1, "00" * 32, 50, None, None]]}
    odd: list[list[Any]] = [
        *([number, None, None] for number in (50.5, True, 10**30, "50", [50])),
        [50, 0.5, None],
        [50, True, None],
        [50, None, 1.5],
        [50, None, None, 1],
        [50],
    ]
    told: list[dict[str, Any]] = [
        {},
        {"items": 5},
        {"items": []},
        {"items": [good] * 3},
        {"items": [good, {"media_type": 9, "hashes": good["hashes"]}]},
        {"items": [{"media_type": 1, "hashes": []}]},
        {"items": [{"media_type": 1, "hashes": [[1, "00", 1, None, None]]}]},
        {"items": [{"media_type": 1, "hashes": [[1, "00" * 32, "x", None, None]]}]},
        {"items": [{"media_type": 1, "hashes": [[1, "00" * 32, 1, 1, 1]]}]},
        {"items": [{"media_type": 1, "hashes": [["x"]]}]},
        *({"items": [{"media_type": 1, "hashes": [[1, "00" * 32, *numbers]]}]} for numbers in odd),
        {"items": [{"media_type": 1, "hashes": 5}]},
        {"items": [{"media_type": 2, "hashes": good["hashes"] * 20_001}]},
    ]

    class Answering(HashPool):
        """A pool that has been taken over."""

        def __init__(self) -> None:
            self._workers = []

        def answers(self, paths: object) -> Any:
            return ((tmp_path / "a", answer) for answer in told)

    files = [("a", tmp_path / "a")] * len(told)
    found = list(read_files(files, Answering(), Defaults()))
    assert len(found) == len(told)
    for [(place, reason)] in found:
        assert place == "a"
        assert isinstance(reason, str)


def test_unreadable_folder_is_told(tmp_path: Path) -> None:
    files, refused = list_folder(tmp_path / "gone")
    assert files == []
    assert refused == [(".", "not readable: No such file or directory")]
