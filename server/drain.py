"""Ending a gRPC server without failing a call, and without waiting for who says nothing."""

import asyncio
from typing import Final

from grpc import aio

from server.telemetry import CallCounts

# How long nothing must be under way before connections are cut. A caller learns from GOAWAY that
# this server is ending; what it sent before that is on its way for up to a mobile round trip.
SETTLE_S: Final = 0.3
_LOOK_S: Final = 0.02


async def stop_server(
    server: aio.Server, grace_s: float, counts: CallCounts, hurrying: asyncio.Event
) -> None:
    """Stops taking connections and calls, lets calls under way end, and ends the connections.

    `grpc` alone waits the whole grace for a connection that never answers its GOAWAY: one that has
    sent nothing yet, or that a phone has left behind. Here the wait is over once no call has been
    under way for `SETTLE_S`.

    Args:
        server: what to stop.
        grace_s: the most that calls under way may take.
        counts: knows of calls under way.
        hurrying: cuts everything short once set.
    """
    stopping = asyncio.create_task(server.stop(grace_s))
    settling = asyncio.create_task(_settled(counts, hurrying))
    await asyncio.wait((stopping, settling), return_when=asyncio.FIRST_COMPLETED)
    settling.cancel()
    await asyncio.gather(server.stop(None), stopping)


async def _settled(counts: CallCounts, hurrying: asyncio.Event) -> None:
    quiet_s = 0.0
    while quiet_s < SETTLE_S and not hurrying.is_set():
        await asyncio.sleep(_LOOK_S)
        quiet_s = 0.0 if counts.open_calls else quiet_s + _LOOK_S
