"""How many edited clips are found, on a small corpus: what the project promises of videos."""

from pathlib import Path

import pytest

from bench import quality_bench
from bench.quality_bench import Options

# A copy made by one of these is all of the original's pictures, or a run of them, or mirrored.
WHOLE = frozenset(
    {
        *("reenc crf38", "whatsapp 480w", "hevc crf32", "fps 12", "grayscale", "bright+contrast"),
        *("trim first 1 s", "trim first 0.5 s", "cut last 30%", "middle 40% only"),
        *("intro of 4 s", "speed 1.25x", "mirror"),
    }
)
CUT_OR_COVERED = frozenset(
    {"crop 5%", "crop 10%", "crop 20%", "letterbox to square", "logo", "caption bar"}
)
WHOLE_PERCENT = 95
CUT_PERCENT = 90
CLIPS = ("test-padded-dimensions.mp4", "pattern-sd-grey-bar.mp4")
PHOTOS = 12  # four clips of three


def linked(folder: Path, files: list[Path]) -> Path:
    """A folder that holds those files and no others."""
    folder.mkdir()
    for path in files:
        (folder / path.name).symlink_to(path.resolve())
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_copies_of_videos_are_found_and_no_others(shared_data: Path, tmp_path: Path) -> None:
    clips = linked(tmp_path / "clips", [shared_data / "video" / name for name in CLIPS])
    photos = sorted((shared_data / "photos").glob("*.jpg"))[:PHOTOS]
    folders = (clips, linked(tmp_path / "photos", photos))
    options = Options(
        folders, profiles=("standard",), edits=WHOLE | CUT_OR_COVERED, with_peer=False
    )
    rows = quality_bench.run("videos", options).rows
    found = {row["edit"]: row["recall_percent"]["standard"] for row in rows}
    assert {row["copies"] for row in rows} == {len(CLIPS) + PHOTOS // 3}
    assert {edit: found[edit] for edit in WHOLE if found[edit] < WHOLE_PERCENT} == {}
    assert {edit: found[edit] for edit in CUT_OR_COVERED if found[edit] < CUT_PERCENT} == {}
    assert sum(row["false_pairs"]["standard"] for row in rows) == 0
