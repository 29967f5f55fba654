"""The process that hashes files, one after another; what kills it costs one file.

It answers in JSON and not in pickle: a decoder that was taken over by a hostile file must
not be able to run code in the process that writes the store. Its memory is limited by the
system, since no count of pixels or pages bounds what every decoder takes.
"""

import json
import os
import resource
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from firstseen.errors import FirstseenError
from firstseen.hashing.file import FileOptions, bank_files, stream_items
from firstseen.hashing.forms import BankProfile
from firstseen.hashing.video_limits import VideoLimits
from indexer.feeds.regular import open_regular

READY: Final = b"ready"
# Over any limit that the parent may set: for when the parent is gone and the file hangs.
_ORPHAN_LIMIT_S: Final = 2 * 3600
# Its sixth number is the pages of data and stack (proc(5)), what RLIMIT_DATA counts.
_STATM: Final = Path("/proc/self/statm")
_MIB: Final = 1 << 20
_UNREADABLE: Final = "not readable: damaged, or of a kind that its decoder does not know"
_MOST_KEPT: Final = 0.25  # of the memory for one file, before a fresh process takes the next


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What every hashing process is told at its start.

    Attributes:
        profile: how many forms of each picture and frame to list.
        memory_mib: what one file may take beyond what the libraries do.
    """

    profile: BankProfile = BankProfile.STANDARD
    memory_mib: int = 1_024


def serve(connection: Connection, options: WorkerOptions) -> None:
    """Answers each path that comes in, until the other side is gone."""
    taken = _settle(options.memory_mib)
    # A process for each core is enough; more threads would only wait for one another.
    files = bank_files(options.profile, VideoLimits(threads=1))
    connection.send_bytes(READY)
    while True:
        try:
            path = Path(os.fsdecode(connection.recv_bytes()))
        except EOFError:
            return
        signal.alarm(_ORPHAN_LIMIT_S)
        try:
            connection.send_bytes(json.dumps(_answer(path, files, options.memory_mib)).encode())
        except BrokenPipeError:
            return
        if _taken_bytes() - taken > options.memory_mib * _MIB * _MOST_KEPT:
            return  # what one file left behind is not to be missed by the next


def _settle(memory_mib: int) -> int:
    """Leaves stderr to nobody, no core file with a picture in it, and bounds the memory.

    Returns:
        The bytes that libraries take.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    _load_libraries()
    taken = _taken_bytes()
    if taken:
        most = taken + memory_mib * _MIB
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    return taken


def _taken_bytes() -> int:
    """What RLIMIT_DATA counts; 0 elsewhere than on Linux, where it leaves out what is mapped."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[5]) * resource.getpagesize()


def _load_libraries() -> None:
    """Loads every decoder, so that what they take themselves is no file's."""
    from firstseen.hashing import document, image, video  # noqa: F401, PLC0415
    from firstseen.hashing.readers import pdf  # noqa: F401, PLC0415


def _answer(path: Path, files: FileOptions, memory_mib: int) -> dict[str, object]:
    try:
        with open_regular(path) as stream:
            items = stream_items(stream, files)
    except OSError as error:
        if not _is_memory(error):
            return {"reason": f"not readable: {error.strerror}" if error.strerror else _UNREADABLE}
        return {"reason": _over_memory(memory_mib)}
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises costs one file
        if _is_memory(error):
            return {"reason": _over_memory(memory_mib)}
        if isinstance(error, FirstseenError):
            return {"reason": str(error)}
        return {"reason": f"a fault of the program: {type(error).__name__}"}
    return {
        "items": [
            {
                "media_type": int(item.media_type),
                "hashes": [
                    [int(h.type), h.value.hex(), h.quality, h.frame_offset_ms, h.page_index]
                    for h in item.hashes
                ],
            }
            for item in items
        ]
    }


def _is_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, whatever a decoder made of that."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _over_memory(memory_mib: int) -> str:
    return f"needs over {memory_mib:,} MiB of memory"
