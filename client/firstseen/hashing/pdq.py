"""Meta's PDQ: 256 bits of what a picture looks like, and how much there is to see."""

import numpy as np
import numpy.typing as npt
import pdqhash

from firstseen.items import Hash, HashType, HashValue


def pdq_hash(pixels: npt.NDArray[np.uint8]) -> Hash:
    """The PDQ of a picture.

    Args:
        pixels: uint8, shape (height, width, 3), RGB.
    """
    bits, quality = pdqhash.compute(pixels)
    return _hash(bits, quality)


def pdq_hashes(pixels: npt.NDArray[np.uint8]) -> tuple[Hash, ...]:
    """The PDQ of a picture and then of its seven mirrored and rotated forms.

    They come from one transform and cost no more than one. Forms that are equal, as
    those of a black picture are, are given once.

    Args:
        pixels: as `pdq_hash`.
    """
    forms, quality = pdqhash.compute_dihedral(pixels)
    return tuple(dict.fromkeys(_hash(bits, quality) for bits in forms))


def _hash(bits: npt.NDArray[np.int64], quality: int) -> Hash:
    value = HashValue(np.packbits(bits.astype(np.uint8)).tobytes())
    return Hash(HashType.PDQ, value, int(quality))
