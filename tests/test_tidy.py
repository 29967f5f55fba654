"""The house rules that no linter knows, as ordinary tests.

A broken rule is named with its file and line. Style, imports between folders and types are ruff's,
import-linter's and mypy's.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import lru_cache

import pytest

from tests.conftest import ROOT

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70

# Heavy or unsafe in the wrong place: one file each knows them.
OWNERS = {
    "faiss": "engine/faiss_index.py",
    "lmdb": "engine/lmdb_env.py",
    "numba": "engine/compiled.py",
}

PRODUCT = ("bench", "client", "engine", "indexer", "server")
GENERATED = "client/firstseen/v1/"

# Written in pieces, so that this file does not break its own rules.
HOSTS = tuple(
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))
)
MACHINE_PATH = re.compile(r"(?<![\w.])/" + r"(?:home|root|Users|work)/\w")


@lru_cache
def tracked_files() -> tuple[str, ...]:
    """Returns the paths of the checkout's own files, those that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        names = listing.stdout.decode().split("\0")
    except (FileNotFoundError, subprocess.CalledProcessError):  # no git, or an unpacked archive
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
    kept = (
        name
        for name in names
        if name and not re.search(r"(^|/)(\.venv|\.git|__pycache__|\.\w+_cache)/", name)
    )
    return tuple(sorted(name for name in kept if (ROOT / name).is_file()))


def python_files(*folders: str) -> list[str]:
    """Returns the hand-written Python files below `folders`, or all of them."""
    return [
        name
        for name in tracked_files()
        if name.endswith(".py")
        and not (name.startswith(GENERATED) and "_pb2" in name)
        and (not folders or name.split("/")[0] in folders)
    ]


def texts() -> Iterator[tuple[str, str]]:
    """Yields every text file's path and content."""
    for name in tracked_files():
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a store


@lru_cache
def tree(name: str) -> ast.Module:
    """Returns the syntax tree of one file."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), filename=name)


def lines_matching(pattern: re.Pattern[str]) -> list[str]:
    """Returns `file:line` of every line of text that holds `pattern`."""
    return [
        f"{name}:{number}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def imported_packages(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yields the top-level package and the line of each import, wherever in the file it stands."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0], node.lineno


def test_checkout_is_searched_finds_the_code() -> None:
    assert "engine/hashes.py" in python_files("engine")
    assert not any("_pb2" in name for name in python_files())


def test_every_file_has_at_most_400_lines() -> None:
    lengths = {
        name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in python_files()
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_every_function_has_at_most_70_lines() -> None:
    too_long = [
        f"{name}:{node.lineno} {node.name}: {length} lines"
        for name in python_files()
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert too_long == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name for name in python_files() if tree(name).body and not ast.get_docstring(tree(name))
    ]
    assert silent == []


@pytest.mark.parametrize(("package", "owner"), OWNERS.items(), ids=OWNERS)
def test_package_with_an_owner_is_imported_there_only(package: str, owner: str) -> None:
    importers = {
        f"{name}:{line}"
        for name in python_files(*PRODUCT)
        for imported, line in imported_packages(tree(name))
        if imported == package and name != owner
    }
    assert importers == set()


def test_no_code_asks_who_is_calling() -> None:
    asking = [
        f"{name}:{node.lineno}"
        for name in python_files(*PRODUCT)
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "peer"
    ]
    assert asking == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert lines_matching(MACHINE_PATH) == []


def test_no_file_names_a_package_registry() -> None:
    assert lines_matching(re.compile("|".join(map(re.escape, HOSTS)))) == []


def test_lock_holds_names_versions_and_hashes_only() -> None:
    requirement = re.compile(r"[a-z0-9-]+==[0-9][\w.]*( ; [\w.' ()<>=!]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    odd = [line for line in lines if not (requirement.fullmatch(line) or digest.fullmatch(line))]
    assert lines
    assert odd == []
