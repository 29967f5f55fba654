"""Files that are hashed here: which of a folder are, single ones, and taking them out again."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from engine.hashes import MediaType
from firstseen.hashing.file import bank_files
from indexer.__main__ import main
from indexer.exit_codes import ExitCode
from indexer.feeds import hash_worker
from indexer.feeds.opening import Format, is_media_source
from indexer.feeds.selection import Selection
from tests.client import documents
from tests.client.clips import PHOTOS, motion_photo, write_pan
from tests.indexer.stores import VPDQ_LINE, Command, listed, pdq_lines, value

NDJSON_LINE = json.dumps({"type": "pdq", "value": value(1).hex()}) + "\n"
MATERIAL = ["a.jpg", "deep/readme.pdf", "deep/speech.txt", "letter.md", "numbers.csv", "page.html"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Material, and what lies beside it."""
    made = tmp_path / "material"
    (made / "deep").mkdir(parents=True)
    (made / ".hidden").mkdir()
    shutil.copy(PHOTOS[0], made / "a.jpg")
    shutil.copy(PHOTOS[1], made / ".hidden" / "b.jpg")
    (made / "deep" / "readme.pdf").write_bytes(b"%PDF-")
    text = "\n".join(documents.paragraphs(4))
    for name in (
        "letter.md",
        "README.md",
        "LICENSE",
        "Licence-MIT.txt",
        "deep/speech.txt",
        ".note",
    ):
        (made / name).write_text(f"{name}\n{text}")
    (made / "page.html").write_text(f"<html><body>{text}</body></html>")
    (made / "numbers.csv").write_text("name,value\nOne,1\n")
    (made / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (made / "hashes.csv").write_text(f"pdq,quality\n{value(1).hex()},100\n")
    (made / "of-others.csv").write_text(f"FilePath,Hash\na.jpg,{value(1).hex()}\n")
    (made / "list.txt").write_text(pdq_lines(2))
    (made / "list.ndjson").write_text(NDJSON_LINE)
    (made / "clip.vpdq.txt").write_text(VPDQ_LINE)
    (made / "report.csv").write_text("place,outcome,reason\na.jpg,rejected,empty file\n")
    return made


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def names(folder: Path, selection: Selection) -> tuple[list[str], dict[str, str]]:
    """The files to hash, and those passed over."""
    chosen = selection.split(folder, files(folder))
    passed = {str(place): why for place, why in chosen.passed_over}
    passed |= {str(path.relative_to(folder)): "vPDQ" for path in chosen.vpdq_lists}
    return [str(path.relative_to(folder)) for path in chosen.wanted], passed


def test_what_lies_beside_material_is_passed_over_and_named(folder: Path) -> None:
    wanted, passed = names(folder, Selection())
    assert wanted == MATERIAL
    a_list = "a list of hashes: name it by itself"
    about = "a text about the folder: name it by itself, if it is material"
    assert passed == {
        ".hidden/b.jpg": "hidden",
        ".note": "hidden",
        "LICENSE": about,
        "Licence-MIT.txt": about,
        "README.md": about,
        "Thumbs.db": "of a file manager",
        **dict.fromkeys(["hashes.csv", "of-others.csv", "list.ndjson", "list.txt"], a_list),
        "clip.vpdq.txt": "vPDQ",
        "report.csv": a_list,
    }


def test_everything_is_everything_but_the_indexers_own(folder: Path) -> None:
    own = (folder / ".hidden", folder / "report.csv")
    wanted, passed = names(folder, Selection(everything=True, own=own))
    assert passed == dict.fromkeys([".hidden/b.jpg", "report.csv"], "of the indexer itself")
    assert len(wanted) == len(files(folder)) - 2


def test_files_are_chosen_by_type_and_by_pattern(folder: Path) -> None:
    wanted, passed = names(folder, Selection(frozenset({MediaType.DOCUMENT})))
    assert (wanted, passed["a.jpg"]) == (MATERIAL[1:], "a picture")
    wanted, passed = names(folder, Selection(exclude=("*.txt", "deep/*")))
    assert wanted == ["a.jpg", "letter.md", "numbers.csv", "page.html"]
    assert passed["deep/readme.pdf"] == passed["deep/speech.txt"] == "excluded"


def test_only_videos_finds_those_in_pictures_too(
    command: Command, store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    clip = write_pan(tmp_path / "clip.mp4", seconds=3)
    (folder / "motion.jpg").write_bytes(motion_photo(clip.read_bytes()))
    shutil.copy(PHOTOS[0], folder / "still.jpg")
    frames = [Image.open(photo).resize((128, 128)) for photo in PHOTOS[:3]]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:], duration=900)
    (folder / "letter.txt").write_text("A letter of a few words.")
    found, said = command("load", folder, "--only", "video")
    assert found["added_by_media_type"] == {"image": 0, "video": 2, "document": 0}
    assert found["passed_over"] == 3  # the letter, the still, and the picture before the clip
    assert {item.media_type for item, _ in listed(store)} == {MediaType.VIDEO}
    assert "passed over: letter.txt (a document), motion.jpg (a picture), still.jpg" in said


