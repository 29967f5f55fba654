"""The process that hashes pictures, one after another; what kills it costs one picture.

It answers in JSON and not in pickle: a decoder that was taken over by a hostile file must
not be able to run code in the process that writes the store.
"""

import json
import os
import resource
import signal
import stat
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from firstseen.errors import FirstseenError
from firstseen.hashing.image import hash_listed_image

READY: Final = b"ready"
MAX_FILE_BYTES: Final = 256 << 20  # far above any photograph; read into memory at once
# Over any limit that the parent may set: for when the parent is gone and the file hangs.
_ORPHAN_LIMIT_S: Final = 2 * 3600


def serve(connection: Connection) -> None:
    """Answers each path that comes in, until the other side is gone."""
    _settle()
    connection.send_bytes(READY)
    while True:
        try:
            path = Path(os.fsdecode(connection.recv_bytes()))
        except EOFError:
            return
        signal.alarm(_ORPHAN_LIMIT_S)
        try:
            connection.send_bytes(json.dumps(_answer(path)).encode())
        except BrokenPipeError:
            return


def _settle() -> None:
    """Leaves stderr to nobody, and no core file with a picture in it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _answer(path: Path) -> dict[str, object]:
    try:
        item = hash_listed_image(_read(path))
    except FirstseenError as error:
        return {"reason": str(error)}
    except OSError as error:
        return {"reason": f"not readable: {error.strerror or type(error).__name__}"}
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises costs one picture
        return {"reason": f"not readable: {type(error).__name__}"}
    return {
        "media_type": int(item.media_type),
        "hashes": [[int(h.type), bytes(h.value).hex(), h.quality] for h in item.hashes],
    }


def _read(path: Path) -> bytes:
    """The bytes of a regular file; neither waits for a pipe nor follows a link.

    Raises:
        OSError: it cannot be read, is no file, or is too large.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "no regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise OSError(0, f"over {MAX_FILE_BYTES} bytes")
        return stream.read(MAX_FILE_BYTES)
