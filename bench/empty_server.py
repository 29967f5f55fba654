"""A gRPC server that answers every check with the same bytes: the floor that `Check` stands on.

The same library, options, message types and event loop as the server's, as many processes on one
port, and no work at all. Run as `python -m bench.empty_server WORKERS`; it writes its port
once all serve, and serves until its stdin ends.
"""

import asyncio
import socket
import subprocess
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


async def serve(port: int) -> None:
    """Serves on a port that other processes share, until stdin ends."""
    server = aio.server(options=[("grpc.so_reuseport", 1)])
    match_pb2_grpc.add_MatchServiceServicer_to_server(EmptyService(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(None)


def supervise(worker_count: int) -> None:
    """Runs so many processes that serve on one port, until stdin ends."""
    with socket.socket() as reserved:
        # Bound and never listening: the port stays ours, and no connection comes here.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        command = [sys.executable, "-m", "bench.empty_server", "worker", str(port)]
        workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(worker_count)
        ]
        for worker in workers:
            if worker.stdout is None or not worker.stdout.readline():
                raise RuntimeError("a worker does not serve")
        print(port, flush=True)
        sys.stdin.read()
        for worker in workers:
            worker.communicate()


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        asyncio.run(serve(int(sys.argv[2])))
    else:
        supervise(int(sys.argv[1]))
