"""The `firstseen` command, as a person and as a script meet it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.running import environment
from firstseen import Answer, Checkpoint, Client, FileAnswer, Item, MediaError, Verdict, asking
from firstseen.arguments import parser
from firstseen.check_command import exit_code
from firstseen.cli import main
from firstseen.hashing.file import hash_items
from firstseen.v1 import match_pb2, types_pb2
from tests.client.scripted_server import CHECKPOINT, Script, policy, serving, unavailable

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def script() -> Script:
    return Script(policy(types_pb2.HASH_TYPE_PDQ, types_pb2.HASH_TYPE_SHA256))


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    with serving(script) as bound:
        yield bound


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        try:
            code = main(["check", *map(str, words)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_known_picture_is_a_row_and_an_exit_code(
    run: Run, address: str, photos: tuple[Path, ...]
) -> None:
    code, out, err = run(photos[0], "--server", address, "--plaintext")
    assert code == 10
    assert err == ""
    assert "KNOWN" in out
    assert out.endswith(f"  {photos[0]}\n")


def test_time_is_that_of_the_file_and_not_of_its_neighbours(
    run: Run,
    address: str,
    photos: tuple[Path, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [0.0]

    def slow(path: Path, *options: object) -> tuple[Item, ...]:
        now_s[0] += 7.0 if path.name == "slow.jpg" else 0.25
        return hash_items(path)

    monkeypatch.setattr(asking, "time", SimpleNamespace(perf_counter=lambda: now_s[0]))
    monkeypatch.setattr(asking, "hash_items", slow)
    names = ["first.jpg", "slow.jpg", "last.jpg"]
    for name in names:
        shutil.copy(photos[0], tmp_path / name)
    code, out, err = run(*(tmp_path / name for name in names), "--server", address, "--plaintext")
    assert code == 10
    assert [line.split()[:4] for line in out.splitlines()] == [
        ["KNOWN", time, "ms", str(tmp_path / name)]
        for time, name in zip(["250", "7,000", "250"], names, strict=True)
    ]
    assert err == "3 files: 3 KNOWN\n"


def test_each_line_is_one_file_however_narrow_the_terminal_and_long_the_name(
    run: Run,
    address: str,
    photos: tuple[Path, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    good, bad = tmp_path / f"{'a' * 90} b.jpg", tmp_path / f"{'c' * 90}.jpg"
    shutil.copy(photos[0], good)
    bad.touch()
    code, out, err = run(good, bad, "--server", address, "--plaintext")
    first, second = out.splitlines()
    assert code == 1
    assert (first.startswith("KNOWN "), first.endswith(f"  {good}")) == (True, True)
    assert (second.startswith("ERROR "), second.endswith(f"  {bad}: empty file")) == (True, True)
    assert err == "2 files: 1 KNOWN, 1 ERROR\n"


def test_stopped_check_shows_what_was_answered(
    run: Run, address: str, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(self: Client, paths: Iterable[Path], *_: object) -> Iterator[FileAnswer]:
        first = next(iter(paths))
        yield FileAnswer(first, error=MediaError("empty file"))
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "check_many", stopping)
    code, out, err = run(photos[0], photos[1], "--server", address, "--plaintext")
    assert (code, len(out.splitlines()), err) == (130, 1, "firstseen: stopped\n")


def test_json_is_one_object_a_line_and_errors_are_lines_too(
    run: Run, address: str, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture\0")
    code, out, _ = run(
        photos[0], bad, tmp_path / "none", "--server", address, "--plaintext", "--json"
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines == [
        {"file": str(photos[0]), "verdict": "KNOWN", "sequence": CHECKPOINT.sequence},
        {"file": str(bad), "error": "no picture, video or document of a known format"},
        {"file": str(tmp_path / "none"), "error": "No such file or directory"},
    ]
    assert code == 1


def test_hash_only_shows_the_hashes_and_needs_no_server(
    run: Run, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    code, out, _ = run(photos[0], "--hash-only", "--json")
    (line,) = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert line["media_type"] == "image"
    assert [h["type"] for h in line["hashes"]] == [
        *["pdq"] * 9,
        *["pdq_tile"] * 4,
        "sha256",
        "md5",
    ]
    assert {len(h["value"]) for h in line["hashes"]} == {64, 32}
    assert ["quality" in h for h in line["hashes"]] == [True] * 13 + [False] * 2
    code, out, _ = run(photos[0], "--hash-only", "--no-dihedral")
    assert (code, out.count("PDQ "), line["hashes"][0]["value"] in out) == (0, 1, True)
    code, _, err = run(tmp_path / "none.jpg", "--hash-only")
    assert code == 1
    assert "No such file" in err


def test_folder_says_what_to_type_instead(run: Run, address: str, tmp_path: Path) -> None:
    folder = tmp_path / "two words"
    folder.mkdir()
    said = f"{folder}: a folder, not a file: name its files, as '{folder}'/*\n"
    assert run(folder, "--hash-only") == (1, "", f"firstseen: {said}")
    code, out, _ = run(folder, "--server", address, "--plaintext")
    assert (code, out.endswith(f"  {said}")) == (1, True)


def test_server_that_is_not_there_is_one_line(run: Run, photos: tuple[Path, ...]) -> None:
    code, out, err = run(photos[0], "--server", "127.0.0.1:1", "--plaintext", "--timeout", "2")
    assert (code, out) == (1, "")
    assert err == "firstseen: 127.0.0.1:1: the server cannot be reached: nothing listens there\n"


def test_server_without_a_list_is_one_line(
    run: Run, address: str, script: Script, photos: tuple[Path, ...]
) -> None:
    script.policy_steps = [unavailable(60_000)]
    code, _, err = run(photos[0], "--server", address, "--plaintext")
    assert (code, err) == (1, f"firstseen: {address}: not fresh\n")


@pytest.mark.parametrize(
    "words",
    [
        ["a.jpg"],
        ["a.jpg", "--server", "h:1", "--timeout", "0"],
        ["a.jpg", "--server", "h:1", "--timeout", "soon"],
        ["a.jpg", "--server", "h:1", "--plaintext", "--ca", "ca.pem"],
        ["a.jpg", "--server", "h:1", "--cert", "c.pem"],
        ["a.jpg", "--server", "https://h:1"],
        ["a.jpg", "--server", ""],
        ["a.jpg", "--server", "match.example"],
        ["a.jpg", "--server", "match.example:"],
        ["a.jpg", "--server", ":50051"],
        ["a.jpg", "--server", "h:port"],
        ["a.jpg", "--server", "h:0"],
        ["a.jpg", "--server", "h:65536"],
        ["a.jpg", "--server", "::1:50051"],
        ["--server", "h:1"],
    ],
)
def test_wrong_use_says_what_is_wrong(run: Run, words: list[str]) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "error:" in err


@pytest.mark.parametrize("server", ["match.example:443", "127.0.0.1:1", "[::1]:65535"])
def test_address_with_a_port_is_taken_as_it_is(server: str) -> None:
    assert parser().parse_args(["check", "a.jpg", "--server", server]).server == server


def test_missing_certificate_is_one_line(run: Run, tmp_path: Path) -> None:
    code, _, err = run("a.jpg", "--server", "h:1", "--ca", tmp_path / "no.pem")
    assert code == 1
    assert "No such file or directory" in err


def test_help_has_examples_and_exit_codes(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "exit codes:" in out
    assert "--hash-only" in out


def test_file_names_reach_a_terminal_without_control_characters(
    run: Run, address: str, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    evil = tmp_path / "\x1b[2J[red]a.jpg"
    evil.write_bytes(photos[0].read_bytes())
    for words in ([evil, "--server", address, "--plaintext"], [evil, "--hash-only"]):
        code, out, _ = run(*words)
        assert code in {0, 10}
        assert "\x1b" not in out
        assert "[red]" in out.replace("\n", "")


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.KNOWN], 10),
        ([Verdict.NOVEL], 0),
        ([Verdict.UNSURE], 11),
        ([Verdict.UNSUPPORTED], 12),
        ([Verdict.KNOWN, Verdict.KNOWN], 10),
        ([Verdict.KNOWN, Verdict.UNSUPPORTED], 12),
        ([Verdict.UNSUPPORTED, Verdict.UNSURE], 11),
        ([Verdict.KNOWN, Verdict.UNSURE, Verdict.NOVEL], 0),
        ([Verdict.KNOWN, None], 1),
        ([None], 1),
    ],
)
def test_of_many_files_the_one_that_wants_attention_decides(
    verdicts: list[Verdict | None], code: int
) -> None:
    checkpoint = Checkpoint(1, 1, bytes(32))
    answers = [
        FileAnswer(Path("a"), Answer(verdict, checkpoint))
        if verdict
        else FileAnswer(Path("a"), error=MediaError("damaged"))
        for verdict in verdicts
    ]
    assert exit_code(iter(answers)) == code


def test_command_ends_quietly_when_nobody_reads_on(
    address: str, script: Script, root: Path, photos: tuple[Path, ...]
) -> None:
    script.check_steps = [lambda *_: match_pb2.CheckResponse()]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "firstseen.cli", "check", str(photos[0]), "--hash-only"],
            cwd=root,
            env=environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)
    assert "Traceback" not in done.stderr


def test_server_without_tls_is_one_line_and_nothing_of_the_librarys(
    address: str, root: Path, photos: tuple[Path, ...]
) -> None:
    words = ["check", str(photos[0]), "--server", address, "--timeout", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "firstseen.cli", *words],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"firstseen: {address}: the server cannot be reached: "
        "it does not speak TLS (to call without: Plaintext(), --plaintext)\n"
    )
