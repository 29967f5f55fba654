"""The cache of compiled code: found again, and never taken for another source's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LOOP = """
from engine.compiled import INT64, UINT64, array, compiled, popcount

@compiled(array(UINT64, 1), INT64)
def count(words, shift):
    return popcount(words[0]) + shift
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
