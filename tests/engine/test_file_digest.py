"""Digests of files, and how processes that start together share them."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.running import environment
from engine import file_digest as module
from engine.file_digest import VALID_MS, SharedDigests, file_digest
from tests.engine.values import FakeClock

BLOCK = 16 << 20


@pytest.fixture
def shared_fd() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(b"content")
    return made


class Counted:
    """Stands for `file_digest` and counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        monkeypatch.setattr(module, "file_digest", self)

    def __call__(self, file: Path) -> str:
        self.calls += 1
        return file_digest(file)


def test_digest_is_that_of_the_digests_of_blocks(tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 33 + b"rest"
    (tmp_path / "file").write_bytes(content)
    blocks = [content[i : i + BLOCK] for i in range(0, len(content), BLOCK)]
    want = hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in blocks))
    assert file_digest(tmp_path / "file") == want.hexdigest()


def test_file_was_just_digested_another_process_believes_it(
    file: Path, shared_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, clock = Counted(monkeypatch), FakeClock()
    found = {SharedDigests(shared_fd, clock).digest(file) for _ in range(3)}
    assert found == {file_digest(file)}
    assert counted.calls == 1


def test_file_was_digested_long_ago_it_is_digested_again(
    file: Path, shared_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, clock = Counted(monkeypatch), FakeClock()
    digests = SharedDigests(shared_fd, clock)
    digests.digest(file)
    clock.now_ms += VALID_MS
    digests.digest(file)
    assert counted.calls == 1
    clock.now_ms += 1
    digests.digest(file)
    assert counted.calls == 2


def test_file_is_written_or_replaced_it_is_digested_again(file: Path, shared_fd: int) -> None:
    digests = SharedDigests(shared_fd, FakeClock())
    before = digests.digest(file)
    status = file.stat()
    with file.open("r+b") as stream:
        stream.write(b"C")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if nothing had been written
    written = digests.digest(file)
    other = file.with_name("other")
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)
    assert len({before, written, digests.digest(file)}) == 3


def test_file_is_written_while_it_is_digested_nobody_is_told(
    file: Path, shared_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(path: Path) -> str:
        found = file_digest(path)
        path.write_bytes(b"longer content")
        return found

    digests = SharedDigests(shared_fd, FakeClock())
    with monkeypatch.context() as patch:
        patch.setattr(module, "file_digest", meanwhile)
        digests.digest(file)
    assert digests.digest(file) == file_digest(file)


def test_process_died_while_it_told_the_rest_is_believed(file: Path, shared_fd: int) -> None:
    digests = SharedDigests(shared_fd, FakeClock())
    os.pwrite(shared_fd, b'{"stamp": [1, 2\n', 0)
    assert digests.digest(file) == file_digest(file)
    lines = os.pread(shared_fd, 10_000, 0).splitlines()
    assert json.loads(lines[1])["digest"] == file_digest(file)


DIGESTS_AND_TELLS = """
import sys
from pathlib import Path
from engine import file_digest as module
from engine.clock import SystemClock
honest = module.file_digest
module.file_digest = lambda file: print("digested", flush=True) or honest(file)
sys.stdin.readline()
module.SharedDigests(int(sys.argv[1]), SystemClock()).digest(Path(sys.argv[2]))
"""


def test_processes_ask_together_one_digests(file: Path, shared_fd: int) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", DIGESTS_AND_TELLS, str(shared_fd), str(file)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(shared_fd,),
        )
        for _ in range(3)
    ]
    said = [process.communicate(b"go\n", timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert b"".join(said) == b"digested\n"
