"""The wheel holds the SDK and nothing else, and asks for nothing that only a server needs."""

import email
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built now from the checkout."""
    out_dir = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            str(out_dir),
        ],
        cwd=root,
        check=True,
    )
    (path,) = out_dir.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_built_holds_only_the_sdk(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert tops == {"firstseen", "firstseen-0.1.0.dist-info"}


def test_wheel_built_holds_what_the_checkout_holds(root: Path, wheel: zipfile.ZipFile) -> None:
    source = root / "client"
    ours = {
        path.relative_to(source).as_posix()
        for path in (source / "firstseen").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in wheel.namelist() if name.startswith("firstseen/")} == ours
    assert "firstseen/py.typed" in ours
    assert "firstseen/v1/match_pb2.pyi" in ours


def test_wheel_metadata_names_the_command_and_no_server_package(wheel: zipfile.ZipFile) -> None:
    metadata = email.message_from_bytes(wheel.read("firstseen-0.1.0.dist-info/METADATA"))
    required = " ".join(metadata.get_all("Requires-Dist", []))
    scripts = wheel.read("firstseen-0.1.0.dist-info/entry_points.txt").decode()

    assert "firstseen = firstseen.__main__:main" in scripts
    assert metadata["Requires-Python"] == ">=3.11"
    for package in ("faiss", "lmdb", "reflection", "health", "numba"):
        assert package not in required
