"""Meta's PDQ: 256 bits of what a picture looks like, and how much there is to see.

Our own, in numpy: the same bits as Meta's C++ (through `pdqhash`, which the tests compare it
with), without a compiler, several times faster, and in parallel, since the matrix products
release the interpreter lock. One transform gives all eight mirrored and turned forms.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from firstseen.hashing.jarosz import reduce_in_order
from firstseen.hashing.tent import CELLS, Levels, reduce_columns, reduce_rows
from firstseen.items import Hash, HashType, HashValue

Pixels = npt.NDArray[np.uint8]
"""Shape (height, width, 3), RGB."""
_Coefficients = npt.NDArray[np.float32]

# Meta's advice, and the default of a bank's policy: below, a resize alone may move 60 bits.
MIN_QUALITY: Final = 50
# Of 1,855 pictures: photographs 0.03 in the middle and 0.18 at the 99th percentile; stripes,
# checkerboards and wood grain, which quality gives 100 and which match one another, 0.72-0.82.
MAX_FLATNESS: Final = 0.35
_FLAT_LEVELS: Final = 2.0  # how near the median a coefficient says nothing

# Meta's running sums move a coefficient by at most 0.004 from the matrix products' (measured on
# photographs of up to 6,000 pixels a side). Two that are nearer than this are summed in order.
_ROUNDING: Final = 0.005

_SIDE: Final = 16  # coefficients a side
_MIN_SIDE: Final = 5  # below, Meta's gives no bits and quality 0
_STRIP_PIXELS: Final = 1 << 20

_SIGNS: Final = np.where(np.arange(_SIDE) % 2 == 0, -1, 1).astype(np.float32)


def _cosines() -> _Coefficients:
    """Rows 1 to 16 of the orthonormal DCT-II of 64 values, shape (16, 64).

    The scale is rounded to float32 before the product and not only after: found by
    comparing `pdqhash`'s coefficients, which these reproduce in every bit.
    """
    frequency = np.arange(1, _SIDE + 1)[:, None]
    place = np.arange(CELLS)[None, :]
    waves = np.cos(math.pi / 2 / CELLS * frequency * (2 * place + 1))
    scale = float(np.float32(math.sqrt(2 / CELLS)))
    return np.asarray(scale * waves, np.float32)


_COSINES: Final = _cosines()


class PdqBackend(Enum):
    """Who computes a PDQ; the bits are the same."""

    NUMPY = "numpy"
    PDQHASH = "pdqhash"  # Meta's C++: the oracle


@dataclass(frozen=True, slots=True, eq=False)
class Pdq:
    """What PDQ knows of a picture.

    Attributes:
        transform: float32, shape (16, 16): vertical by horizontal frequency.
        quality: 0 to 100, how much the picture changes from cell to cell.
    """

    transform: _Coefficients
    quality: int

    @property
    def flatness(self) -> float:
        """The share of the 256 coefficients within 2 of their median: bits that are noise."""
        distance = np.abs(self.transform - _median(self.transform))
        return float(np.mean(distance < _FLAT_LEVELS))

    @property
    def is_telling(self) -> bool:
        """Whether it tells this picture from others; a plain or a repeating one's does not."""
        return self.quality >= MIN_QUALITY and self.flatness <= MAX_FLATNESS

    @property
    def hangs_on_rounding(self) -> bool:
        """Whether a bit of one of its forms would change with how sums are rounded."""
        for transform in self._transforms():
            apart = np.abs(transform - _median(transform))
            if np.count_nonzero(apart < _ROUNDING) > 1:  # more than the median itself
                return True
        return False

    def hash(self, hash_type: HashType = HashType.PDQ) -> Hash:
        """The hash of the upright picture."""
        return self._hash(self.transform, hash_type)

    def transposed(self) -> "Pdq":
        """Of the picture mirrored on the diagonal from its upper left corner."""
        return Pdq(self.transform.T, self.quality)

    def mirrored(self) -> Hash:
        """The hash of the picture mirrored left to right."""
        return self._hash(self.transform * _SIGNS[None, :], HashType.PDQ)

    def forms(self) -> tuple[Hash, ...]:
        """The hashes of its eight forms by this one transform, equal ones once.

        What Meta's code gives. `Luma.forms` is nearer to what the mirrored pictures give.

        Upright; turned by 90, 180, 270 degrees; mirrored up-down, left-right, and on
        either diagonal: the order of Meta's `pdqDihedralHash256es`.
        """
        return tuple(dict.fromkeys(self._hash(each, HashType.PDQ) for each in self._transforms()))

    def _transforms(self) -> tuple[_Coefficients, ...]:
        upright = self.transform
        turned = upright.T
        down, right = _SIGNS[:, None], _SIGNS[None, :]
        return (
            upright,
            turned * down,
            upright * down * right,
            turned * right,
            upright * down,
            upright * right,
            turned,
            turned * down * right,
        )

    def _hash(self, transform: _Coefficients, hash_type: HashType) -> Hash:
        bits = transform > _median(transform)
        # Meta's first bit is the lowest of the last byte.
        value = np.packbits(bits.ravel()[::-1]).tobytes()
        return Hash(hash_type, HashValue(value), self.quality)


