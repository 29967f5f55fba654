"""`firstseen explain` and `prioritise`, as an officer and as a script meet them."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from firstseen import (
    Checkpoint,
    Hash,
    HashType,
    HashValue,
    Item,
    MediaType,
    Priority,
    ReviewClient,
    Strength,
    Verdict,
    review_command,
)
from firstseen.cli import main
from firstseen.review import Explanation, Match
from tests.client.clips import motion_photo, write_pan

Run = Callable[..., tuple[int, str, str]]


def match(
    item_id: int, type_: HashType, distance_bits: int, strength: Strength, **more: object
) -> Match:
    """A match with labels that are not said."""
    said: dict[str, object] = {
        "entry_id": item_id, "item_id": item_id, "bank": "REMOVED", "cleared": False,
        "type": type_, "distance_bits": distance_bits, "hash_index": 0, "strength": strength,
        "query_percent": 100, "listed_percent": 100,
        "category": "", "severity": 0, "source": "", "reference": "",
    }  # fmt: skip
    return Match(**(said | more))  # type: ignore[arg-type]


MATCHES = (
    match(9, HashType.PDQ, 2, Strength.NEAR, query_percent=60),
    match(7, HashType.PDQ, 12, Strength.MATCH),
    match(7, HashType.SHA256, 0, Strength.MATCH),
    match(
        8,
        HashType.PDQ,
        4,
        Strength.MATCH,
        bank="CLEARED",
        cleared=True,
        severity=3,
        category="A",
        reference="\x1b[2J12",
    ),
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(name: str, *words: object) -> tuple[int, str, str]:
        try:
            code = main([name, *map(str, words), "--server", "localhost:1", "--plaintext"])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def explaining(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A service that finds `MATCHES`; the limits that it was asked for."""
    limits: list[int] = []

    def explain(self: ReviewClient, item: Item, max_matches: int) -> Explanation:
        limits.append(max_matches)
        return Explanation(Verdict.KNOWN, Checkpoint(5, 9, bytes(32)), MATCHES, 6)

    monkeypatch.setattr(ReviewClient, "explain", explain)
    return limits


def test_explained_file_has_a_line_for_each_listed_item_by_its_nearest_hash(
    run: Run, explaining: list[int], photos: tuple[Path, ...], tmp_path: Path
) -> None:
    shutil.copy(photos[0], tmp_path / "copy.jpg")
    labels = "severity 3, category A, reference \ufffd[2J12"
    code, out, err = run("explain", tmp_path / "copy.jpg", tmp_path / "none", "--max-matches", "4")
    assert (code, explaining) == (1, [4])
    assert out.splitlines() == [
        f"{tmp_path}/copy.jpg: image KNOWN",
        "  match  item 7 of REMOVED, same sha256",
        f"  match  item 8 of CLEARED (cleared), pdq 4 bits apart, {labels}",
        "  near   item 9 of REMOVED, pdq 2 bits apart, 60 % of it, 100 % of the listed",
        "  and 2 more hashes (--max-matches)",
    ]
    assert err == f"firstseen: {tmp_path}/none: No such file or directory\n"


def test_explanation_is_one_object_an_item_for_scripts(
    run: Run, explaining: list[int], tmp_path: Path
) -> None:
    clip = write_pan(tmp_path / "clip.mp4", seconds=2)
    (tmp_path / "motion.jpg").write_bytes(motion_photo(clip.read_bytes()))
    code, out, _ = run("explain", tmp_path / "motion.jpg", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, [line["media_type"] for line in lines]) == (0, ["image", "video"])
    assert (lines[0]["verdict"], lines[0]["sequence"], lines[0]["match_count"]) == ("KNOWN", 5, 6)
    first = lines[0]["matches"][0]
    assert (first["type"], first["strength"], first["item_id"]) == ("pdq", "near", 9)
    assert set(first) == set(Match.__slots__)


def test_order_holds_over_several_calls(
    run: Run, photos: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = {
        "a.jpg": (Verdict.KNOWN, False, 9),
        "b.jpg": (Verdict.NOVEL, True, 4),
        "c.jpg": (Verdict.UNSURE, False, 0),
        "d.jpg": (Verdict.NOVEL, False, 0),
        "e.jpg": (Verdict.KNOWN, False, 2),
    }
    items: dict[Item, str] = {}
    calls: list[int] = []

    def prioritise(self: ReviewClient, asked: Sequence[Item]) -> tuple[Priority, ...]:
        calls.append(len(asked))
        return tuple(
            Priority(index, *ranks[items[item]]) for index, item in reversed([*enumerate(asked)])
        )

    def hash_items(path: Path, *_: object) -> tuple[Item, ...]:
        hash_ = Hash(HashType.PDQ, HashValue(path.name.encode().ljust(32)), 90)
        item = Item(MediaType.IMAGE, (hash_,))
        items[item] = path.name
        return (item,)

    monkeypatch.setattr(ReviewClient, "prioritise", prioritise)
    monkeypatch.setattr(review_command, "_MAX_ITEMS", 2)
    monkeypatch.setattr(review_command, "hash_items", hash_items)
    code, out, err = run("prioritise", *ranks)
    assert (code, calls, err) == (0, [2, 2, 1], "")
    assert [line.split() for line in out.splitlines()] == [
        ["1", "NOVEL", "d.jpg"],
        ["2", "NOVEL", "near,", "severity", "4", "b.jpg"],
        ["3", "UNSURE", "c.jpg"],
        ["4", "KNOWN", "severity", "9", "a.jpg"],
        ["5", "KNOWN", "severity", "2", "e.jpg"],
    ]
    _, out, _ = run("prioritise", "b.jpg", "--json")
    told = {"rank": 1, "file": "b.jpg", "verdict": "NOVEL", "is_near": True, "severity": 4}
    assert json.loads(out) == told


def test_calls_hold_no_more_hashes_than_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_command, "_MAX_HASHES", 5)
    hash_ = Hash(HashType.PDQ, HashValue(bytes(32)), 90)
    sizes = [3, 2, 1, 9, 4]
    items = [(Path(str(size)), Item(MediaType.VIDEO, (hash_,) * size)) for size in sizes]
    parts = review_command._parts(items)
    assert [[str(path) for path, _ in part] for part in parts] == [["3", "2"], ["1"], ["9"], ["4"]]


@pytest.mark.parametrize("number", ["0", "1001", "x", "-1"])
def test_wrong_limit_is_refused(run: Run, number: str) -> None:
    code, _, err = run("explain", "a.jpg", "--max-matches", number)
    assert code == 2
    assert "want 1 to 1000" in err or "expected one argument" in err


@pytest.mark.parametrize("name", ["explain", "prioritise", "check", "hash"])
def test_every_command_has_examples_and_exit_codes(run: Run, name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"examples:\n  firstseen {name}" in out
    assert "exit codes:" in out
