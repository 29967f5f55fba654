"""A server with faults built in, run in place of `python -m server` by the tests.

    faulty_server.py FAULT [options of the server]

FAULT is `calls` (a video crashes with its hashes in the exception's text, a document takes long),
`leak` (every hash is written to stderr: the control of the privacy test),
`busy=FILE` (no document is answered until the file exists), or
`hold=FILE` (nothing is loaded until then).
"""

import runpy
import sys
import threading
from collections.abc import Collection
from pathlib import Path

from engine.entries import ItemId
from engine.follower import Follower
from engine.hashes import Item, MediaType
from engine.snapshot import Snapshot
from engine.verdict import Verdict

SLOW_S = 1.0

_judge = Snapshot.judge
_poll = Follower.poll


def hex_of(item: Item) -> str:
    """What must never be seen."""
    return " ".join(bytes(hash_.value).hex() for hash_ in item.hashes)


def judge_with_faults(self: Snapshot, item: Item, without: Collection[ItemId] = ()) -> Verdict:
    """Crashes or takes long, by the media type."""
    if item.media_type is MediaType.VIDEO:
        raise ValueError(hex_of(item), [bytes(hash_.value) for hash_ in item.hashes])
    if item.media_type is MediaType.DOCUMENT:
        threading.Event().wait(SLOW_S)
    return _judge(self, item)


def judge_with_a_leak(self: Snapshot, item: Item, without: Collection[ItemId] = ()) -> Verdict:
    """Writes what it is asked."""
    sys.stderr.write(hex_of(item) + "\n")
    return _judge(self, item)


def judge_when_allowed(self: Snapshot, item: Item, without: Collection[ItemId] = ()) -> Verdict:
    """Answers no document before the file is there."""
    if item.media_type is MediaType.DOCUMENT:
        await_file()
    return _judge(self, item, without)


def poll_when_allowed(self: Follower) -> bool:
    """Loads nothing before the file is there."""
    await_file()
    return _poll(self)


def await_file() -> None:
    """Waits for the file that the fault names."""
    while not Path(file).exists():
        threading.Event().wait(0.01)


fault, _, file = sys.argv.pop(1).partition("=")
if fault == "calls":
    Snapshot.judge = judge_with_faults  # type: ignore[method-assign]
elif fault == "leak":
    Snapshot.judge = judge_with_a_leak  # type: ignore[method-assign]
elif fault == "busy":
    Snapshot.judge = judge_when_allowed  # type: ignore[method-assign]
else:
    Follower.poll = poll_when_allowed  # type: ignore[method-assign]
runpy.run_module("server", run_name="__main__", alter_sys=True)
