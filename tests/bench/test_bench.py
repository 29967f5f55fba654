"""The benchmarks at small sizes: they measure what they say, and their tables are their runs'."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench import report, workload
from bench.__main__ import main
from bench.run_file import FORMAT, RUNS, Run, percentiles
from engine.exact_index import ExactIndex

SEED = 20_26


@pytest.mark.parametrize("kind", workload.KINDS)
def test_workload_is_the_same_every_time(kind: str) -> None:
    one, other = (workload.hashes(500, SEED, kind) for _ in range(2))
    assert np.array_equal(one, other)
    assert len(np.unique(one, axis=0)) == 500
    assert not np.array_equal(one, workload.hashes(500, SEED + 1, kind))


def test_balanced_hashes_have_128_ones() -> None:
    assert set(np.bitwise_count(workload.hashes(300, SEED)).sum(axis=1).tolist()) == {128}


def test_planted_queries_are_near_and_the_others_far() -> None:
    listed = workload.hashes(2_000, SEED)
    queries = workload.queries(listed, 400, SEED, known_share=0.5)
    hits = ExactIndex.build(listed).search(queries, 31)
    near = len(set(hits.queries.tolist()))
    assert 150 < near < 250
    assert set((hits.distances_bits % 2).tolist()) == {0}
    assert set(range(0, 31, 2)) <= set(hits.distances_bits.tolist())
    assert set(np.bitwise_count(queries).sum(axis=1).tolist()) == {128}


def test_percentiles_are_those_of_known_durations() -> None:
    found = percentiles(np.arange(1.0, 1_002.0), "us")
    assert (found["p50_us"], found["p99_us"], found["max_us"], found["count"]) == (
        501,
        991,
        1_001,
        1_001,
    )


def run_and_read(out: Path, *words: str) -> Run:
    assert main([*words, "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["format"] == FORMAT
    assert {"cpu", "cores", "python", "packages", "revision"} <= set(found["machine"])
    return Run.read(out)


def test_load_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_and_read(tmp_path / "run.json", "load", "--sizes", "2000")
    assert [row["what"] for row in run.rows] == ["new", "listed already"]
    assert all(row["hashes_per_s"] > 0 for row in run.rows)
    assert "2,000 lines, new" in capsys.readouterr().out


def test_freshness_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run.json"
    run = run_and_read(out, "freshness", "--entries", "200", "--changes", "3")
    assert [row["count"] for row in run.rows] == [3, 3]
    assert "withdraw to NOVEL" in capsys.readouterr().out


def test_server_is_measured_beside_an_empty_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run.json"
    run = run_and_read(out, "server", "--entries", "500", "--calls", "60")
    assert [row["check"]["count"] for row in run.rows if "check" in row] == [60] * 4
    assert len([row for row in run.rows if "items_per_s" in row]) == 5
    assert "CheckStream" in capsys.readouterr().out


def test_indexes_are_raced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run.json"
    run = run_and_read(out, "index", "--sizes", "3000", "--kinds", "balanced")
    assert len(run.rows) == 3
    assert "IndexBinaryFlat" in capsys.readouterr().out


def test_runs_are_drawn_the_same_every_time(tmp_path: Path, root: Path) -> None:
    files = [str(path) for path in sorted(RUNS.glob("*.json"))]
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert main(["report", *files, "--plots", str(folder)]) == 0
    for name in ("index.svg", "server.svg"):
        drawn = (tmp_path / "a" / name).read_bytes()
        assert drawn.startswith(b"<?xml")
        assert drawn == (tmp_path / "b" / name).read_bytes()
        assert (root / "docs" / "img" / name).exists()


def test_wrong_use_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (["load", "--sizes", "0"], ["load", "--sizes", "many"], ["fly"]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
    (tmp_path / "other.json").write_text("{}")
    assert main(["report", str(tmp_path / "other.json")]) == 1
    assert main(["report", str(tmp_path / "none.json")]) == 1
    assert "no run file of format" in capsys.readouterr().err


def test_tables_of_the_documents_are_those_of_the_committed_runs(root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    text = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    assert report.filled(readme) == readme
    assert report.filled(text) == text
    for path in RUNS.glob("*.json"):
        assert f"<!-- run: {path.name} -->" in text
