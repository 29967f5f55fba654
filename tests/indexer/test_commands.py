"""The command as scripts see it: exit codes, one line for each error, what goes where."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from bench.running import ROOT, environment
from engine.entries import ItemId
from engine.hashes import HashType
from engine.lmdb_store import LmdbReader, LmdbWriter, create_store
from engine.policy import BankPolicy, BankRole, TypePolicy, default_types
from indexer.__main__ import main
from indexer.arguments import parser
from indexer.exit_codes import ExitCode
from tests.indexer.stores import LIMIT_S, command, listed, pdq_lines, picture, run, run_json, value


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def one_line(stderr: bytes) -> str:
    """The one line an error is."""
    [line] = stderr.decode().splitlines()
    assert line.startswith("indexer: ")
    return line


def test_store_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "store"
    assert run("init", "--store", path, "--map-size-gib", 1).returncode == ExitCode.DONE
    again = run("init", "--store", path)
    assert again.returncode == ExitCode.USAGE
    assert "holds a store already" in one_line(again.stderr)
    assert run_json("stat", "--store", path)["map_size_bytes"] == 1 << 30


@pytest.mark.parametrize("name", ["load", "withdraw", "stat", "verify", "export", "log"])
def test_missing_store_is_said_and_not_made(name: str, tmp_path: Path) -> None:
    feed = write(tmp_path / "list.txt", pdq_lines(1))
    more: dict[str, list[object]] = {
        "load": [feed, "--bank", "REMOVED"],
        "withdraw": [feed],
        "export": [tmp_path / "out.csv", "--bank", "REMOVED"],
    }
    done = run(name, *more.get(name, []), "--store", tmp_path / "none")
    assert done.returncode == ExitCode.STORE_UNUSABLE
    said = one_line(done.stderr)
    assert "no store here" in said
    assert said.endswith("; `python -m indexer init` makes one")
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "out.csv").exists()


def test_wrong_use_is_refused(store: Path, tmp_path: Path) -> None:
    feed = write(tmp_path / "list.txt", pdq_lines(1))
    where = ("--store", store)
    for arguments, said in (
        ((), "required"),
        (("load", feed, "--bank", "REMOVED"), "--store"),
        (("load", tmp_path / "none", "--bank", "REMOVED", *where), "none: no such file"),
        (("load", feed, "--bank", "OTHER", *where), "OTHER: no such bank; there are: REMOVED"),
        (("load", feed, "--bank", "REMOVED", "--format", "csv", *where), "list.txt: header"),
        (("load", feed, "--bank", "REMOVED", "--rejects", feed, *where), "is the file to load"),
        (("load", feed, "--bank", "REMOVED", "--severity", "10", *where), "want 0 to 9"),
        (("load", feed, "--bank", "low", "--create-bank", *where), "--bank: want"),
        (("withdraw", *where), "withdraw wants one of"),
        (("withdraw", feed, "--item", "1", *where), "withdraw wants one of"),
        (("withdraw", tmp_path / "none", *where), "none: no such file"),
        (("withdraw", feed, "--reason", "x" * 1_001, *where), "--reason: 1,001 bytes, want at"),
        (("load", feed, "--bank", "REMOVED", "--category", "x" * 1_001, *where), "--category: "),
        (("load", "-", "--bank", "REMOVED", "--format", "document", *where), "--format document:"),
        (("init", *where), f"--store: {store} holds a store already"),
        (("banks", "create", "low", *where), "argument NAME: want 1 to 64 of A-Z"),
        (("banks", "create", "REMOVED", *where), "REMOVED: there is such a bank"),
        (("banks", "set", "OTHER", *where), "OTHER: no such bank"),
        (("banks", "clear", "REMOVED", *where), "--yes: missing"),
        (("banks", "set", "REMOVED", "--pdq-max-distance", "65", *where), "want 0 to 64"),
    ):
        done = run(*arguments)
        assert done.returncode == ExitCode.USAGE, arguments
        assert said in done.stderr.decode(), arguments
    assert listed(store) == []


def test_full_store_keeps_what_was_committed(tmp_path: Path) -> None:
    store = tmp_path / "store"
    create_store(store, map_size_bytes=1 << 20)
    feed = write(tmp_path / "list.txt", pdq_lines(20_000))
    load = ("load", feed, "--bank", "REMOVED", "--create-bank", "--store", store)
    done = run(*load, "--batch-size", 500)
    assert done.returncode == ExitCode.STORE_FULL
    assert "map size" in one_line(done.stderr)
    kept = listed(store)
    assert kept
    assert len(kept) % 500 == 0
    assert run_json("verify", "--store", store)["clean"]


def test_damaged_store_is_found_by_verify(store: Path, tmp_path: Path) -> None:
    run("load", write(tmp_path / "a.txt", pdq_lines(100)), "--bank", "REMOVED", "--store", store)
    data = store / "data.mdb"
    content = data.read_bytes()
    # In the item's record and in the key of the reverse map.
    assert content.count(value(50)) >= 2
    data.write_bytes(content.replace(value(50), value(5000)))
    found = run_json("verify", "--store", store, code=ExitCode.STORE_DAMAGED)
    assert not found["clean"]
    assert "checksum" in " ".join(found["findings"])


def test_banks_are_made_changed_and_cleared(store: Path, tmp_path: Path) -> None:
    where = ("--store", store)
    run("banks", "create", "CLEARED", "--role", "cleared", "--pdq-max-distance", 8, *where)
    run("banks", "set", "CLEARED", "--pdq-min-quality", 20, "--note", "a [b] note", *where)
    run("banks", "disable", "CLEARED", *where)
    with LmdbReader(store) as reader:
        bank = reader.banks()[1]
    assert (bank.policy.role, bank.policy.enabled) == (BankRole.CLEARED, False)
    assert bank.policy.types == {**default_types(), HashType.PDQ: TypePolicy(8, 20)}
    shown = run("banks", "list", *where).stdout.decode()
    assert "a [b] note" in shown
    assert run_json("banks", "enable", "CLEARED", *where)["enabled"]
    run("load", write(tmp_path / "a.txt", pdq_lines(3)), "--bank", "REMOVED", *where)
    cleared = run_json("banks", "clear", "REMOVED", "--yes", "--reason", "why", *where)
    assert cleared["removed_items"] == 3
    assert run_json("banks", "clear", "REMOVED", "--yes", *where)["removed_items"] == 0


def test_log_tells_every_change_and_no_hash(store: Path, tmp_path: Path) -> None:
    feed = write(tmp_path / "a.txt", pdq_lines(3))
    run("load", feed, "--bank", "REMOVED", "--store", store)
    run("withdraw", "-", "--reason", "case 12", "--store", store, stdin=feed.read_bytes()[:65])
    lines = run("log", "--store", store, "--json").stdout.splitlines()
    records = [json.loads(line) for line in lines]
    assert [(r["sequence"], r["kind"], r["bank"], r["banks"]) for r in records] == [
        (1, "bank", "REMOVED", ["REMOVED"]),
        (2, "load", "REMOVED", ["REMOVED"]),
        (3, "withdraw", "REMOVED", ["REMOVED"]),
    ]
    assert [(r["added_hashes"], r["removed_hashes"], r["entry_count"]) for r in records] == [
        (0, 0, 0),
        (3, 0, 3),
        (0, 1, 2),
    ]
    assert [r["reason"] for r in records] == ["REMOVED", "load a.txt", "case 12"]
    shown = run("log", "--store", store, "--last", 1).stdout.decode()
    assert "case 12" in shown
    assert "load a.txt" not in shown
    assert value(0).hex() not in str(lines)


def test_log_tells_the_banks_that_a_withdrawal_took_from(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with LmdbWriter(store) as writer:
        names = ["REMOVED", "OTHER", "THIRD"]
        banks = [writer.put_bank(name, BankPolicy()).bank_id for name in names]
        for bank_id in banks:  # the ids 1 and 2, 3 and 4, 5 and 6
            writer.load(bank_id, [picture(1), picture(2)])
        for ids in ([6], [2, 3], [1, 4, 5]):
            writer.withdraw([ItemId(number) for number in ids])
        writer.clear(banks[0])
    assert main(["log", "--store", str(store), "--json", "--last", "3"]) == ExitCode.DONE
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["banks"] for one in told] == [["THIRD"], ["REMOVED", "OTHER"], names]
    assert [one["bank"] for one in told] == ["THIRD", None, None]
    assert main(["log", "--store", str(store), "--last", "2"]) == ExitCode.DONE
    assert "REMOVED, OTHER " in capsys.readouterr().out


def test_withdraw_takes_items_by_hash_id_and_label(store: Path, tmp_path: Path) -> None:
    where = ("--store", store)
    rows = [
        f"{i},pdq,{value(i).hex()},S{i % 2}\n{i},md5,{value(i, 16).hex()},S{i % 2}\n"
        for i in range(6)
    ]
    feed = write(tmp_path / "a.csv", "item,hash_type,value,source\n" + "".join(rows))
    run("load", feed, "--bank", "REMOVED", *where)
    hashes = f"md5 {value(0, 16).hex()}\n{value(0).hex()}\n{value(99).hex()}\nbad\n".encode()
    for dry in (("--dry-run",), ()):
        found = run_json("withdraw", "-", *where, *dry, stdin=hashes, code=ExitCode.REJECTS)
        told = [found[k] for k in ("asked", "removed_items", "removed_hashes", "not_listed")]
        assert told == [3, 1, 2, 1]
    assert len(listed(store)) == 5
    found = run_json("withdraw", "--item", 3, "--item", 3, "--item", 4, *where)
    assert [found[k] for k in ("asked", "removed_items", "not_listed")] == [2, 1, 1]
    found = run_json("withdraw", "--source", "S1", "--bank", "REMOVED", *where)
    assert found["removed_items"] == 2
    assert {labels.source for _, labels in listed(store)} == {"S0"}
    assert run_json("withdraw", "--source", "S1", *where)["removed_items"] == 0
    assert run_json("verify", *where)["clean"]


def test_withdraw_from_one_bank_leaves_the_others(store: Path, tmp_path: Path) -> None:
    feed = write(tmp_path / "a.txt", pdq_lines(2))
    for bank in ("REMOVED", "OTHER"):
        run("load", feed, "--bank", bank, "--create-bank", "--store", store)
    run("withdraw", feed, "--bank", "OTHER", "--store", store)
    assert (len(listed(store)), len(listed(store, "OTHER"))) == (2, 0)


def test_export_is_for_its_owner_and_replaces_whole(store: Path, tmp_path: Path) -> None:
    out = write(tmp_path / "out.csv", "old")
    done = run("export", out, "--bank", "REMOVED", "--store", store)
    assert done.returncode == ExitCode.DONE
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text(encoding="utf-8").startswith("hash_type,value,")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "store"]
    done = run("export", tmp_path / "none" / "out.csv", "--bank", "REMOVED", "--store", store)
    assert done.returncode == ExitCode.FILE
    assert "No such file" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("name", "kind", "code", "said"),
    [
        (".", "vpdq", ExitCode.USAGE, ".: the current folder"),
        ("..", "vpdq", ExitCode.USAGE, "..: the current folder"),
        ("/", "vpdq", ExitCode.USAGE, "/: the current folder"),
        ("-", "vpdq", ExitCode.USAGE, "-: want a folder"),
        ("used", "vpdq", ExitCode.FILE, "used: not empty"),
        ("used/a", "vpdq", ExitCode.FILE, "used/a: a file"),
        ("none/a", "vpdq", ExitCode.FILE, "none/a: No such file"),
        (".", "csv", ExitCode.FILE, ".: a folder"),
        ("used", "csv", ExitCode.FILE, "used: a folder"),
        ("none/a", "ndjson", ExitCode.FILE, "none/a: No such file"),
    ],
)
def test_export_that_cannot_be_written_names_what_was_typed(
    name: str,
    kind: str,
    code: ExitCode,
    said: str,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(store.parent)
    Path("used").mkdir()
    write(Path("used/a"), "old")
    words = ["export", name, "--bank", "REMOVED", "--store", str(store), "--format", kind]
    assert main(words) == code
    assert capsys.readouterr().err.startswith(f"indexer: {said}")
    assert sorted(path.name for path in Path().rglob("*.part")) == []
    assert Path("used/a").read_text() == "old"


def test_reader_that_leaves_is_no_fault(store: Path, tmp_path: Path) -> None:
    feed = write(tmp_path / "a.txt", pdq_lines(5_000))
    run("load", feed, "--bank", "REMOVED", "--store", store)
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            command("export", "-", "--bank", "REMOVED", "--store", store),
            stdout=write_end,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment(),
            timeout=LIMIT_S,
            check=False,
        )
    finally:
        os.close(write_end)
    assert done.returncode == ExitCode.FILE
    assert done.stderr == b""


def test_text_that_is_not_utf8_is_refused_or_written_out(store: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"odd-\xff")
    where = ("--bank", "REMOVED", "--store", store)
    assert run("load", "-", *where, "--reason", odd).returncode == ExitCode.USAGE
    assert run("load", "-", *where, "--category", odd).returncode == ExitCode.USAGE
    assert run("banks", "set", "REMOVED", "--note", odd, "--store", store).returncode == 2
    feed = write(tmp_path / odd, pdq_lines(1))
    assert run("load", feed, *where).returncode == ExitCode.DONE
    assert b"load odd-\\udcff" in run("log", "--store", store).stdout


def test_every_subcommand_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["init", "load", "withdraw", "export", "stat", "log", "verify"]
    actions = ["list", "create", "set", "enable", "disable", "clear"]
    groups: list[list[str]] = [[], ["banks"]]
    for words in groups + [[name] for name in names] + [["banks", action] for action in actions]:
        with pytest.raises(SystemExit) as ended:
            parser().parse_args([*words, "--help"])
        assert ended.value.code == 0
        assert "examples:\n  python -m indexer" in capsys.readouterr().out


def test_policy_of_a_new_bank_is_the_default(tmp_path: Path) -> None:
    store = tmp_path / "store"
    create_store(store)
    run("load", "-", "--bank", "NEW", "--create-bank", "--store", store)
    with LmdbReader(store) as reader:
        assert reader.banks()[0].policy == BankPolicy()
