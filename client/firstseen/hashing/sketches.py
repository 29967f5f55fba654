"""Sketches of a text: 256 bits whose Hamming distance says how much two texts share.

SimHash is one sketch of the whole text, for copies with small edits. MinHash has one for each chunk
of about 600 characters, for texts that were cut, merged or quoted. docs/hashing.md
defines both exactly enough to write them again in another language.

All arithmetic is of unsigned 64-bit integers, modulo 2^64.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from firstseen.hashing.text import GRAM_CHARACTERS, code_points

_U64 = npt.NDArray[np.uint64]

# Part of every seed. Another version is another hash type: sketches of two do not compare.
VERSION: Final = "firstseen-text-v1"
SKETCH_BITS: Final = 256
# A boundary is the least of the grams this far to either side, so chunks have 601 grams on
# average, about 120 words of English, and never fewer than 300.
CHUNK_RADIUS: Final = 300
# The multipliers and shifts of SplitMix64's output function (Steele, Lea, Flood: Fast
# Splittable Pseudorandom Number Generators, 2014).
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
# A gram of SimHash. With nine, 68 of 100 halves and 48 copies with 20 % of words edited are found,
# with eight 88 and 65. With seven and fewer, long tables of numbers are all alike (54 bits).
SIMHASH_CHARACTERS: Final = 8
# Of a product modulo 2^64 the high bits decide which is least; the bit in the middle is still even.
_MINHASH_BIT: Final = np.uint64(32)
_BLOCK_GRAMS: Final = 1 << 13


@dataclass(frozen=True, slots=True)
class TextSketches:
    """What is known of a text besides its SHA-256.

    Attributes:
        distinct_grams: how many different runs of nine characters it has.
        simhash: 32 bytes.
        minhashes: 32 bytes for each chunk, in the order of the text, none twice.
        ranks: for each chunk a number that depends on its text alone and that few edits
            change: of too many chunks, those of least rank are kept on both sides.
    """

    distinct_grams: int
    simhash: bytes
    minhashes: tuple[bytes, ...]
    ranks: tuple[int, ...]


def sketch(text: str) -> TextSketches | None:
    """Sketches a normalised text; None when it has no gram.

    Args:
        text: as `firstseen.hashing.text.normalise` returns it.
    """
    characters = code_points(text)
    grams = gram_hashes(characters)
    if not len(grams):
        return None
    values, ranks = minhashes(grams, chunk_starts(grams))
    kept = dict(reversed(list(zip(values, ranks, strict=True))))  # the first of equals stays
    in_order = list(reversed(kept.items()))
    return TextSketches(
        distinct_grams=len(np.unique(grams)),
        simhash=simhash(gram_hashes(characters, SIMHASH_CHARACTERS)),
        minhashes=tuple(value for value, _ in in_order),
        ranks=tuple(rank for _, rank in in_order),
    )


def seeds(name: str, count: int) -> _U64:
    """The first 8 bytes, big-endian, of SHA-256("VERSION/NAME/NUMBER") for each number from 0.

    Returns:
        uint64, shape (count,).
    """
    digests = (hashlib.sha256(f"{VERSION}/{name}/{i}".encode()).digest() for i in range(count))
    return np.array([int.from_bytes(digest[:8]) for digest in digests], np.uint64)


_GRAM_FACTORS: Final = seeds("gram", GRAM_CHARACTERS) | np.uint64(1)
_SIMHASH_SEEDS: Final = seeds("simhash", SKETCH_BITS // 64)
_MINHASH_FACTORS: Final = seeds("minhash", SKETCH_BITS) | np.uint64(1)
_RANK_FACTOR: Final = seeds("rank", 1)[0] | np.uint64(1)


def gram_hashes(characters: _U64, size: int = GRAM_CHARACTERS) -> _U64:
    """A hash of every run of so many characters.

    Args:
        characters: uint64, shape (n,), code points.
        size: of a run, at most nine.

    Returns:
        uint64, shape (max(0, n - size + 1),), in the order of the text.
    """
    count = max(0, len(characters) - size + 1)
    sums = np.zeros(count, np.uint64)
    for place, factor in enumerate(_GRAM_FACTORS[:size]):
        sums += characters[place : place + count] * factor
    return _mix(sums)


def simhash(grams: _U64) -> bytes:
    """SimHash (Charikar 2002): a bit is set when grams of more than half of the weight set it.

    A gram that is there c times weighs floor(log2 c) + 1. With 10 % of words edited and grams of
    nine, 97 of 100 texts were found so, 59 when all weigh 1. When each weighs c, different papers
    with numbered lines came as near as 33 bits.

    Args:
        grams: uint64, shape (n,), at least one.

    Returns:
        32 bytes.
    """
    distinct, counts = np.unique(grams, return_counts=True)
    # The length of the count in binary. Sums of a block are under 2^24, so floats are exact.
    weights = np.frexp(counts)[1].astype(np.float32)
    ones = np.zeros(SKETCH_BITS, np.int64)
    for start in range(0, len(distinct), _BLOCK_GRAMS):
        block = distinct[start : start + _BLOCK_GRAMS]
        words = _mix(block[:, None] ^ _SIMHASH_SEEDS[None, :])
        bits = np.unpackbits(words.astype(">u8").view(np.uint8), axis=1)
        ones += (weights[start : start + _BLOCK_GRAMS] @ bits.astype(np.float32)).astype(np.int64)
    return np.packbits(ones * 2 > weights.sum(dtype=np.int64)).tobytes()


def chunk_starts(grams: _U64) -> npt.NDArray[np.intp]:
    """Where chunks begin: at 0, and at every gram that is less than 300 to each side.

    What is far away does not move a boundary, so chunks of a text quoted in another are
    the same but for its first and last.

    Args:
        grams: uint64, shape (n,), n at least 1.

    Returns:
        Positions in `grams`, ascending.
    """
    least = _sliding_least(grams, CHUNK_RADIUS)
    inner = np.arange(CHUNK_RADIUS, max(CHUNK_RADIUS, len(grams) - CHUNK_RADIUS))
    is_start = grams[inner] < least[inner - CHUNK_RADIUS]
    is_start &= grams[inner] < least[inner + 1]
    return np.concatenate((np.zeros(1, np.intp), inner[is_start]))


def minhashes(grams: _U64, starts: npt.NDArray[np.intp]) -> tuple[list[bytes], list[int]]:
    """One-bit MinHash (Li and König 2010) of every chunk, and its rank.

    Args:
        grams: uint64, shape (n,).
        starts: where chunks begin, as `chunk_starts` returns it.

    Returns:
        32 bytes for each chunk, and a number for each.
    """
    bits = np.empty((len(starts), SKETCH_BITS), np.uint8)
    products = np.empty_like(grams)
    for place, factor in enumerate(_MINHASH_FACTORS):
        np.multiply(grams, factor, out=products)
        bits[:, place] = np.minimum.reduceat(products, starts) >> _MINHASH_BIT & np.uint64(1)
    ranks = np.minimum.reduceat(grams * _RANK_FACTOR, starts)
    return [row.tobytes() for row in np.packbits(bits, axis=1)], ranks.tolist()


def _mix(values: _U64) -> _U64:
    """SplitMix64's output function: every bit of the input reaches every bit of the output."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


def _sliding_least(values: _U64, width: int) -> _U64:
    """The least of each `width` neighbours, in two passes (van Herk 1992; Gil and Werman 1993).

    Returns:
        Shape (max(0, len(values) - width + 1),).
    """
    count = max(0, len(values) - width + 1)
    padding = np.full(-len(values) % width, np.iinfo(np.uint64).max, np.uint64)
    rows = np.concatenate((values, padding)).reshape(-1, width)
    ahead = np.minimum.accumulate(rows, axis=1).ravel()
    behind = np.minimum.accumulate(rows[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.minimum(behind[:count], ahead[width - 1 : width - 1 + count])
