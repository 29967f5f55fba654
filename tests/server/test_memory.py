"""What the processes of a server have for themselves, on a list of a million."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from bench.running import config_text, environment, running_server
from bench.stores import make_store, sent_item
from bench.workload import Workload
from firstseen import Client, Plaintext
from server.config import IndexConfig, read_config
from tests.server.worlds import PATIENT

pytestmark = pytest.mark.slow

ENTRIES: Final = 1_000_000
# 6 GB for ten million: 600 bytes an entry, over what the process has before it reads any.
BUILDER_BYTES: Final = 600 * ENTRIES
WORKER_BYTES: Final = 200 << 20
CHECKS: Final = 500

BUILDS: Final = """
import json, re, sys, threading
from pathlib import Path
from engine.clock import SystemClock
from server.builder import Builder
from server.config import read_config

def anonymous_bytes():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\\s*(\\d+) kB", status)[1]) << 10

peak, end = [anonymous_bytes()], threading.Event()
before = peak[0]

def watch():
    while not end.wait(0.01):
        peak[0] = max(peak[0], anonymous_bytes())

watching = threading.Thread(target=watch)
watching.start()
builder = Builder(read_config(Path(sys.argv[1])), SystemClock())
builder.step()
end.set()
watching.join()
builder.close()
print(json.dumps({"before": before, "peak": peak[0]}))
"""


@pytest.fixture(scope="module")
def work() -> Workload:
    return Workload(ENTRIES)


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory, work: Workload) -> Path:
    """The configuration of a server of the list; there is no segment yet."""
    folder = tmp_path_factory.mktemp("million")
    make_store(folder / "store", work.listed())
    file = folder / "firstseen.toml"
    file.write_text(config_text(folder / "store"))
    return file


@pytest.fixture(scope="module")
def built(config_file: Path) -> dict[str, int]:
    """The anonymous memory of a builder, before it began and at most."""
    done = subprocess.run(
        [sys.executable, "-c", BUILDS, str(config_file)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    bytes_: dict[str, int] = json.loads(done.stdout)
    return bytes_


def own_bytes(pid: int, shared: Path) -> int:
    """What a process has mapped that no other has, without the files of a folder.

    A page of a segment that only one process has looked at is counted as private by the system,
    though it is the page cache's.
    """
    total, is_counted = 0, True
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_counted = str(shared) not in line
        elif is_counted and (found := re.match(r"Private_(?:Clean|Dirty):\s*(\d+) kB", line)):
            total += int(found[1]) << 10
    return total


def test_builder_builds_within_its_share_of_six_gigabytes(built: dict[str, int]) -> None:
    assert 0 < built["peak"] - built["before"] <= BUILDER_BYTES


def test_worker_has_little_beyond_the_segment(
    config_file: Path, built: dict[str, int], work: Workload
) -> None:
    config = read_config(config_file)
    assert config.index == IndexConfig(segments=config_file.parent / "segments")
    (segment,) = config.index.segments.glob("0*")
    assert sum(file.stat().st_size for file in segment.iterdir()) > 100 * ENTRIES
    index = {"segments": str(config.index.segments)}
    with running_server(config.store.path, {"index": index, "server": {"workers": 2}}) as server:
        assert server.output().count(b'"segment_adopted"') >= 2
        with Client(server.match, Plaintext(), PATIENT) as client:
            for value in work.queries(CHECKS, work.listed()):
                client.check(sent_item(np.asarray(value)))
        own = [own_bytes(pid, config_file.parent) for pid in server.worker_pids()]
    assert max(own) <= WORKER_BYTES
