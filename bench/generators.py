"""The processes that load a server, driven as one: a job is split among them and their logs joined.

Also what a tree of processes spent of the processor, which tells what a call costs the server
whatever else the machine does meanwhile.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Self

from bench.histogram import Histogram
from bench.load_client import Job
from bench.running import OWN_GROUP, ROOT, environment, killing

PROCESSES: Final = 2  # one for each core of the smallest machine that this is run on
_LEAD_S: Final = 0.02  # from the word to begin until they do
_STRIDE: Final = 997  # requests between the first ones of two processes


class GeneratorError(Exception):
    """A process that makes load ended."""


@dataclass(frozen=True, slots=True)
class Load:
    """What some load got.

    Attributes:
        latencies: of the calls or items that were answered.
        errors: of those that were not, by status.
        elapsed_s: until the last answer.
    """

    latencies: Histogram
    errors: Counter[str]
    elapsed_s: float

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.latencies.count / self.elapsed_s

    @classmethod
    def joined(cls, parts: Sequence["Load"]) -> Self:
        """Several, one after another."""
        return cls(
            Histogram.merged(part.latencies.encoded() for part in parts),
            sum((part.errors for part in parts), Counter()),
            sum(part.elapsed_s for part in parts),
        )


class Generators:
    """Processes of `load_client` that wait for jobs."""

    def __init__(self, processes: Sequence["subprocess.Popen[str]"]) -> None:
        self._processes = processes

    def run(self, job: Job) -> Load:
        """Does a job with all of them: its clients or its rate are shared out.

        Raises:
            GeneratorError: one ended.
        """
        parts = _split(job, len(self._processes))
        busy = self._processes[: len(parts)]
        for process, part in zip(busy, parts, strict=True):
            self._write(process, json.dumps(asdict(part)))
        for process in busy:
            self._read(process)
        start_s = time.monotonic() + _LEAD_S
        for number, process in enumerate(busy):
            # Open loop: between two of one process's checks leaves one of each other.
            shift_s = number / job.rate_per_s if job.mode == "open" else 0.0
            self._write(process, repr(start_s + shift_s))
        logs = [json.loads(self._read(process)) for process in busy]
        return Load(
            Histogram.merged(log["latencies"] for log in logs),
            sum((Counter(log["errors"]) for log in logs), Counter()),
            max(log["elapsed_s"] for log in logs),
        )

    def _write(self, process: "subprocess.Popen[str]", line: str) -> None:
        if process.stdin is None or process.poll() is not None:
            raise GeneratorError(f"a load generator ended with exit code {process.poll()}")
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def _read(self, process: "subprocess.Popen[str]") -> str:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise GeneratorError(f"a load generator ended with exit code {process.wait()}")
        return line


@contextmanager
def generators(count: int = PROCESSES) -> Iterator[Generators]:
    """Runs so many processes for the block."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.load_client"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=OWN_GROUP,
        )
        for _ in range(count)
    ]
    try:
        with killing(processes):
            yield Generators(processes)
    finally:
        for process in processes:
            process.communicate()


def _split(job: Job, count: int) -> list[Job]:
    """The parts of a job for so many processes, or for fewer when it has not that many clients."""
    if job.mode == "open":
        return [
            replace(job, rate_per_s=job.rate_per_s / count, first=job.first + number * _STRIDE)
            for number in range(count)
        ]
    shares = [len(range(number, job.clients, count)) for number in range(count)]
    return [
        replace(job, clients=share, first=job.first + number * _STRIDE)
        for number, share in enumerate(shares)
        if share
    ]


def processor_s(pid: int) -> float:
    """Seconds of processor time of a process and of those below it; 0 where there is no /proc."""
    parents, spent_s = {}, {}
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has just ended
            continue
        # The name, in parentheses, may hold spaces.
        fields = text.rpartition(")")[2].split()
        own = int(path.parent.name)
        parents[own], spent_s[own] = int(fields[1]), (int(fields[11]) + int(fields[12])) * tick_s
    tree = {pid}
    while below := {own for own, parent in parents.items() if parent in tree} - tree:
        tree |= below
    return sum(spent_s.get(own, 0.0) for own in tree)
