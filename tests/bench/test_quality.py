"""The quality bench: its edits are what they say, its rules decide as written, its runs add up."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import plot, report
from bench.__main__ import main
from bench.image_edits import IMAGE_EDITS, NOT_IN_MEAN, Edit
from bench.quality_match import EngineRule
from bench.quality_media import sources
from bench.quality_peer_match import PlainRule, VideohashRule, VpdqRule, tlsh_distance
from bench.run_file import Run
from bench.video_edits import VIDEO_EDITS, Clip, VideoEdit, read_clip, slideshow
from bench.workload import hashes
from firstseen.items import Hash, HashType, HashValue, Item, MediaType

SEED = 20_26
VALUES = [HashValue(row.tobytes()) for row in hashes(64, SEED)]


def picture(width: int = 160, height: int = 120, seed: int = SEED) -> Image.Image:
    """Coarse noise, enlarged: every edit has something to change."""
    levels = np.random.default_rng(seed).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return Image.fromarray(levels).resize((width, height), Image.Resampling.BICUBIC)


def clip() -> Clip:
    """Eight seconds, small."""
    whole = slideshow([picture(), picture(seed=1)], SEED)
    return whole.each(lambda shown: shown.reduce(5))


def at(distance_bits: int, value: HashValue) -> HashValue:
    """A value so many bits away."""
    bits = np.unpackbits(np.frombuffer(value, np.uint8))
    bits[:distance_bits] ^= 1
    return HashValue(np.packbits(bits).tobytes())


def image(*values: HashValue, tiles: tuple[HashValue, ...] = (), quality: int = 100) -> Item:
    whole = [Hash(HashType.PDQ, value, quality) for value in values]
    parts = [Hash(HashType.PDQ_TILE, value, quality) for value in tiles]
    return Item(MediaType.IMAGE, (*whole, *parts))


def video(*values: HashValue) -> Item:
    """A clip with a frame a second."""
    frames = (Hash(HashType.PDQ, value, 100, second * 1_000) for second, value in enumerate(values))
    return Item(MediaType.VIDEO, tuple(frames))


# ---------------------------------------------------------------- edits


def test_edits_are_72_and_21_each_named_once() -> None:
    assert len({edit.name for edit in IMAGE_EDITS}) == len(IMAGE_EDITS) == 72
    assert len({edit.name for edit in VIDEO_EDITS}) == len(VIDEO_EDITS) == 21
    assert {edit.name for edit in IMAGE_EDITS} >= NOT_IN_MEAN


@pytest.mark.parametrize("edit", IMAGE_EDITS, ids=lambda edit: edit.name)
def test_picture_edit_is_the_same_every_time_and_a_picture(edit: Edit) -> None:
    one, other = (edit.file(picture(), SEED) for _ in range(2))
    assert one == other
    with Image.open(io.BytesIO(one)) as made:
        made.load()
        assert made.mode == "RGB"
        assert min(made.size) >= 5
        assert edit.name == "identity" or np.asarray(made).tobytes() != picture().tobytes()


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resize 50%", (80, 60)),
        ("stretch 1.25x", (200, 120)),
        ("border 10% white all", (192, 144)),
        ("letterbox 10% black t/b", (160, 144)),
        ("square pad (black)", (160, 160)),
        ("caption band above 15%", (160, 138)),
        ("crop 10% total (5/side)", (144, 108)),
        ("crop bottom 20%", (160, 96)),
        ("crop corner 10%+10%", (144, 108)),
        ("square centre crop", (120, 120)),
        ("rot 90", (120, 160)),
        ("half side-by-side (a/grey)", (320, 120)),
    ],
)
def test_picture_edit_gives_the_size_it_says(name: str, size: tuple[int, int]) -> None:
    edit = next(edit for edit in IMAGE_EDITS if edit.name == name)
    with Image.open(io.BytesIO(edit.file(picture(), SEED))) as made:
        assert made.size == size


def test_small_rotation_without_corners_shows_none() -> None:
    white = Image.new("RGB", (300, 200), "white")
    edit = next(edit for edit in IMAGE_EDITS if edit.name == "rot 5 crop")
    with Image.open(io.BytesIO(edit.file(white, SEED))) as made:
        assert np.asarray(made).min() >= 250
        assert made.width / made.height == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize("edit", VIDEO_EDITS, ids=lambda edit: edit.name)
def test_video_edit_is_the_same_every_time(edit: VideoEdit) -> None:
    original = clip().part(0.4, 0.6)
    one, other = (edit.made(original, SEED) for _ in range(2))
    assert [p.tobytes() for p in one.pictures] == [p.tobytes() for p in other.pictures]
    assert len({p.size for p in one.pictures}) == 1
    assert one != original


def test_video_edits_of_time_keep_what_they_say() -> None:
    original = clip()
    names = "fps 12", "trim first 1 s", "intro of 4 s", "middle 40% only", "speed 1.25x", "mirror"
    made = {edit.name: edit.made(original, SEED) for edit in VIDEO_EDITS if edit.name in names}
    seconds = {name: len(clip.pictures) / clip.fps for name, clip in made.items()}
    assert seconds["fps 12"] == seconds["mirror"] == 8
    assert seconds["trim first 1 s"] == 7
    assert seconds["intro of 4 s"] == 12
    assert seconds["middle 40% only"] == pytest.approx(3.2, abs=0.05)
    assert seconds["speed 1.25x"] == pytest.approx(6.4, abs=0.05)


def test_clip_is_read_as_it_was_written(tmp_path: Path) -> None:
    original = clip().part(0, 0.1)
    original.write(tmp_path / "clip.mp4")
    found = read_clip(tmp_path / "clip.mp4")
    assert (len(found.pictures), found.fps) == (len(original.pictures), original.fps)
    both = [np.asarray(c.pictures[5], np.float64) for c in (original, found)]
    assert np.abs(both[0] - both[1]).mean() < 6


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("distance_bits", "match", "near"),
    [(0, {0}, set()), (31, {0}, set()), (32, set(), {0}), (44, set(), {0}), (45, set(), set())],
)
def test_picture_matches_up_to_31_bits_and_is_near_up_to_44(
    distance_bits: int, match: set[int], near: set[int]
) -> None:
    rule = EngineRule([image(VALUES[0], VALUES[1]), image(VALUES[2])])
    found = rule.find(image(VALUES[9], at(distance_bits, VALUES[1])))
    assert (set(found.match), set(found.near)) == (match, near)


def test_picture_matches_by_two_tiles_and_is_near_by_one() -> None:
    tiles = tuple(VALUES[10:14])
    rule = EngineRule([image(VALUES[0], tiles=tiles)])
    assert rule.find(image(VALUES[1], tiles=tiles[:2])).match == {0}
    one = rule.find(image(VALUES[1], tiles=(tiles[0], VALUES[20])))
    assert not one.match
    assert one.near == {0}
    # One listed tile that two of the query's are alike is one tile.
    assert rule.find(image(VALUES[1], tiles=(tiles[0], at(2, tiles[0])))).match == frozenset()


def test_plain_rule_leaves_out_hashes_of_little_quality_when_told() -> None:
    bank, query = [image(VALUES[0])], image(VALUES[0], quality=49)
    assert PlainRule(bank).find(query).match == {0}
    assert PlainRule(bank, min_quality=50).find(query).match == frozenset()


def test_video_matches_by_30_percent_of_either_side() -> None:
    rule = EngineRule([video(*VALUES[:20])])
    assert rule.find(video(*VALUES[:2])).match == {0}  # all of the query's
    assert rule.find(video(*VALUES[:6], *VALUES[30:60])).match == {0}  # 6 of the bank's 20
    few = rule.find(video(*VALUES[:5], *VALUES[30:60]))
    assert not few.match
    assert few.near == {0}
    one = rule.find(video(VALUES[0], VALUES[30]))
    assert (one.match, one.near) == (frozenset(), frozenset({0}))


def test_vpdq_wants_80_percent_of_the_query() -> None:
    rule = VpdqRule([video(*VALUES[:20])])
    assert rule.find(video(*VALUES[:8], *VALUES[30:32])).match == {0}
    assert rule.find(video(*VALUES[:7], *VALUES[30:33])).match == frozenset()


def test_videohash_matches_up_to_10_bits() -> None:
    def item(number: int) -> Item:
        value = HashValue(number.to_bytes(8))
        return Item(MediaType.VIDEO, (Hash(HashType.VIDEOHASH, value),))

    rule = VideohashRule([item(0), video(VALUES[0])])
    assert rule.find(item(2**10 - 1)).match == {0}
    assert rule.find(item(2**11 - 1)).match == frozenset()
    assert rule.find(video(VALUES[0])).match == frozenset()


def test_document_matches_by_half_of_its_chunks_and_is_near_by_a_fifth() -> None:
    def item(*values: HashValue) -> Item:
        return Item(MediaType.DOCUMENT, tuple(Hash(HashType.MINHASH, value) for value in values))

    rule = EngineRule([item(*VALUES[:20])], {HashType.MINHASH})
    assert rule.find(item(*(at(48, v) for v in VALUES[:10]), *VALUES[30:60])).match == {0}
    assert rule.find(item(*(at(49, v) for v in VALUES[:10]))).match == frozenset()
    some = rule.find(item(*VALUES[:4], *VALUES[30:60]))
    assert not some.match
    assert some.near == {0}
    assert EngineRule([item(*VALUES[:20])], {HashType.SIMHASH}).find(item(*VALUES)).match == set()


def test_bank_lists_no_hash_of_little_quality() -> None:
    rule = EngineRule([image(VALUES[0], quality=49), image(VALUES[1])])
    assert rule.find(image(VALUES[0])).match == frozenset()
    assert rule.find(image(VALUES[1], quality=0)).match == {1}


def test_tlsh_distance_counts_header_and_body() -> None:
    one = bytes(35)
    assert tlsh_distance(one, one) == 0
    assert tlsh_distance(one, b"\x07" + one[1:]) == 1  # checksum
    assert tlsh_distance(one, b"\0\x20" + one[2:]) == 0  # length
    assert tlsh_distance(one, b"\0\0\x31" + one[3:]) == 1 + 24  # ratios: one step, three
    assert tlsh_distance(one, one[:3] + b"\xe4" + one[4:]) == 0 + 1 + 2 + 6  # buckets 0 to 3


# ---------------------------------------------------------------- runs


def small_photos(photos: tuple[Path, ...], folder: Path, count: int) -> Path:
    folder.mkdir()
    for path in photos[:count]:
        with Image.open(path) as photo:
            photo.thumbnail((256, 256))
            photo.save(folder / path.name)
    return folder


def test_folder_without_clips_gives_clips_of_three_photographs(
    photos: tuple[Path, ...], tmp_path: Path
) -> None:
    folder = small_photos(photos, tmp_path / "photos", 7)
    assert [len(paths) for paths in sources("videos", [folder])] == [3, 3]
    with pytest.raises(ValueError, match="no such folder"):
        sources("images", [folder, folder / "none"])


def test_corpus_is_of_all_folders_given(photos: tuple[Path, ...], tmp_path: Path) -> None:
    folder = small_photos(photos, tmp_path / "photos", 3)
    clips = tmp_path / "clips"
    (clips / "more").mkdir(parents=True)
    small_photos(photos, clips / "stills", 3)  # beside clips, photographs are none
    for name in ("b.mp4", "a.MOV", "more/c.webm"):
        (clips / name).touch()
    found = [[path.name for path in paths] for paths in sources("videos", [clips, folder])]
    assert found[:3] == [["a.MOV"], ["b.mp4"], ["c.webm"]]
    assert [len(paths) for paths in found[3:]] == [3]
    assert len(sources("videos", [clips, folder], limit=2)) == 2


def test_clips_that_show_the_same_are_no_false_pair(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    small = clip().part(0, 0.5)
    for name in ("one-a.mp4", "one-b.mp4", "other.mp4"):
        small.write(folder / name)
    words = ["quality", "videos", str(folder), "--profiles", "lean", "--unrelated", "10"]
    words += ["--edits", "mirror", "--jobs", "1", "--out", str(tmp_path / "run.json")]
    assert main([*words, "--same", "one-*", "nothing*"]) == 0
    (row,) = Run.read(tmp_path / "run.json").rows
    assert (row["edit"], row["recall_percent"]["lean"]) == ("mirror", 100)
    # Each of the three finds all three; of the six pairs, two are of one thing.
    assert row["false_pairs"]["lean"] == 4


def test_unknown_edit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["quality", "videos", str(tmp_path), "--edits", "mirror", "mirrored"]
    assert main(words) != 0
    assert "no such edit: mirrored; there are: reenc crf38," in capsys.readouterr().err


def test_quality_of_pictures_is_measured_shown_and_drawn(
    photos: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_photos(photos, tmp_path / "photos", 2)
    (folder / "broken.jpg").write_bytes(b"no picture")
    out = tmp_path / "run.json"
    words = ["quality", "images", str(folder), "--unrelated", "50", "--jobs", "1", "--no-peer"]
    words += ["--profiles", "standard", "--out", str(out)]
    assert main(words) == 0

    run = Run.read(out)
    assert run.kind == "quality images"
    assert run.settings["originals"] == 2
    assert str(tmp_path) not in json.dumps([run.settings, run.rows])
    rows = {row["edit"]: row for row in run.rows}
    assert list(rows) == [edit.name for edit in IMAGE_EDITS]
    for row in run.rows:
        assert row["copies"] == 2
        recall = row["recall_percent"]
        assert set(recall.values()) <= {0, 50, 100}
        assert recall["standard"] <= recall["standard or near"]
    assert rows["identity"]["recall_percent"]["PDQ"] == 100
    assert rows["flip h"]["recall_percent"]["PDQ"] == 0
    assert rows["flip h"]["recall_percent"]["standard"] == 100
    shown = capsys.readouterr()
    assert report.table(run) in shown.out
    assert "mean of 68 edits" in shown.out
    assert "broken.jpg" in shown.err
    (drawn,) = plot.draw([run], tmp_path / "img")
    assert drawn.name == "quality-images.svg"
    assert "flip h" in drawn.read_text(encoding="utf-8")


def test_quality_of_documents_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(SEED)
    for name in ("one.txt", "two.txt", "three.txt"):
        letters = random.integers(ord("a"), ord("z") + 1, (1_500, 6)).astype(np.uint8)
        words = (row.tobytes().decode() for row in letters)
        (tmp_path / name).write_text(" ".join(words), encoding="utf-8")
    (tmp_path / "short.txt").write_text("too short to be edited", encoding="utf-8")
    out = tmp_path / "run.json"
    words_ = ["quality", "documents", str(tmp_path), "--jobs", "1", "--no-peer", "--out", str(out)]
    assert main(words_) == 0

    run = Run.read(out)
    rows = {row["edit"]: row["recall_percent"] for row in run.rows}
    assert run.settings["originals"] == 3
    assert rows["reflow, case"] == dict.fromkeys(rows["reflow, case"], 100)
    assert rows["first half"]["chunks"] == rows["first half"]["Firstseen"] == 100
    assert all(sum(row["false_pairs"].values()) == 0 for row in run.rows)
    assert "short.txt" in capsys.readouterr().err


@pytest.mark.slow
def test_quality_of_videos_is_measured(photos: tuple[Path, ...], tmp_path: Path) -> None:
    folder = small_photos(photos, tmp_path / "photos", 6)
    out = tmp_path / "run.json"
    words = ["quality", "videos", str(folder), "--profiles", "standard", "--out", str(out)]
    assert main(words) == 0

    rows = {row["edit"]: row for row in Run.read(out).rows}
    assert list(rows) == [edit.name for edit in VIDEO_EDITS]
    assert rows["reenc crf38"]["recall_percent"]["standard"] == 100
    assert rows["mirror"]["recall_percent"]["standard"] == 100
    assert rows["mirror"]["recall_percent"]["vPDQ rule"] == 0
    assert sum(row["false_pairs"]["standard"] for row in rows.values()) == 0
