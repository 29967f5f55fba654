"""Asks Linux for longer time slices, for threads that offer the core while they work at length.

Who offers it comes back once others have had about a slice of it, or when nobody wants it
(`sched_yield` since Linux 6.18; what wakes up with a shorter slice need not wait, either). Weights
stay as they are. Both hold among threads of one group: with systemd or containers those of a
service, else those of a session.
"""

import ctypes
import os
import platform
import re
import struct
import sys
from typing import Final

SLICE_NS: Final = 8_000_000  # unasked it is 1.4 ms on two cores, 2.8 ms on eight and more
_SINCE: Final = (6, 18)  # before, who often offered the core fell behind without bound

# `struct sched_attr` of sched_setattr(2), first version: size, policy, flags, nice, priority; then
# runtime, deadline and period in nanoseconds. For ordinary threads the runtime is the slice.
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
_SET_NUMBERS: Final = {"x86_64": 314, "aarch64": 274}  # of the system call; Python has none


def can_ask() -> bool:
    """Whether this system is known to have slices that can be asked for."""
    version = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    is_known = platform.machine() in _SET_NUMBERS and sys.maxsize > 1 << 32
    return platform.system() == "Linux" and version >= _SINCE and is_known


def ask_long_slices() -> bool:
    """Asks for this thread, and for the threads and processes that it starts from now on.

    Returns:
        whether they are given: not on other systems, with a policy that somebody chose, nor where
        the call is forbidden.
    """
    if not can_ask():
        return False
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return False
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        wish = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, SLICE_NS, 0, 0)
        return bool(ctypes.CDLL(None).syscall(_SET_NUMBERS[platform.machine()], 0, wish, 0) == 0)
    except (OSError, AttributeError):
        return False
