"""What a withdrawal takes out, and what it says of it."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from engine.hashes import HashType, MediaType
from engine.lmdb_store import LmdbReader
from engine.store import ChangeKind
from indexer.__main__ import main
from indexer.withdraw import same_items
from tests.client import documents
from tests.client.clips import PHOTOS, write_pan
from tests.indexer.stores import Command, listed, pdq_lines


def test_withdraw_takes_out_what_was_loaded_from_the_same_files(
    command: Command, store: Path, tmp_path: Path
) -> None:
    folder, other = tmp_path / "gone", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    clip = write_pan(folder / "clip.mp4", seconds=3)
    shutil.copy(PHOTOS[0], folder / "a.jpg")
    (folder / "letter.txt").write_text("\n".join(documents.paragraphs(4)))
    shutil.copy(PHOTOS[1], other / "b.jpg")
    with Image.open(PHOTOS[0]) as picture:
        picture.save(other / "c.png")  # the same pixels, another file
    # Shows the same frames, but is another video.
    (other / "d.mp4").write_bytes(clip.read_bytes() + b"\0\0\0\x08free")
    command("load", folder)
    command("load", other)
    assert len(listed(store)) == 6
    found, said = command("withdraw", folder / "a.jpg")
    assert (found["asked"], found["removed_items"], said) == (1, 2, "")
    found, said = command("withdraw", folder, "--dry-run")
    assert (found["removed_items"], found["not_listed"]) == (2, 1)
    assert "firstseen explain" in said
    assert command("withdraw", folder)[0]["removed_items"] == 2
    left = listed(store)
    assert [item.media_type for item, _ in left] == [MediaType.IMAGE, MediaType.VIDEO]


def test_picture_that_a_video_shows_takes_no_video_out(
    command: Command, store: Path, tmp_path: Path
) -> None:
    clip = write_pan(tmp_path / "clip.mp4", seconds=3)
    command("load", clip)
    [(item, _)] = listed(store)
    frame = next(hash_ for hash_ in item.hashes if hash_.type is HashType.PDQ)
    still = tmp_path / "frame.txt"
    still.write_text(frame.value.hex())
    command("load", still)
    with LmdbReader(store) as reader:
        [video, picture] = reader.iter_items()
        assert set(reader.find(HashType.PDQ, frame.value)) == {video.item_id, picture.item_id}
        assert set(same_items(reader, None, picture.item)) == {picture.item_id}


def test_withdraw_says_what_goes_and_the_log_why(
    command: Command, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = tmp_path / "list.txt"
    feed.write_text(pdq_lines(20))
    long = "C" * 60
    command("load", feed, "--reference", long, "--severity", "3", "--source", "partner")
    words = ["withdraw", str(feed), "--store", str(store)]
    found, _ = command("withdraw", feed, "--dry-run")
    assert found["items"][0] == {
        "item_id": 1,
        "bank": "REMOVED",
        "media_type": "image",
        "hashes": 1,
        "category": "",
        "severity": 3,
        "source": "partner",
        "reference": long,
    }
    assert len(found["items"]) == 20
    for more in (["--dry-run"], []):
        assert main([*words, *more]) == 0
        out = capsys.readouterr().out
        rows = [line.split() for line in out.splitlines()]
        assert ["item", "bank", "kind", "hashes", "labels"] in rows
        labels = f"severity 3, source partner, reference {'C' * 39}…"
        assert ["15", "REMOVED", "image", "1", *labels.split()] in rows
        assert "and 5 more\n" in out
        assert len(rows) <= 30
    command("load", feed)
    command("withdraw", "--item", 22, "--item", 21)
    command("withdraw", feed, "--reason", "case 12 reopened")
    with LmdbReader(store) as reader:
        said = [record.reason for record in reader.iter_log() if record.kind is ChangeKind.WITHDRAW]
    assert said == ["withdraw list.txt", "withdraw item 22, 21", "case 12 reopened"]


def test_withdrawal_by_what_is_no_list_names_the_file(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("a,b\n")
    _, said = command("withdraw", path, code=2)
    assert said == f"indexer: {path}: header: unknown column 'a'\n"
