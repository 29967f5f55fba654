"""python-threatexchange as a hasher of copies: one process of it beside each of ours."""

import atexit
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Final

from bench.peers import PYTX, Peer, RunningPeer, running
from firstseen.items import Hash, HashType, HashValue, Item, MediaType

_NAME: Final = "python-threatexchange"
_WORDS: Final = ("-m", "bench.peer_hasher")
PEERS: Final = {
    "images": Peer(_NAME, _WORDS, packages=PYTX),
    "documents": Peer(_NAME, _WORDS, packages=(*PYTX, "py-tlsh==5.0.0")),
}
# What its PDQ signal leaves out is under this; the hash says no more of its quality.
_QUALITY: Final = 50


def prepare(kind: str) -> None:
    """Makes its environment on first use, so that worker processes find it made.

    Raises:
        PeerError: it cannot be installed or does not start.
    """
    with running(PEERS[kind]):
        pass


def picture(data: bytes) -> Item:
    """A picture as it hashes it: one PDQ, or none of little quality."""
    value = _asked("images", "pdq", data)
    hashes = (Hash(HashType.PDQ, value, _QUALITY),) if value else ()
    return Item(MediaType.IMAGE, hashes)


def text(text: str) -> Item:
    """A text as it hashes it: one TLSH, or none of short texts."""
    value = _asked("documents", "tlsh", text.encode("utf-8", "replace"))
    hashes = (Hash(HashType.TLSH, value),) if value else ()
    return Item(MediaType.DOCUMENT, hashes)


def _asked(kind: str, command: str, data: bytes) -> HashValue:
    peer, file = _running(kind)
    file.write_bytes(data)
    found = str(peer.ask(command, file)["value"])
    return HashValue(bytes.fromhex(found.removeprefix("T1")))


@cache
def _running(kind: str) -> tuple[RunningPeer, Path]:
    """Its process, and the file that is handed to it; both end with this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    return stack.enter_context(running(PEERS[kind])), Path(folder) / "copy"
