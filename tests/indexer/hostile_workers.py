"""Hashing processes that do to a pool what hostile files do; each is told by the file's name."""

import json
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from indexer.feeds.hash_worker import READY, WorkerOptions

# An answer in pickle, of the kind that would run code where it is opened.
PICKLE: Final = b"\x80\x04cos\nsystem\n"


def serve(connection: Connection, options: WorkerOptions) -> None:
    """Answers with the file's name, or as the name says."""
    connection.send_bytes(READY)
    while True:
        try:
            name = Path(os.fsdecode(connection.recv_bytes())).name
        except EOFError:
            return
        if name.startswith("hang"):
            time.sleep(3600)
        if name.startswith("kill"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if name.startswith("exit"):
            os._exit(3)
        if name.startswith("pickle"):
            connection.send_bytes(PICKLE)
            continue
        if name.startswith("flood"):
            connection.send_bytes(b" " * (8 << 20))
            continue
        if name.startswith("deep"):
            connection.send_bytes(b"[" * 100_000)
            continue
        if name.startswith("last"):
            connection.send_bytes(json.dumps({"reason": name}).encode())
            os._exit(0)
        connection.send_bytes(json.dumps({"reason": name}).encode())


def refuse(connection: Connection, options: WorkerOptions) -> None:
    """Does not start."""
