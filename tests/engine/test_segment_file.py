"""Folders of arrays: read back as written, and refused when a single bit is another."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engine import file_digest
from engine.errors import CorruptError, StoreFullError
from engine.segment_file import BUILDING_PREFIX, MANIFEST, read_folder, write_folder

ARRAYS = {
    "ids": np.arange(1_000, dtype=np.uint64),
    "values": np.random.default_rng(1).integers(0, 256, (500, 32), np.uint8),
    "empty": np.empty((0, 2), np.uint64),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "segments" / "one"
    write_folder(path, {"what": "test"}, ARRAYS)
    return path


def test_arrays_are_read_back_read_only(path: Path) -> None:
    manifest, arrays = read_folder(path)
    assert manifest == {"what": "test"}
    assert set(arrays) == set(ARRAYS)
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype
        assert np.array_equal(array, ARRAYS[name])
        assert not array.flags.writeable or not len(array)


def test_array_larger_than_a_block_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_digest, "_BLOCK_BYTES", 1_000)
    told: list[tuple[int, int]] = []
    write_folder(tmp_path / "s", {}, ARRAYS, lambda done, total: told.append((done, total)))
    assert np.array_equal(read_folder(tmp_path / "s")[1]["values"], ARRAYS["values"])
    assert told[-1] == (24_000, 24_000)


@pytest.mark.parametrize("name", [MANIFEST, "ids.npy", "values.npy", "empty.npy"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_one_other_bit_anywhere_is_damage(path: Path, name: str, share: float) -> None:
    content = bytearray((path / name).read_bytes())
    content[int(len(content) * share)] ^= 4
    (path / name).write_bytes(content)
    with pytest.raises(CorruptError, match="segment one"):
        read_folder(path)


@pytest.mark.parametrize("name", [MANIFEST, "ids.npy", "values.npy", "empty.npy"])
@pytest.mark.parametrize("change", ["gone", "empty", "short", "long", "folder"])
def test_file_of_another_size_is_damage(path: Path, name: str, change: str) -> None:
    file = path / name
    content = file.read_bytes()
    file.unlink()
    if change == "folder":
        file.mkdir()
    elif change != "gone":
        file.write_bytes({"empty": b"", "short": content[:-1], "long": content + b"\0"}[change])
    with pytest.raises(CorruptError):
        read_folder(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{}", '{"arrays": 3}', '{"manifest_sha256": "", "arrays": []}']
)
def test_manifest_that_is_none_is_damage(path: Path, text: str) -> None:
    (path / MANIFEST).write_text(text)
    with pytest.raises(CorruptError):
        read_folder(path)


def test_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_folder(tmp_path / "absent")


def test_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(*_: object) -> str:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        write_folder(tmp_path / "s", {}, ARRAYS, digest=fail)
    assert list(tmp_path.iterdir()) == []


def test_disk_without_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(StoreFullError, match="1 bytes free, want 24,000"):
        write_folder(tmp_path / "s", {}, ARRAYS)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_was_never_finished_is_not_found_under_its_name(tmp_path: Path) -> None:
    write_folder(tmp_path / "s", {}, ARRAYS)
    (tmp_path / "s").rename(tmp_path / f"{BUILDING_PREFIX}s-1")
    write_folder(tmp_path / "s", {"second": True}, ARRAYS)
    assert read_folder(tmp_path / "s")[0] == {"second": True}
    assert json.loads((tmp_path / "s" / MANIFEST).read_text())["second"]
