"""Lets others have the core between the steps of long work.

A kernel leaves a thread on its core until its time slice is over, for some milliseconds, also when
one that has slept until now waits for it. A check takes one millisecond, and so waited several for
a load on the same core, often while the other core had nothing to do.
"""

import os
import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

_Step = TypeVar("_Step")

# How long to work between two offers. An offer takes half a microsecond when nobody waits.
TURN_NS: Final = 200_000
_OTHERS_SHARE: Final = 4  # times as much for others, where they always wait


def in_turns(steps: Iterable[_Step]) -> Iterator[_Step]:
    """Each step, and before it the core for others if the turn is over.

    Other threads of the interpreter get their turn, too.
    """
    end_ns = time.monotonic_ns() + TURN_NS
    for step in steps:
        offered_ns = time.monotonic_ns()
        if offered_ns >= end_ns:
            os.sched_yield()
            back_ns = time.monotonic_ns()
            # Where others always wait, a fifth of the time is kept.
            end_ns = back_ns + max(TURN_NS, (back_ns - offered_ns) // _OTHERS_SHARE)
        yield step
