"""Lets others have the core between the steps of long work.

A kernel leaves a thread on its core until its time slice is over, for some milliseconds, also when
one that has slept until now waits for it. A check takes one millisecond, and so waited several for
a load on the same core, often while the other core had nothing to do.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

_Step = TypeVar("_Step")

# How long to work between two offers. An offer takes half a microsecond when nobody waits.
TURN_NS: Final = 200_000
_OTHERS_SHARE: Final = 4  # times as much for others, where they always wait


class _Turn(threading.local):
    """When this thread's turn ends, whatever it works on."""

    end_ns = 0


_turn: Final = _Turn()


def offer() -> None:
    """Lets others have the core if the turn is over; also other threads of the interpreter."""
    offered_ns = time.monotonic_ns()
    if offered_ns < _turn.end_ns:
        return
    os.sched_yield()
    back_ns = time.monotonic_ns()
    # Where others always wait, a fifth of the time is kept.
    _turn.end_ns = back_ns + max(TURN_NS, (back_ns - offered_ns) // _OTHERS_SHARE)


def in_turns(steps: Iterable[_Step]) -> Iterator[_Step]:
    """Each step, and before it the core for others if the turn is over."""
    for step in steps:
        offer()
        yield step
