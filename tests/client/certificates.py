"""Certificates for a test, made by the `openssl` command."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    """A self-signed certificate for `localhost` and its key, as PEM files."""

    certificate: Path
    key: Path


def make_pair(folder: Path, name: str) -> Pair:
    """Makes a pair; skips the test where there is no `openssl`."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", pair.key, "-out", pair.certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return pair
