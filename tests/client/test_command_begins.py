"""Ctrl-C before there is anything to stop."""

import subprocess
import sys

import pytest

from bench.running import environment

# Sends the signal as soon as the module is asked for.
_STOPPED_AT = """
import os, signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["firstseen", "--help"]
from firstseen.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("name", ["firstseen.cli", "grpc", "numpy"])
def test_stopped_while_it_is_loaded_ends_quietly(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STOPPED_AT.format(name=name)],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_package_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "firstseen", "--help"],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert b"usage: firstseen " in done.stdout
