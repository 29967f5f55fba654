"""The command above a table makes the run again."""

import shlex
from pathlib import Path

import pytest

from bench import load_bench, report
from bench.__main__ import main
from bench.arguments import parser
from bench.command_line import command_of
from bench.run_file import RUNS, Run

PREFIX = "python -m bench "


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("freshness", "freshness"),
        (
            "freshness --load-rate 1_000 --during-build --entries 50000 --seed 7 --out x.json",
            "freshness --seed 7 --entries 50000 --load-rate 1000 --during-build",
        ),
        ("index --sizes 10,000 2000 --kinds real", "index --sizes 10000 2000 --kinds real"),
        ("server --workers 1 --block 0.5 --loads", "server --workers 1 --block 0.5 --loads"),
        ("items --for 2 --sizes 1000", "items --sizes 1000 --for 2.0"),
        (
            "quality images /data/my\\ pictures --limit 3 --no-peer",
            "quality images 'my pictures' --no-peer --limit 3",
        ),
    ],
)
def test_command_has_every_option_that_was_given_and_no_place_of_a_machine(
    typed: str, shown: str
) -> None:
    options = parser().parse_args(shlex.split(typed))
    assert command_of(options.parser, options) == PREFIX + shown


def test_run_file_and_table_have_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"what": "hashes", "lines": 5, "hashes_per_s": 9.0, "elapsed_s": 1.0, "memory_mib": 1.0}
    made = Run("load", {"sizes": [5], "seed": 7}, [row])
    monkeypatch.setattr(load_bench, "run", lambda *_: made)
    path = tmp_path / "load.json"
    assert main(["load", "--sizes", "5", "--seed", "7", "--out", str(path)]) == 0
    want = f"{PREFIX}load --seed 7 --sizes 5"
    assert Run.read(path).command == want
    assert f"`{want}`" in capsys.readouterr().out
    assert f"`{want}`" in report.table(Run.read(path))


@pytest.mark.parametrize("path", sorted(RUNS.glob("*.json")), ids=lambda path: path.stem)
def test_command_of_a_committed_run_asks_for_its_settings(path: Path) -> None:
    run = Run.read(path)
    options = vars(parser().parse_args(shlex.split(run.command.removeprefix(PREFIX))))
    names = {"entry_count": "entries", "block_s": "block"}
    for setting, value in run.settings.items():
        name = names.get(setting, setting)
        # What a run finds out by itself, such as how many files there were, is no option.
        if options.get(name) is not None:
            assert options[name] == value, setting


def test_seed_is_written_as_it_is_typed() -> None:
    row = {"what": "hashes", "lines": 5, "hashes_per_s": 9.0, "elapsed_s": 1.0, "memory_mib": 1.0}
    told = report.table(Run("load", {"sizes": [5_000], "seed": 2026}, [row]))
    assert "(sizes 5,000, seed 2026; " in told


def test_table_says_on_what_it_was_measured() -> None:
    row = {"what": "hashes", "lines": 5, "hashes_per_s": 9.0, "elapsed_s": 1.0, "memory_mib": 1.0}
    told = report.table(Run("load", {"seed": 1}, [row], machine={"cpu": "Zen", "cores": 2}))
    assert "(seed 1; Zen, 2 cores)" in told


@pytest.mark.parametrize(
    ("out", "said"),
    [("file/run.json", "file/run.json: "), (".", ".: a folder"), ("/proc/run.json", "/proc/run")],
)
def test_run_file_that_cannot_be_written_is_told_before_the_run(
    out: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*_: object) -> Run:
        raise AssertionError("began to measure")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setattr(load_bench, "run", run)
    assert main(["load", "--out", out]) == 1
    assert capsys.readouterr().err.startswith(f"bench: {said}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_without_a_command_the_commands_are_told_and_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> Run:
        raise AssertionError("began to measure")

    monkeypatch.setattr(load_bench, "run", run)
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert all(f"\n    {name} " in err for name in ("all", "load", "quality", "report"))


def test_make_bench_runs_every_benchmark_that_needs_nothing_said(root: Path) -> None:
    assert "\n\t@$(PY) -m bench all\n" in (root / "Makefile").read_text(encoding="utf-8")
