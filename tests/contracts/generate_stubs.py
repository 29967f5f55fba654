"""Makes the Python stubs of `proto/` with grpcio-tools, or says where committed ones differ.

    python -m tests.contracts.generate_stubs client           # write them
    python -m tests.contracts.generate_stubs --check client   # compare, write nothing

The bytes depend on the version of grpcio-tools, which requirements.lock pins. The packages'
`__init__.py` are written by hand and are not touched.
"""

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTO_DIR = ROOT / "proto"


def generate(out_dir: Path) -> list[Path]:
    """Generates every stub below `out_dir`.

    Args:
        out_dir: An existing folder that gets `firstseen/v1/*_pb2*.py[i]`.

    Returns:
        The stubs' paths relative to `out_dir`, sorted.

    Raises:
        subprocess.CalledProcessError: The contract does not compile.
    """
    # google/rpc/status.proto comes with googleapis-common-protos, beside its Python modules.
    site_packages = sysconfig.get_path("purelib")
    sources = [
        path.relative_to(PROTO_DIR).as_posix() for path in sorted(PROTO_DIR.rglob("*.proto"))
    ]
    outputs = [f"--{kind}_out={out_dir}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-I",
            ".",
            "-I",
            site_packages,
            *outputs,
            *sources,
        ],
        cwd=PROTO_DIR,
        check=True,
    )
    return stubs_in(out_dir)


def stubs_in(folder: Path) -> list[Path]:
    """Returns the generated files below `folder`, relative to it, sorted."""
    return sorted(
        path.relative_to(folder) for path in folder.rglob("*_pb2*.py*") if path.suffix != ".pyc"
    )


def differences(committed_dir: Path) -> list[str]:
    """Says, a line each, where the stubs below `committed_dir` are not what `proto/` gives."""
    with tempfile.TemporaryDirectory() as temporary:
        fresh_dir = Path(temporary)
        fresh = set(generate(fresh_dir))
        committed = set(stubs_in(committed_dir))
        lines = [f"{path}: missing" for path in fresh - committed]
        lines += [f"{path}: made from no file of proto/" for path in committed - fresh]
        lines += [
            f"{path}: differs from what proto/ gives"
            for path in fresh & committed
            if (fresh_dir / path).read_bytes() != (committed_dir / path).read_bytes()
        ]
    return sorted(lines)


def main() -> int:
    """Runs the command; returns its exit code, 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(
        prog="generate_stubs", description="Stubs of proto/ for Python."
    )
    parser.add_argument("folder", type=Path, help="where firstseen/v1 lies")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    if not arguments.check:
        generate(folder)
        return 0
    found = differences(folder)
    for line in found:
        sys.stderr.write(f"{line}; run `make stubs`\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
