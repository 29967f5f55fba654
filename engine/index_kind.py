"""The kinds of index there are, by name; apart from the indexes, which take a second to load."""

from enum import StrEnum


class IndexKind(StrEnum):
    """How lists are searched; all of them find the same.

    `AUTO` scans short lists by FAISS and searches long ones by multi-index hashing.
    """

    AUTO = "auto"
    MIH = "mih"
    FAISS_FLAT = "faiss-flat"
    FAISS_MULTIHASH = "faiss-multihash"
