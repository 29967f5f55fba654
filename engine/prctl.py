"""What a thread may ask of Linux by prctl(2); elsewhere, or refused, all stays as it is."""

import ctypes
import sys
from typing import Final

DEFAULT_SLACK_NS: Final = 50_000  # as Linux has it for threads that ask for nothing

_SET_TIMER_SLACK: Final = 29
_SET_THP_DISABLE: Final = 41


def set_timer_slack(slack_ns: int) -> bool:
    """How much later than it asked for this thread may be woken; also those it starts from now on.

    Args:
        slack_ns: at least 1.

    Returns:
        whether it is so.
    """
    return _prctl(_SET_TIMER_SLACK, slack_ns)


def refuse_large_pages() -> bool:
    """This process, and those it starts from now on, get their memory in small pages.

    A page of two megabytes is cleared at one go, for up to four milliseconds where the kernel has
    to find it first, and who waits for the core waits for that.

    Returns:
        whether it is so.
    """
    return _prctl(_SET_THP_DISABLE, 1)


def _prctl(option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        return bool(ctypes.CDLL(None).prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) == 0)
    except (OSError, AttributeError):
        return False
