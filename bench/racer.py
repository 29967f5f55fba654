"""One index in a race, in a process of its own: it does what lines on its stdin say.

Every index, ours and each peer's, is measured by this same loop and answers in JSON, one line for
each line. So rounds of all of them interleave, each has its memory to itself, and a peer
may live in an environment of its own: this file needs numpy and nothing of the project.

    build FILE             list the hashes of a .npy file      build_s, bytes
    ask FILE               queries from now on                 count
    round SECONDS FIRST    one by one for a while, a batch     times_us, batch_us
    threads N SECONDS      one by one in N threads             per_s
    found N                rows found for the first N          found
"""

import ctypes
import gc
import json
import re
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

BATCH: Final = 64
_WARM_UP_ROWS: Final = 20_000  # enough for an index to be what it is with many

Values = npt.NDArray[np.uint8]
Answer = dict[str, Any]


class Racer(ABC):
    """An index, with its queries in the form that its callers have them in."""

    @abstractmethod
    def __init__(self, values: Values) -> None:
        """Indexes the values, shape (n, 32)."""

    @abstractmethod
    def prepared(self, queries: Values) -> Sequence[Any]:
        """Single queries as `search` takes them."""

    @abstractmethod
    def search(self, query: Any) -> Any:  # noqa: ANN401
        """Asks for everything within 31 bits of one query."""

    @abstractmethod
    def search_batch(self, queries: Sequence[Any]) -> None:
        """Asks with many at once."""

    @abstractmethod
    def rows(self, query: Any) -> Iterable[int]:  # noqa: ANN401
        """The rows within 31 bits that a query finds."""


class _Track:
    """What the lines act on."""

    def __init__(self, make: Callable[[Values], Racer]) -> None:
        self._make = make
        self._racer = make(np.zeros((0, 32), np.uint8))
        self._queries: Sequence[Any] = ()
        self._warm = False

    def build(self, file: str) -> Answer:
        """Lists a file, after a small list has compiled and loaded what there is to."""
        listed = np.load(file, mmap_mode="r")
        if not self._warm:
            self._racer = self._make(np.array(listed[:_WARM_UP_ROWS]))
            self._racer.search(self._racer.prepared(np.array(listed[:1]))[0])
            self._warm = True
        self._racer = self._make(listed[:0])  # the list before is not to be counted
        before = _memory_bytes()
        # A copy, so that an index which keeps the values it is given has them counted.
        own = np.array(listed)
        start_s = time.perf_counter()
        self._racer = self._make(own)
        build_s = time.perf_counter() - start_s
        del own
        return {"build_s": build_s, "bytes": _memory_bytes() - before}

    def ask(self, file: str) -> Answer:
        self._queries = self._racer.prepared(np.load(file))
        return {"count": len(self._queries)}

    def round(self, seconds: str, first: str) -> Answer:
        start = int(first) % len(self._queries)
        queries = [*self._queries[start:], *self._queries[:start]]
        times_us, end_s = [], time.perf_counter() + float(seconds)
        search = self._racer.search
        for query in queries:
            start_ns = time.perf_counter_ns()
            search(query)
            end_ns = time.perf_counter_ns()
            times_us.append((end_ns - start_ns) / 1000)
            if end_ns > end_s * 1e9:
                break
        batch = queries[:BATCH]
        start_s = time.perf_counter()
        self._racer.search_batch(batch)
        return {
            "times_us": times_us,
            "batch_us": (time.perf_counter() - start_s) * 1e6 / len(batch),
        }

    def threads(self, count: str, seconds: str) -> Answer:
        threads, duration_s = int(count), float(seconds)
        done = [0] * threads
        ready = threading.Barrier(threads + 1)
        ends_s = [0.0]

        def work(number: int) -> None:
            ready.wait()
            at = number * len(self._queries) // threads
            # One at least: on a busy machine a short time may be over before it begins.
            while not done[number] or time.perf_counter() < ends_s[0]:
                self._racer.search(self._queries[at % len(self._queries)])
                at += 1
                done[number] += 1

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        start_s = time.perf_counter()
        ends_s[0] = start_s + duration_s
        ready.wait()
        for worker in workers:
            worker.join()
        return {"per_s": sum(done) / (time.perf_counter() - start_s)}

    def found(self, count: str) -> Answer:
        rows = [sorted(map(int, self._racer.rows(q))) for q in self._queries[: int(count)]]
        return {"found": rows}


def _memory_bytes() -> int:
    """What this process has to itself once it gave back what it freed; no pages of files."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim:
        trim(0)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def serve(make: Callable[[Values], Racer]) -> None:
    """Does what stdin says until it ends."""
    track = _Track(make)
    commands: dict[str, Callable[..., Answer]] = {
        "build": track.build,
        "ask": track.ask,
        "round": track.round,
        "threads": track.threads,
        "found": track.found,
    }
    print("{}", flush=True)
    for line in sys.stdin:
        name, *words = line.rstrip("\n").split("\t")
        print(json.dumps(commands[name](*words)), flush=True)
