"""Which index searches a part of a list, by the operator's choice, the hash type and the length."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.equality_index import EqualityIndex
from engine.exact_index import ExactIndex
from engine.faiss_index import FaissFlatIndex, FaissMultiHashIndex
from engine.hashes import SPECS, HashType
from engine.index import Index
from engine.index_kind import IndexKind
from engine.layer import Chooser
from engine.mih_index import MihIndex

# A scan of so many takes 25 us, a search by multi-index hashing 4; but short parts are made anew
# with nearly each change, and tables are not made for nothing.
_SCANNED_ROWS: Final = 16_384
# Beyond so many bits multi-index hashing looks into most of a list: at 48 it took twice as long as
# FAISS' scan, when 96 bits stood beside a row. That is what sketches of texts match at, and
# lists of texts are short.
_PRUNED_BITS: Final = 40
_MULTI_HASH_BITS: Final = 256  # what `FaissMultiHashIndex` is cut for

Choosers = Mapping[HashType, Chooser]
"""For each hash type, what to search a part of a list with."""


def choosers(kind: IndexKind) -> Choosers:
    """What to search each hash type with. Exact hashes are looked up whatever the kind."""
    return MappingProxyType({hash_type: _chooser(hash_type, kind) for hash_type in HashType})


def unindexed() -> Choosers:
    """What is quickest to make and slow to search: for who only keeps a list."""
    return MappingProxyType(
        {
            hash_type: lambda _, of=ExactIndex if spec.perceptual else EqualityIndex: of
            for hash_type, spec in SPECS.items()
        }
    )


def _chooser(hash_type: HashType, kind: IndexKind) -> Chooser:
    spec = SPECS[hash_type]

    def choose(row_count: int) -> type[Index]:
        if not spec.perceptual:
            return EqualityIndex
        if kind is IndexKind.FAISS_MULTIHASH and spec.size_bits == _MULTI_HASH_BITS:
            return FaissMultiHashIndex
        is_long = row_count > _SCANNED_ROWS and spec.default_distance_bits <= _PRUNED_BITS
        if kind is IndexKind.MIH or (kind is IndexKind.AUTO and is_long):
            return MihIndex
        return FaissFlatIndex

    return choose
