"""The cache of compiled code: found again, and never taken for another source's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LOOP = """
from engine.compiled import INT64, UINT64, array, compiled, popcount
from helper import FACTOR, outer

@compiled(array(UINT64, 1), INT64)
def count(words, shift):
    return outer(popcount(words[0])) * FACTOR + shift
"""
HELPER = """
from engine.compiled import inlined
from inner import inner

FACTOR = 1

@inlined
def outer(number):
    return inner(number)
"""
INNER = """
from engine.compiled import leaf

@leaf
def inner(number):
    return number * 1
"""
ASKS = """
import numpy as np
from numba.core.caching import FunctionCache
found = []
load = FunctionCache.load_overload
FunctionCache.load_overload = lambda *given: found.append(load(*given)) or found[-1]
import loop
print(loop.count(np.array([7], np.uint64), 10), any(found))
"""


@pytest.fixture
def folder(tmp_path: Path, root: Path) -> Path:
    """A copy of the file, and a loop that is compiled by it."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    shutil.copy(root / "engine" / "compiled.py", tmp_path / "engine")
    (tmp_path / "loop.py").write_text(LOOP)
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "inner.py").write_text(INNER)
    return tmp_path


def answer(folder: Path) -> str:
    """What the loop gives in a new process, and whether its code was in the cache."""
    done = subprocess.run(
        [sys.executable, "-c", ASKS],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_same_source_is_compiled_once(folder: Path) -> None:
    assert [answer(folder) for _ in range(2)] == ["13 False", "13 True"]


def test_only_the_compiling_file_changes_the_loop_is_compiled_anew(folder: Path) -> None:
    assert answer(folder) == "13 False"
    own = folder / "engine" / "compiled.py"
    changed = own.read_text().replace("llvm.ctpop.i64", "llvm.bswap.i64")
    own.write_text(changed + "# of another size, for Python's own cache\n")
    assert answer(folder) == f"{10 + (7 << 56)} False"


@pytest.mark.parametrize(
    ("name", "before", "after", "want"),
    [
        ("helper.py", "return inner(number)", "return inner(number) + 40 ", "53 False"),
        ("helper.py", "FACTOR = 1", "FACTOR = 20", "70 False"),
        ("inner.py", "number * 1", "number * 30", "100 False"),
    ],
)
def test_only_what_a_loop_uses_changes_the_loop_is_compiled_anew(
    folder: Path, name: str, before: str, after: str, want: str
) -> None:
    assert answer(folder) == "13 False"
    source = (folder / name).read_text()
    (folder / name).write_text(source.replace(before, after))
    assert answer(folder) == want


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_cache_that_a_crash_cut_short_is_not_used(folder: Path, suffix: str) -> None:
    assert answer(folder) == "13 False"
    for path in (folder / "__pycache__").glob(f"loop.*.{suffix}"):
        os.truncate(path, 0)
    assert answer(folder).startswith("13 ")
