"""What benchmarks work on: seeded lists of hashes like real ones, and queries of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.uint8]

BITS: Final = 256
KINDS: Final = ("balanced", "uniform")
_CHUNK: Final = 100_000


def hashes(count: int, seed: int, kind: str = "balanced") -> Values:
    """Values like PDQ hashes: uint8, shape (count, 32).

    Args:
        count: how many.
        seed: the same gives the same.
        kind: `balanced` has exactly 128 ones in each, as PDQ of a photograph has (165,529 of
            165,982 real hashes); `uniform` is plain noise.
    """
    generator = np.random.default_rng(seed)
    if kind == "uniform":
        return generator.integers(0, 256, (count, BITS // 8), np.uint8)
    parts = [np.empty((0, BITS // 8), np.uint8)]
    for start in range(0, count, _CHUNK):
        rows = min(_CHUNK, count - start)
        order = np.argpartition(generator.random((rows, BITS), np.float32), BITS // 2, axis=1)
        bits = np.zeros((rows, BITS), np.uint8)
        np.put_along_axis(bits, order[:, : BITS // 2], 1, axis=1)
        parts.append(np.packbits(bits, axis=1))
    return np.concatenate(parts)


def queries(listed: Values, count: int, seed: int, known_share: float = 0.5) -> Values:
    """Queries, a share of them within 31 bits of a listed value and the others unrelated.

    The planted ones lie at every even distance up to 30, as copies of a photograph do.

    Args:
        listed: the list.
        count: how many.
        seed: the same gives the same.
        known_share: of the queries, how many are planted.
    """
    generator = np.random.default_rng(seed + 1)
    found = hashes(count, seed + 2)
    for number in np.flatnonzero(generator.random(count) < known_share):
        bits = np.unpackbits(listed[generator.integers(len(listed))])
        pairs = int(generator.integers(0, 16))
        for ones in (0, 1):
            bits[generator.choice(np.flatnonzero(bits == ones), pairs, replace=False)] += 2
        found[number] = np.packbits(np.where(bits >= 2, 3 - bits, bits))
    return found


def write_csv(path: Path, values: Values) -> None:
    """Writes a list as the indexer takes it (docs/formats.md)."""
    with path.open("w", encoding="ascii") as stream:
        stream.write("pdq,quality\n")
        for line in _lines(values):
            stream.write(line)


def _lines(values: Values) -> Iterator[str]:
    for start in range(0, len(values), _CHUNK):
        text = values[start : start + _CHUNK].tobytes().hex()
        for at in range(0, len(text), BITS // 4):
            yield f"{text[at : at + BITS // 4]},100\n"