def test_load_tells_each_kind_and_what_it_passed_over(
    command: Command, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], store: Path
) -> None:
    (folder / "deep" / "readme.pdf").unlink()
    rejects = tmp_path / "rejects.csv"
    found, _ = command("load", folder, "--rejects", rejects, "--dry-run")
    assert found["added_by_media_type"] == {"image": 1, "video": 0, "document": 4}
    words = ["load", str(folder), "--bank", "REMOVED", "--store", str(store)]
    assert main([*words, "--rejects", str(rejects)]) == 0
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["loaded:", "bank", "REMOVED"]
    for row in (["added", "5"], ["pictures", "1"], ["documents", "4"]):
        assert row in rows
    assert ["files", "passed", "over", str(found["passed_over"])] in rows
    assert not any(row[0] == "videos" for row in rows)
    assert 'README.md,passed over,"a text about the folder: ' in rejects.read_text()
    assert "hashed as documents, 3 plain texts: deep/speech.txt, letter.md, numbers.csv\n" in err
    assert "and 9 more\n" in err
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(
        "nothing added, all is listed already: bank REMOVED\n"
    )
    (tmp_path / "none").mkdir()
    assert main([*words[:1], str(tmp_path / "none"), *words[2:]]) == ExitCode.REJECTS
    assert capsys.readouterr().out.startswith("nothing added: bank REMOVED\n")


def test_store_inside_the_folder_is_passed_over(command: Command, store: Path) -> None:
    shutil.copy(PHOTOS[0], store.parent / "a.jpg")
    found, _ = command("load", store.parent)
    assert (found["added_items"], found["rejected"]) == (1, 0)


def test_single_file_is_hashed_unless_it_is_a_list(
    command: Command, folder: Path, store: Path, tmp_path: Path
) -> None:
    found, _ = command("load", folder / ".hidden" / "b.jpg")
    assert (found["added_items"], found["passed_over"]) == (1, 0)
    found, said = command("load", folder / "deep" / "readme.pdf", code=ExitCode.REJECTS)
    assert said.startswith("readme.pdf: rejected: ")
    assert command("load", folder / "list.txt")[0]["added_items"] == 2
    odd = tmp_path / "list.gz"
    odd.write_bytes(b"\x1f\x8b\x08\0\0\0")
    _, said = command("load", odd, code=ExitCode.REJECTS)
    assert said == "list.gz: rejected: no picture, video or document of a known format\n"
    wide = tmp_path / "list16.txt"
    wide.write_text(pdq_lines(3), encoding="utf-16")
    _, said = command("load", wide, code=ExitCode.USAGE)
    assert said == f"indexer: {wide}: no text in UTF-8, so no list of hashes\n"
    assert len(listed(store)) == 3


def test_text_that_is_no_list_says_what_one_is(command: Command, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("one\ntwo\n")
    _, said = command("load", words, code=ExitCode.REJECTS)
    assert said.endswith(
        "none of it is a hash: a list is told in docs/formats.md; "
        "--format document hashes it as a document\n"
    )
    _, said = command("load", words, "--format", "document")
    assert said == "hashed as a document, 1 plain text: words.txt\n"


@pytest.mark.parametrize("name", ["letter.md", "README.md"])
def test_text_that_is_named_itself_is_material(
    name: str, command: Command, folder: Path, store: Path
) -> None:
    found, said = command("load", folder / name)
    assert (found["added_items"], said) == (1, f"hashed as a document, 1 plain text: {name}\n")
    [(item, _)] = listed(store)
    assert item.media_type is MediaType.DOCUMENT
    assert command("withdraw", folder / name)[0]["removed_items"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "# the list of a partner, as of today\n" + "f" * 40 + "\n",  # SHA-1, which is not known
        "md5 zz\n",
        "pdq a hash of it\n" + "0123456789abcdef" * 4 + "\n",
        "{broken json of a few words\n",
        "value,a b c d e,quality\n",
    ],
)
def test_list_with_mistakes_is_no_document(text: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(text)
    assert not is_media_source(path, Format.AUTO)


@pytest.mark.parametrize(
    ("name", "is_about"),
    [
        ("README", True),
        ("readme.txt", True),
        ("SOURCES.md", True),
        ("COPYING.LESSER", True),
        ("LICENSE-MIT", True),
        ("Notice.rst", True),
        ("notice-x.txt", False),
        ("readme_first_or_die.txt", False),
        ("license-of-attack.txt", False),
        ("sources of it.txt", False),
        ("README.de.txt", False),
    ],
)
def test_only_texts_of_well_known_names_are_about_a_folder(
    name: str, is_about: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("A text of a few words.")
    chosen = Selection().split(tmp_path, files(tmp_path))
    assert bool(chosen.passed_over) is is_about
    assert bool(chosen.texts) is not is_about


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("x"), "a fault of the program: KeyError"),
        (OSError(), "not readable: damaged, or of a kind that its decoder does not know"),
    ],
)
def test_reason_is_in_words_whatever_a_decoder_raises(
    error: Exception, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(hash_worker, "stream_items", fail)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    answer = hash_worker._answer(path, bank_files(), 100)
    assert answer == {"reason": reason}
