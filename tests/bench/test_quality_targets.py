"""What pictures must reach on the 46 photographs of ../shared/data, by the quality bench itself."""

from pathlib import Path
from statistics import fmean

import pytest

from bench import quality_bench
from bench.quality_report import NEAR
from bench.run_file import Row

PLAIN_GROUPS = ("re-encode, resize", "filter")
PLAIN_PERCENT = 95
MIRROR_PERCENT = 98
# Of 68 edits, at 31 bits; with near in `standard`.
MEAN_PERCENT = {"standard": 72, "standard" + NEAR: 79, "wide": 79}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pictures_reach_their_targets(shared_data: Path) -> None:
    options = quality_bench.Options(
        (shared_data / "photos",), profiles=("standard", "wide"), with_peer=False
    )
    run = quality_bench.run("images", options)
    assert run.settings["originals"] == 46

    assert sum(sum(row["false_pairs"].values()) for row in run.rows) == 0
    for name, least in MEAN_PERCENT.items():
        assert fmean(recall(row, name) for row in run.rows if row["in_mean"]) >= least
    plain = [row for row in run.rows if row["group"] in PLAIN_GROUPS]
    turned = [row for row in run.rows if row["group"] == "flip, turn"]
    assert (len(plain), len(turned)) == (26, 5)
    for rows, least in ((plain, PLAIN_PERCENT), (turned, MIRROR_PERCENT)):
        low = {row["edit"]: recall(row, "standard") for row in rows}
        assert {edit: found for edit, found in low.items() if found < least} == {}


def recall(row: Row, name: str) -> float:
    return float(row["recall_percent"][name])
