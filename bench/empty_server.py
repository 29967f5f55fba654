"""A gRPC server that answers every check with the same bytes: the floor that `Check` stands on.

The same library, options, message types and event loop as the server's, and no work at all.
Run as `python -m bench.empty_server`; it writes its port and serves until its stdin ends.
"""

import asyncio
import sys
from typing import Any

from grpc import aio

from firstseen.v1 import match_pb2, match_pb2_grpc, types_pb2

CHECKPOINT = types_pb2.Checkpoint(sequence=1, entry_count=1, digest=bytes(32))


class EmptyService(match_pb2_grpc.MatchServiceServicer):
    """Answers without looking."""

    def __init__(self) -> None:
        self._answer = match_pb2.CheckResponse(
            verdict=types_pb2.VERDICT_NOVEL, checkpoint=CHECKPOINT
        )

    async def Check(self, _request: Any, _context: Any) -> match_pb2.CheckResponse:  # noqa: ANN401
        """See `MatchService.Check`."""
        return self._answer

    async def CheckStream(self, requests: Any, context: Any) -> None:  # noqa: ANN401
        """See `MatchService.CheckStream`."""
        async for request in requests:
            answer = match_pb2.CheckStreamResponse(tag=request.tag, answer=self._answer)
            await context.write(answer)


async def serve() -> None:
    """Serves until stdin ends."""
    server = aio.server()
    match_pb2_grpc.add_MatchServiceServicer_to_server(EmptyService(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(serve())
