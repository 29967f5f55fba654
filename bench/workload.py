"""What benchmarks work on: seeded lists of hashes, and queries of them.

One `Workload` says all there is to say of it, so that two runs with the same one ask the same of
the same list. Large lists are kept between runs, in `.benchmarks/lists`.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from bench import real_like
from bench.running import ROOT

Values = npt.NDArray[np.uint8]

BITS: Final = 256
MAX_DISTANCE_BITS: Final = 31
# Hashes of crops of photographs, 32 bytes each; not free to ship, so a clone has none.
CROPS: Final = ROOT.parent / "shared" / "data" / "pdq" / "crop-hashes.bin"
LISTS: Final = ROOT / ".benchmarks" / "lists"
_RECIPE: Final = 2  # counts up when the same words begin to mean other hashes
_KEPT_ROWS: Final = 200_000  # a smaller list is made as fast as it is read
_CHUNK: Final = 20_000  # rows made at a time, of 1 KiB while they are numbers


@dataclass(frozen=True, slots=True)
class Workload:
    """A list and what is asked of it.

    Attributes:
        size: hashes in the list.
        kind: one of `KINDS`, see `hashes`.
        known_share: of the queries, how many are copies of something listed.
        distance_bits: how far copies are at most; they lie at every even distance up to it.
        seed: of the list and the queries.
    """

    size: int
    kind: str = "real"
    known_share: float = 0.5
    distance_bits: int = MAX_DISTANCE_BITS
    seed: int = 20_26

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind}: want one of {', '.join(KINDS)}")
        if not 0 <= self.known_share <= 1 or not 0 <= self.distance_bits < BITS // 2:
            raise ValueError("want a share of 0 to 1, and a distance of 0 to 127")

    @property
    def is_kept(self) -> bool:
        """Whether the list is so large that its file is kept between runs."""
        return self.size >= _KEPT_ROWS

    def listed(self) -> Values:
        """The list: uint8, shape (size, 32); a large one is mapped from its file."""
        if not self.is_kept:
            return hashes(self.size, self.seed, self.kind)
        found: Values = np.load(self.file(), mmap_mode="r")
        return found

    def file(self, folder: Path | None = None) -> Path:
        """The list as a `.npy` file, made when there is none yet; in `LISTS` by default."""
        folder = folder or LISTS
        path = folder / f"{self.kind}-{self.size}-{self.seed}-r{_RECIPE}.npy"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as stream:
                np.save(stream, hashes(self.size, self.seed, self.kind))
            Path(stream.name).replace(path)
        return path

    def queries(self, count: int, listed: Values) -> Values:
        """Queries of the list: uint8, shape (count, 32)."""
        return queries(
            listed, count, self.seed, self.known_share, self.kind, distance_bits=self.distance_bits
        )


def hashes(count: int, seed: int, kind: str = "balanced") -> Values:
    """Values like PDQ hashes: uint8, shape (count, 32).

    Args:
        count: how many.
        seed: the same gives the same.
        kind: `uniform` is plain noise; `balanced` has exactly 128 ones in each, as PDQ of a
            photograph has (165,529 of 165,982 real hashes); `real` also has the neighbouring bits
            of photographs, see `real_like`; `crops` are real hashes of photographs and, beyond
            those there are, copies of them up to 31 bits away.

    Raises:
        ValueError: `crops` without the file of them.
    """
    make = _MAKERS[kind](seed)
    starts = range(0, count, _CHUNK)
    children = np.random.SeedSequence(seed).spawn(len(starts))
    found = np.empty((count, BITS // 8), np.uint8)

    def fill(number: int) -> None:
        rows = found[starts[number] : starts[number] + _CHUNK]
        rows[:] = make(starts[number], len(rows), np.random.default_rng(children[number]))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, range(len(starts))))
    return found


_Make = Callable[[int, int, np.random.Generator], Values]  # from the row's number on, how many


def _uniform(_: int, count: int, generator: np.random.Generator) -> Values:
    return generator.integers(0, 256, (count, BITS // 8), np.uint8)


def _balanced(_: int, count: int, generator: np.random.Generator) -> Values:
    keys = generator.random((count, BITS), np.float32)
    middle = np.partition(keys, BITS // 2, axis=1)[:, BITS // 2 : BITS // 2 + 1]
    found = np.packbits(keys < middle, axis=1)
    # Equal keys at the middle, of which there is one in thousands of rows.
    for row in np.flatnonzero(np.bitwise_count(found).sum(axis=1) != BITS // 2):
        found[row] = np.packbits(generator.permutation(BITS) < BITS // 2)
    return found


def _real(_: int, count: int, generator: np.random.Generator) -> Values:
    return real_like.make(count, generator)


def _crops(seed: int) -> _Make:
    if not CROPS.exists():
        raise ValueError("kind crops: needs the hashes of crops beside the checkout")
    crops = np.fromfile(CROPS, np.uint8).reshape(-1, BITS // 8)
    np.random.default_rng(seed).shuffle(crops)

    def make(start: int, count: int, generator: np.random.Generator) -> Values:
        rows = np.arange(start, start + count)
        found = crops[rows % len(crops)]
        extra = rows >= len(crops)
        found[extra] = copies(found[extra], MAX_DISTANCE_BITS, generator)
        return found

    return make


# By the list's seed, each gives what makes rows: so a file is read once for a list.
_MAKERS: Final[dict[str, Callable[[int], _Make]]] = {
    "uniform": lambda _: _uniform,
    "balanced": lambda _: _balanced,
    "real": lambda _: _real,
    "crops": _crops,
}
KINDS: Final = tuple(_MAKERS)


def copies(values: Values, distance_bits: int, generator: np.random.Generator) -> Values:
    """A copy of each value at some even distance, each as likely: uint8, shape (n, 32).

    As many ones become zeros as zeros ones, so that the weight stays that of a photograph's.

    Args:
        values: shape (n, 32), of 16 ones and 16 zeros at least.
        distance_bits: the most.
        generator: chance.
    """
    bits = np.unpackbits(values, axis=1)
    pairs = generator.integers(0, distance_bits // 2 + 1, (len(values), 1))
    # Zeros come before ones, in random order each; the first few of both change.
    order = np.argsort(generator.random(bits.shape, np.float32) + bits, axis=1)
    place = np.arange(BITS)[np.newaxis]
    zeros = BITS - bits.sum(axis=1, dtype=np.int64)[:, np.newaxis]
    changed = (place < pairs) | ((place >= zeros) & (place < zeros + pairs))
    flips = np.zeros_like(bits)
    np.put_along_axis(flips, order, changed.astype(np.uint8), axis=1)
    return np.packbits(bits ^ flips, axis=1)


def queries(
    listed: Values,
    count: int,
    seed: int,
    known_share: float = 0.5,
    kind: str = "balanced",
    *,
    distance_bits: int = MAX_DISTANCE_BITS,
) -> Values:
    """Queries, a share of them copies of listed values and the others unrelated.

    Args:
        listed: the list.
        count: how many.
        seed: the same gives the same.
        known_share: of the queries, how many are copies.
        kind: of the unrelated ones, see `hashes`; of `crops` there are no others, so `real`.
        distance_bits: how far copies are at most.
    """
    generator = np.random.default_rng(seed + 1)
    found = hashes(count, seed + 2, "real" if kind == "crops" else kind)
    known = generator.random(count) < known_share
    chosen = listed[generator.integers(len(listed), size=int(known.sum()))]
    found[known] = copies(chosen, distance_bits, generator)
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
