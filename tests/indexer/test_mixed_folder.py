"""A folder of every kind of file, honest and hostile, loaded and loaded again."""

import csv
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.hashes import HashType, MediaType
from firstseen.hashing import file
from firstseen.hashing.item_limits import BANK_HASHES
from indexer.__main__ import main
from indexer.exit_codes import ExitCode
from indexer.feeds import hash_pool, hash_worker
from indexer.feeds.hash_pool import MAX_VIDEO_MS, HashPool, limit_ms
from indexer.feeds.hash_worker import WorkerOptions
from indexer.feeds.worker_environment import one_thread
from tests.client import documents
from tests.client.clips import PHOTOS, motion_photo, write_clip, write_pan
from tests.indexer.stores import listed

Load = Callable[..., dict[str, Any]]
OF_PICTURES = {HashType.PDQ, HashType.PDQ_TILE, HashType.SHA256, HashType.MD5}
OF_VIDEOS = OF_PICTURES | {HashType.VIDEOHASH}


@pytest.fixture
def load(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Load:
    """Loads a folder into the bank, and gives the result."""

    def run(folder: Path, *options: str, code: int = 0) -> dict[str, Any]:
        words = ["load", str(folder), "--bank", "REMOVED", "--store", str(store), "--json"]
        words += ["--rejects", str(tmp_path / "rejects.csv")]
        capsys.readouterr()
        assert main([*words, *options]) == code
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return run


def fill(folder: Path) -> None:
    """One file of every kind: five items in four files."""
    folder.mkdir()
    write_pan(folder / "b.mp4", seconds=4)
    clip = write_pan(folder.parent / "clip.mp4", seconds=3, first=6)
    (folder / "a.jpg").write_bytes(PHOTOS[0].read_bytes())
    (folder / "c.docx").write_bytes(documents.docx_(documents.paragraphs(3)))
    (folder / "d-motion.jpg").write_bytes(motion_photo(clip.read_bytes()))


def reasons(tmp_path: Path) -> dict[str, str]:
    """Why each file was rejected."""
    with (tmp_path / "rejects.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {row["place"]: row["reason"] for row in rows if row["outcome"] == "rejected"}


def test_every_kind_is_listed_and_loading_twice_changes_nothing(
    load: Load, store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    fill(folder)
    found = load(folder, "--jobs", "2")
    assert [found[name] for name in ("read", "added_items", "rejected")] == [5, 5, 0]
    items = [item for item, _ in listed(store)]
    image, video, document = MediaType.IMAGE, MediaType.VIDEO, MediaType.DOCUMENT
    assert [item.media_type for item in items] == [image, video, document, image, video]
    kinds = [{hash_.type for hash_ in item.hashes} for item in items]
    assert kinds[0] == kinds[3] == OF_PICTURES
    assert kinds[1] == kinds[4] == OF_VIDEOS
    assert {HashType.TEXT_SHA256, HashType.SIMHASH, HashType.MINHASH} < kinds[2]
    # The clip behind the photo is listed as if it were a file of its own.
    assert items[4].hashes[-2].value == sha256((tmp_path / "clip.mp4").read_bytes()).digest()
    offsets = {h.frame_offset_ms for h in items[1].hashes if h.type is HashType.PDQ}
    assert offsets == set(range(0, 4_000, 500))
    [whole] = [h for h in items[1].hashes if h.type is HashType.VIDEOHASH]
    assert whole.frame_offset_ms == 4_000
    again = load(folder)
    assert [again[name] for name in ("added_items", "added_hashes", "duplicates")] == [0, 0, 5]


def test_profile_says_how_many_forms_are_listed(load: Load, store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(PHOTOS[0].read_bytes())
    counts = []
    for profile in ("lean", "standard", "wide"):
        load(folder, "--profile", profile)
        item, _ = listed(store)[-1]
        counts.append(Counter(hash_.type for hash_ in item.hashes))
    of_pdq = [count[HashType.PDQ] for count in counts]
    assert of_pdq == sorted(set(of_pdq))
    assert [count[HashType.PDQ_TILE] > 0 for count in counts] == [False, True, True]


def bombs(folder: Path) -> dict[str, str]:
    """Files that are small and want much; what is said of each."""
    Image.new("RGBA", (9_000, 9_000)).save(folder / "picture.png")  # 309 MiB
    write_clip(folder / "video.mov", [Image.new("RGB", (9_000, 5_000))], 1, "mjpeg")
    parts = documents.unpacked(documents.docx_(documents.paragraphs(1)))
    packed = documents.archive(parts | {"word/media/a.bin": bytes(64 << 20)})
    (folder / "document.docx").write_bytes(packed)
    (folder / "book.txt").write_bytes(b"letter " * (30 << 20))  # 210 MiB, and again decoded
    return {
        "picture.png": "needs over 256 MiB of memory",
        "video.mov": "no frame that can be decoded of at most 35,651,584 pixels",
        "document.docx": "unpacks to over 200 times its size",
        "book.txt": "needs over 256 MiB of memory",
    }


def test_bomb_of_each_kind_is_rejected_and_costs_nothing_else(load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    fill(folder)
    told = bombs(folder)
    found = load(folder, "--memory-mib", "256", "--jobs", "1", code=ExitCode.REJECTS)
    said = reasons(tmp_path)
    assert said.keys() == told.keys()
    for name, reason in told.items():
        assert said[name].startswith(reason), name
    assert (found["added_items"], found["rejected"]) == (5, len(told))


def killing(connection: Connection, options: WorkerOptions) -> None:
    """Hashes as the real process does, but dies or hangs at files of these names."""

    def stream_items(stream: Any, *arguments: Any) -> Any:
        name = Path(f"/proc/self/fd/{stream.fileno()}").readlink().name
        if name.startswith("killer"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if name.startswith("hanger"):
            signal.pause()
        return file.stream_items(stream, *arguments)

    vars(hash_worker)["stream_items"] = stream_items
    hash_worker.serve(connection, options)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="goes by the names of open files")
def test_file_that_kills_or_hangs_its_process_costs_only_itself(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mixed"
    fill(folder)
    heads = {"jpg": b"\xff\xd8\xff", "mp4": b"\0\0\0\x20ftypisom", "pdf": b"%PDF-"}
    for kind, data in heads.items():
        (folder / f"killer.{kind}").write_bytes(data)
        (folder / f"hanger.{kind}").write_bytes(data)
    monkeypatch.setattr(HashPool.__init__, "__defaults__", (None, None, killing))
    found = load(folder, "--timeout-s", "10", "--jobs", "3", code=ExitCode.REJECTS)
    assert (found["added_items"], found["rejected"]) == (5, 6)
    for name, reason in reasons(tmp_path).items():
        wanted = "took over 10 s" if name.startswith("hanger") else "ended the process that read it"
        assert reason.startswith(wanted)


def test_video_may_take_longer_by_its_size(tmp_path: Path) -> None:
    head = b"\0\0\0\x20ftypisom"
    limits = {}
    for name, start, size in (
        ("small.mp4", head, 100),
        ("large.mp4", head, 10 << 20),
        ("film.mp4", head, 4 << 30),
        ("moving.gif", b"GIF89a", 1 << 20),
        ("large.pdf", b"%PDF-", 10 << 20),
        ("large.jpg", b"\xff\xd8\xff", 10 << 20),
    ):
        with (tmp_path / name).open("wb") as stream:
            stream.write(start)
            stream.truncate(size)  # a hole, which takes no space
        limits[name] = limit_ms(tmp_path / name, 60_000)
    assert limits == {
        "small.mp4": 60_000,
        "large.mp4": 160_000,
        "film.mp4": MAX_VIDEO_MS,
        "moving.gif": 70_000,
        "large.pdf": 60_000,
        "large.jpg": 60_000,
    }
    os.mkfifo(tmp_path / "pipe")
    assert limit_ms(tmp_path / "pipe", 60_000) == 60_000
    assert limit_ms(tmp_path / "gone", 60_000) == 60_000
    assert limit_ms(tmp_path / "film.mp4", 2 * MAX_VIDEO_MS) == 2 * MAX_VIDEO_MS


def test_processes_compute_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with one_thread():
        assert (os.environ["OPENBLAS_NUM_THREADS"], os.environ["OMP_NUM_THREADS"]) == ("1", "1")
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert "OMP_NUM_THREADS" not in os.environ


def test_longest_answer_fits() -> None:
    hash_ = [4, "0" * 64, 100, 14_400_000, None]
    answer = {"items": [{"media_type": 2, "hashes": [hash_] * BANK_HASHES}]}
    assert len(json.dumps(answer)) * 2 <= hash_pool.MAX_ANSWER_BYTES
