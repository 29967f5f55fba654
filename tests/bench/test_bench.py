"""The benchmarks at small sizes: they measure what they say, and their tables are their runs'."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import index_bench, items_bench, kill_bench, load_bench, peers, report
from bench.__main__ import main
from bench.freshness_bench import Background
from bench.histogram import Histogram
from bench.peers import PeerError
from bench.run_file import FORMAT, RUNS, Run, percentiles
from bench.running import ROOT, environment
from bench.stores import make_store
from bench.workload import hashes
from engine.clock import SystemClock
from engine.lmdb_store import LmdbWriter
from tests.server.test_states import within_patience
from tests.server.test_workers import has_ended
from tests.server.worlds import PATIENT

SEED = 20_26


def test_percentiles_are_those_of_known_durations() -> None:
    found = percentiles(np.arange(1.0, 1_002.0), "us")
    assert (found["p50_us"], found["p99_us"], found["max_us"], found["count"]) == (
        501,
        991,
        1_001,
        1_001,
    )


def test_bulk_that_is_changed_twice_leaves_the_list_as_it_was(tmp_path: Path) -> None:
    make_store(tmp_path / "store", hashes(50, SEED, "balanced"))
    with LmdbWriter(tmp_path / "store", SystemClock()) as writer:
        before = writer.head()
        background = Background(writer, SEED)
        background.change_bulk(30)
        background.list_one(hashes(1, SEED + 1, "balanced")[0])
        assert writer.head().entry_count == before.entry_count + 31
        background.change_bulk(30)
        assert writer.head().entry_count == before.entry_count + 1


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
    run = run_and_read(out, "freshness", "--entries", "200", "--changes", "3", "--query", "0.1")
    assert [row["count"] for row in run.rows[:2]] == [3, 3]
    assert [row["what"] for row in run.rows[2:]] == ["checks, quiet"]
    assert "withdraw to NOVEL" in capsys.readouterr().out


def test_freshness_is_measured_while_the_list_grows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run.json"
    words = ("--entries", "200", "--changes", "3", "--query", "0.1", "--load-rate", "500")
    run = run_and_read(out, "freshness", *words, "--rounds", "2")
    assert run.settings["load_rate"] == 500
    assert [row["what"] for row in run.rows[2:]] == ["checks, quiet", "checks, hashes listed"]
    assert all(row["count"] > 0 for row in run.rows)
    assert "others' checks" in capsys.readouterr().out


@pytest.mark.slow  # the server leaves ten seconds between two segments
def test_freshness_is_measured_while_a_segment_is_built(tmp_path: Path) -> None:
    words = ("--entries", "20000", "--changes", "3", "--query", "0.5", "--during-build")
    run = run_and_read(tmp_path / "run.json", "freshness", *words, "--rounds", "1")
    assert [row["what"] for row in run.rows[2:]] == ["checks, quiet", "checks, segment built"]
    assert all(row["count"] > 0 for row in run.rows)


def test_server_is_measured_beside_an_empty_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run.json"
    words = ("--entries", "500", "--workers", "1", "--block", "0.02", "--blocks", "1")
    run = run_and_read(out, "server", *words, "--loads", "0.1", "0.3")
    latencies = [row for row in run.rows if "check" in row]
    assert [row["share"] for row in latencies if "share" in row] == [0.1, 0.3]
    for row in latencies:
        for load in (row["check"], row["empty"]):
            assert load["count"] > 0
            assert load["errors"] == {}
            assert Histogram.merged([load["histogram"]]).count == load["count"]
    rates = [row for row in run.rows if "items_per_s" in row]
    assert len(rates) == 13
    assert all(row["items_per_s"] > 0 < row["empty_per_s"] for row in rates)
    assert "CheckStream" in capsys.readouterr().out


def test_killed_worker_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_bench, "Options", lambda: PATIENT)
    words = ("kill", "--entries", "300", "--kills", "1", "--every", "1", "--workers")
    run = run_and_read(tmp_path / "run.json", *words, "2")
    whole, hit, other = run.rows
    assert whole["calls"] == hit["calls"] + other["calls"]
    assert (whole["failed"], whole["wrong"]) == (0, 0)
    assert "tried again" in capsys.readouterr().out
    assert main([*words, "1"]) == 1
    assert "nobody takes over" in capsys.readouterr().err


def test_indexes_are_raced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run.json"
    words = ("--sizes", "3000", "--kinds", "real", "--round", "0.01", "--peers")
    run = run_and_read(out, "index", *words, "mih", "flat", "multihash", "usearch")
    assert len(run.rows) == 4
    for row in run.rows:
        assert row["recall"] == 1.0 or "usearch" in row["index"]
        assert row["per_s_2"] > 0 < row["single"]["count"]
    assert "IndexBinaryFlat" in capsys.readouterr().out


def test_race_is_over_before_its_threads_begin_each_has_asked_once() -> None:
    run = index_bench.run([1_000], ["real"], SEED, ["flat"], round_s=0.0)
    assert [row["per_s_2"] > 0 for row in run.rows] == [True]


def test_peer_that_cannot_be_had_is_named_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> Path:
        raise PeerError("installing it: no matching distribution")

    monkeypatch.setattr(peers, "_environment_of", refuse)
    words = ("--sizes", "2500", "--kinds", "real", "--round", "0.01", "--peers", "pytx")
    run = run_and_read(tmp_path / "run.json", "index", *words)
    scan, absent = run.rows
    assert scan["index"] == peers.FLAT
    assert absent["missing"] == "installing it: no matching distribution"
    assert "python-threatexchange PDQIndex: installing it" in capsys.readouterr().out


def test_peer_finds_what_a_scan_finds() -> None:
    """Where somebody has run `python -m bench index` before: nothing is installed here."""
    (pytx,) = (peer for peer in peers.FIELD if peer.key == "pytx")
    if not peers.is_installed(pytx):
        pytest.skip("python-threatexchange's environment is not made yet")
    run = index_bench.run([2_500], ["real"], SEED, ["pytx"], round_s=0.01)
    assert [row["recall"] for row in run.rows] == [1.0, 1.0]


def test_runs_are_drawn_the_same_every_time(tmp_path: Path, root: Path) -> None:
    files = [str(path) for path in sorted(RUNS.glob("*.json"))]
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert main(["report", *files, "--plots", str(folder)]) == 0
    for name in ("index.svg", "server.svg"):
        drawn = (tmp_path / "a" / name).read_bytes()
        assert drawn.startswith(b"<?xml")
        assert drawn == (tmp_path / "b" / name).read_bytes()
        assert (root / "docs" / "img" / name).exists()


def test_run_that_is_not_there_is_named() -> None:
    text = report.filled("<!-- run: none.json -->\nold\n<!-- end -->")
    assert text == "<!-- run: none.json -->\n\n*There is no run `none.json` yet.*\n\n<!-- end -->"


def test_wrong_use_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (["load", "--sizes", "0"], ["load", "--sizes", "many"], ["fly"]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
    (tmp_path / "text.json").write_text("# a page")
    assert main(["report", str(tmp_path / "text.json")]) == 1
    assert capsys.readouterr().err.endswith("bench: text.json: no run file\n")
    (tmp_path / "other.json").write_text("{}")
    assert main(["report", str(tmp_path / "other.json")]) == 1
    assert main(["report", str(tmp_path / "none.json")]) == 1
    assert "no run file of format" in capsys.readouterr().err
    assert main(["report"]) == 1
    assert capsys.readouterr().err == "bench: report: no run file named\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["load", "--sizes", "many"], "--sizes: want a whole number, 1 or more"),
        (["server", "--block", "soon"], "--block: want seconds, more than 0 and under 3600"),
        (["quality", "images", "--limit", "0"], "--limit: want 1 or more"),
        (["quality", "images", "--unrelated", "-1"], "--unrelated: want a whole number"),
    ],
)
def test_wrong_number_is_told_in_words(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["load", "freshness", "server", "index", "items", "kill", "quality", "report"]
)
def test_every_command_has_examples_and_tells_its_defaults(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert f"examples:\n  python -m bench {name}" in shown
    options = shown.partition("options:\n")[2].partition("\nexamples:")[0]
    # Every option says what it is.
    for told in options.split("\n  -")[1:]:
        assert len(told.split()) > 2, told


def test_ctrl_c_ends_all_benchmarks_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> Run:
        raise KeyboardInterrupt

    monkeypatch.setattr(load_bench, "run", stop)
    assert main(["all"]) == 130
    assert capsys.readouterr().err == ("bench: stopped; what was being measured is not written\n")


def test_ctrl_c_reaches_no_process_that_a_benchmark_started(tmp_path: Path) -> None:
    """Sent to the group of a command, as a terminal does; children would tell their stacks."""
    command = [sys.executable, "-m", "bench", "index", "--sizes", "1000", "--peers", "flat"]
    process = subprocess.Popen(
        [*command, "--round", "3000", "--out", str(tmp_path / "run.json")],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("the system does not tell the children of a process")
    child = ""
    while not races_with_faiss(child):
        assert process.poll() is None
        child = next(iter(children.read_text().split()), "")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert process.returncode in {130, -signal.SIGINT}
    assert within_patience(lambda: has_ended(int(child)))


def races_with_faiss(pid: str) -> bool:
    """Whether it has come so far; as a copy of its parent it would have faiss from there."""
    folder = Path(f"/proc/{pid or 'none'}")
    try:
        is_racer = b"own_racers" in (folder / "cmdline").read_bytes()
        return is_racer and "faiss" in (folder / "maps").read_text()
    except OSError:  # there is none yet, or it has just ended
        return False


def test_tables_of_the_documents_are_those_of_the_committed_runs(root: Path) -> None:
    documents = ("README.md", "docs/performance.md", "docs/hashing.md")
    texts = [(root / name).read_text(encoding="utf-8") for name in documents]
    for text in texts:
        assert report.filled(text) == text
    for path in RUNS.glob("*.json"):
        assert any(f"<!-- run: {path.name} -->" in text for text in texts)


def test_items_of_each_kind_are_judged(tmp_path: Path) -> None:
    out = tmp_path / "items.json"
    assert main(["items", "--sizes", "30000", "--for", "0.01", "--out", str(out)]) == 0
    found = Run.read(out)
    assert [row["what"] for row in found.rows] == [asked.what for asked in items_bench.ITEMS]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in found.rows)
    assert "video of 600 frames" in report.table(found)


def test_file_that_cannot_be_read_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "none.json")]) == 1
    told = f"bench: {tmp_path}/none.json: No such file or directory\n"
    assert capsys.readouterr().err == told
