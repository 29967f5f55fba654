"""What README.md and docs/sdk.md tell to type is run, and says what they say it does."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import firstseen
from bench.running import RunningServer, environment, running_server
from tests.conftest import ROOT

PHOTOS = ROOT / "tests" / "data" / "photos"


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def told(code: str) -> list[str]:
    """The lines that an example says it prints: comments after `print`, and of the first column."""
    lines = code.splitlines()
    after_print = re.compile(r"^\s*print\(.*\)  # (.*)$")
    found = [after_print.match(line) or re.match(r"# (.*)$", line) for line in lines]
    return [line[1] for line in found if line]


EXAMPLES = [
    (page, code) for page in ("README.md", "docs/sdk.md") for code in blocks(page, "python")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that lists what the README's does."""
    folder = tmp_path_factory.mktemp("docs")
    listed = folder / "removed"
    listed.mkdir()
    for photo in PHOTOS.glob("[b-l]*.jpg"):
        shutil.copy(photo, listed)
    words = ["load", str(listed), "--bank", "REMOVED", "--create-bank"]
    for command in (["init"], words):
        subprocess.run(
            [sys.executable, "-m", "indexer", *command, "--store", str(folder / "store")],
            env=environment(),
            check=True,
            capture_output=True,
        )
    with running_server(folder / "store") as running:
        yield running


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The folder in which the examples run."""
    for name in ("leaf.jpg", "pier.jpg"):
        shutil.copy(PHOTOS / name, tmp_path / name)
    shutil.copy(PHOTOS / "leaf.jpg", tmp_path / "picture.jpg")
    (tmp_path / "broken.jpg").write_bytes((PHOTOS / "leaf.jpg").read_bytes()[:200])
    (tmp_path / "ca.pem").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(("page", "code"), EXAMPLES, ids=lambda text: text.split("\n")[0][:40])
def test_example_prints_what_it_says(
    page: str, code: str, server: RunningServer, app: Path
) -> None:
    here = code.replace("localhost:50051", server.match).replace("localhost:50052", server.review)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", here],
        cwd=app,
        env={**environment(), "GRPC_VERBOSITY": "NONE"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == told(code)


def test_every_error_and_option_is_told() -> None:
    text = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
    errors = [name for name in firstseen.__all__ if name.endswith("Error")]
    options = firstseen.Options.__slots__
    assert [name for name in (*errors, *options) if f"`{name}" not in text] == []
    for name in options:
        value = getattr(firstseen.Options(), name)
        if f"`{name}` (" in text:
            assert f"`{name}` ({value:,})" in text


def anchors(page: Path) -> set[str]:
    """What a link can lead to on a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    lost = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            if "://" not in link and not (
                target.exists() and (not anchor or anchor in anchors(target))
            ):
                lost.append(f"{page.relative_to(ROOT)}: {link}")
    assert pages
    assert lost == []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@pytest.mark.slow  # a dozen programs start, one after another
def test_readme_runs_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    # What `make` sets up: the interpreter that runs the tests, and the `firstseen` command.
    commands = tmp_path / ".venv" / "bin"
    commands.mkdir(parents=True)
    for name, module in (("python", ""), ("firstseen", "-m firstseen.cli")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (commands / name).chmod(0o755)
    (commands / "activate").write_text(f'PATH="{commands}:$PATH"\n')
    (block,) = [block for block in blocks("README.md", "") if "-m indexer init" in block]
    for port in ("50051", "50052"):
        block = block.replace(port, str(free_port()))
    done = subprocess.run(
        ["bash", "-c", block],
        cwd=tmp_path,
        env={**environment(), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    log = (tmp_path / "try" / "server.log").read_text()
    assert done.stderr == "3 files: 2 KNOWN, 1 NOVEL\n", done.stdout + log
    checked = re.findall(r"^([A-Z]+) +[\d,]+ ms  .*/([a-z-]+)\.", done.stdout, re.MULTILINE)
    assert checked == [
        ("KNOWN", "leaf-turned"),
        ("NOVEL", "pier"),
        ("KNOWN", "short"),
        ("NOVEL", "leaf-turned"),
    ]
    assert "match  item" in done.stdout
    assert "   1  NOVEL " in done.stdout
    assert (tmp_path / "try" / "removed.csv").read_text().count("\n") > 100
