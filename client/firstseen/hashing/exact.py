"""The exact hashes of a file: SHA-256, and MD5 for lists that hold nothing else."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from firstseen.items import Hash, HashType, HashValue

_BLOCK_BYTES: Final = 1 << 20


def exact_hashes(blocks: Iterable[bytes]) -> tuple[Hash, Hash]:
    """SHA-256 and MD5 of a file that comes in blocks."""
    sha256 = hashlib.sha256()
    # Police lists of years past hold MD5; nobody's safety rests on it.
    md5 = hashlib.md5(usedforsecurity=False)
    for block in blocks:
        sha256.update(block)
        md5.update(block)
    return (
        Hash(HashType.SHA256, HashValue(sha256.digest())),
        Hash(HashType.MD5, HashValue(md5.digest())),
    )


def read_blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The rest of a file in blocks of a mebibyte."""
    while block := stream.read(_BLOCK_BYTES):
        yield block
