"""Several things loaded by one command, and folders of lists."""

import json
import shutil
from pathlib import Path

from engine.lmdb_store import LmdbReader
from indexer.exit_codes import ExitCode
from tests.client.clips import PHOTOS
from tests.indexer.stores import VPDQ_LINE, Command, pdq_lines, value


def test_several_sources_are_one_load(command: Command, store: Path, tmp_path: Path) -> None:
    pictures, lists, none = tmp_path / "pictures", tmp_path / "lists", tmp_path / "none"
    for made in (pictures, lists, none):
        made.mkdir()
    shutil.copy(PHOTOS[0], pictures / "a.jpg")
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    single = tmp_path / "single.jpg"
    shutil.copy(PHOTOS[1], single)
    (lists / "a.txt").write_text(pdq_lines(2) + "bad\n")
    (lists / "b.csv").write_text("a,b\n1,2\n")
    rejects = tmp_path / "rejects.csv"
    sources = (single, lists / "a.txt", pictures, lists / "b.csv", none)
    words = ("load", *sources, "--rejects", rejects)
    found, _ = command(*words, code=ExitCode.REJECTS)
    assert (found["added_items"], found["rejected"], found["read"]) == (4, 4, 8)
    places = [line.split(",")[0] for line in rejects.read_text().splitlines()[1:]]
    assert places == [
        f"{lists}/a.txt: line 3",
        f"{lists}/b.csv",
        str(none),
        f"{pictures}/broken.jpg",
    ]
    again, _ = command(*words, code=ExitCode.REJECTS)
    assert (again["added_items"], again["duplicates"]) == (0, 4)
    with LmdbReader(store) as reader:
        reasons = {record.reason for record in reader.iter_log()}
    assert reasons == {"REMOVED", "load single.jpg and 4 more"}
    _, said = command("load", single, tmp_path / "gone", code=ExitCode.USAGE)
    assert said == f"indexer: {tmp_path / 'gone'}: no such file or folder\n"


def test_folder_of_vpdq_lists_is_loaded(command: Command, store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.vpdq.txt").write_text(
            VPDQ_LINE.replace("0,100", f"{number},9{number}")
        )
    (folder / "2.vpdq.txt").write_text(f"0,90,{value(7).hex()},0.000\nbad\n")
    (folder / "3.json").write_text(json.dumps([f"{value(8).hex()},90,0.0"]))
    rejects = tmp_path / "rejects.csv"
    words = ("load", folder, "--rejects", rejects)
    found, _ = command(*words, code=ExitCode.REJECTS)
    assert found["added_by_media_type"] == {"image": 0, "video": 4, "document": 0}
    assert "2.vpdq.txt: line 2,rejected," in rejects.read_text()
    assert command(*words, code=ExitCode.REJECTS)[0]["duplicates"] == 4
    # Beside material they are of the videos there, and are asked for by name or by format.
    shutil.copy(PHOTOS[0], folder / "a.jpg")
    found, said = command("load", folder)
    assert (found["added_by_media_type"]["image"], found["passed_over"]) == (1, 4)
    assert "0.vpdq.txt (a list of hashes" in said
    found, said = command("load", folder, "--format", "vpdq", code=ExitCode.REJECTS)
    assert (found["duplicates"], found["passed_over"]) == (4, 1)
    assert "a.jpg (no list of vPDQ)" in said
    found, said = command("load", folder, "--only", "image")
    assert (found["duplicates"], found["passed_over"]) == (1, 4)
    _, said = command("withdraw", folder, "--exclude", "*.jpg", code=ExitCode.REJECTS)
    assert "nothing to hash: all of its 5 files are passed over" in said