def _median(transform: _Coefficients) -> float:
    """The lower of the two in the middle, as Meta's Torben median."""
    middle = transform.size // 2 - 1
    return float(np.partition(transform.ravel(), middle)[middle])


def pdq_of(luma: Levels) -> Pdq:
    """The PDQ of a picture, equal to Meta's in every bit.

    Args:
        luma: float32, shape (height, width), 0 to 255; see `luma_of`.
    """
    if min(luma.shape) < _MIN_SIDE:
        return Pdq(np.zeros((_SIDE, _SIDE), np.float32), 0)
    pdq = pdq_of_cells(reduce_columns(reduce_rows(luma)))
    if pdq.hangs_on_rounding:
        return pdq_of_cells(reduce_in_order(luma))
    return pdq


def pdq_of_cells(cells: Levels) -> Pdq:
    """The PDQ of luma that was reduced to 64 × 64 cells by `firstseen.hashing.tent`."""
    vertical = _product(_COSINES, cells)
    return Pdq(_product(vertical, _COSINES.T), _quality(cells))


def _product(a: Levels, b: Levels) -> Levels:
    """The matrix product, each sum in float32 and in order, as Meta's loops are.

    Where coefficients are equal but for rounding, as in a picture of 8 or 16 lines, the
    rounding decides about bits; a product by BLAS would round otherwise.
    """
    # Along the first axis numpy adds one by one, if it is the outer one in memory.
    terms: Levels = np.ascontiguousarray(a.T)[:, :, None] * b[:, None, :]
    return np.asarray(np.add.reduce(terms, axis=0), np.float32)


def _quality(cells: Levels) -> int:
    """Meta's gradient sum: of steps between neighbours, in whole per cents of the range."""
    hundred, full = np.float32(100), np.float32(255)
    total = sum(
        float(np.abs(np.trunc(np.diff(cells, axis=axis) * hundred / full)).sum()) for axis in (0, 1)
    )
    return min(int(total / 90), 100)  # 90 is Meta's, found by experiment


def luma_of(picture: Pixels | Image.Image) -> Levels:
    """The luma of a picture, by the weights of ITU-R BT.601, rounded once.

    Pillow's own conversion to floats does just that: in whole thousandths, divided once. It
    is equal to `pdqhash`'s sum in float64 in every bit.

    Args:
        picture: pixels, or an image in RGB or in grey.

    Returns:
        float32, shape (height, width), 0 to 255.
    """
    if isinstance(picture, Image.Image):
        if picture.mode == "L":  # brightness already: 0.3 ms for 762,048 pixels, by Pillow 3.4
            return np.array(picture, np.float32)
        width, height = picture.size
    else:
        height, width, _ = picture.shape
    luma = np.empty((height, width), np.float32)
    step = max(1, _STRIP_PIXELS // max(width, 1))
    for top in range(0, height, step):
        bottom = min(top + step, height)
        if isinstance(picture, Image.Image):
            strip = picture.crop((0, top, width, bottom))
        else:
            strip = Image.fromarray(np.ascontiguousarray(picture[top:bottom], np.uint8))
        luma[top:bottom] = np.asarray(strip.convert("F"))
    return luma


def pdq_hash(pixels: Pixels, *, backend: PdqBackend = PdqBackend.NUMPY) -> Hash:
    """The PDQ of a picture."""
    if backend is PdqBackend.NUMPY:
        return pdq_of(luma_of(pixels)).hash()
    import pdqhash  # noqa: PLC0415  optional: only who asks for it needs it

    bits, quality = pdqhash.compute(pixels)
    return _packed(bits, quality)


def pdq_hashes(pixels: Pixels, *, backend: PdqBackend = PdqBackend.NUMPY) -> tuple[Hash, ...]:
    """The PDQ of a picture and then of its seven mirrored and turned forms; see `Pdq.forms`.

    They come from one transform and cost no more than one. Forms that are equal, as
    those of a black picture are, are given once.
    """
    if backend is PdqBackend.NUMPY:
        return pdq_of(luma_of(pixels)).forms()
    import pdqhash  # noqa: PLC0415  optional: only who asks for it needs it

    forms, quality = pdqhash.compute_dihedral(pixels)
    return tuple(dict.fromkeys(_packed(bits, quality) for bits in forms))


def _packed(bits: npt.NDArray[np.int64], quality: int) -> Hash:
    value = HashValue(np.packbits(bits.astype(np.uint8)).tobytes())
    return Hash(HashType.PDQ, value, int(quality))
