"""Ends what does not move any more, without a timer for each thing that moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

# How often to look in the time that nothing may move: what stands still is ended after that
# time and at most so large a part of it more.
LOOKS: Final = 4


class IdleError(Exception):
    """Nothing has moved for as long as it may."""


class Movement:
    """What is told of a stream; telling costs one assignment.

    Attributes:
        is_seen: something moved since the last look.
        is_ours: the caller waits for us, so standing still is not its fault.
    """

    __slots__ = ("is_ours", "is_seen")

    def __init__(self) -> None:
        self.is_seen = False
        self.is_ours = False


@asynccontextmanager
async def idle_limit(limit_ms: int) -> AsyncIterator[Movement]:
    """While entered, ends the block once nothing has moved for so long.

    Args:
        limit_ms: milliseconds.

    Raises:
        IdleError: nothing has.
    """
    movement, scope = Movement(), asyncio.timeout(None)
    try:
        async with scope:
            watching = asyncio.create_task(_watch(movement, limit_ms / 1000 / LOOKS, scope))
            try:
                yield movement
            finally:
                watching.cancel()
    except TimeoutError:
        if scope.expired():
            raise IdleError from None
        raise


async def _watch(movement: Movement, look_s: float, scope: asyncio.Timeout) -> None:
    quiet_looks = 0
    while quiet_looks < LOOKS:
        movement.is_seen = False
        await asyncio.sleep(look_s)
        is_quiet = not (movement.is_seen or movement.is_ours)
        quiet_looks = quiet_looks + 1 if is_quiet else 0
    scope.reschedule(asyncio.get_running_loop().time())
