"""The brightness of a picture, and the PDQ of any part of it.

Parts that share their lines share the first half of the work: the tiles, crops and trimmed
forms of a picture cost less than hashing each by itself.
"""

from typing import Final, NamedTuple

from firstseen.hashing.pdq import Pdq, pdq_of, pdq_of_cells
from firstseen.hashing.tent import Levels, reduce_columns, reduce_rows


class Box(NamedTuple):
    """A part of a picture, in pixels; right and bottom are the first outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top


class Luma:
    """A picture to be hashed whole and in parts.

    Attributes:
        levels: float32, shape (height, width), 0 to 255.
        whole: its box.
    """

    def __init__(self, levels: Levels) -> None:
        self.levels: Final = levels
        height, width = levels.shape
        self.whole: Final = Box(0, 0, width, height)
        self._rows: dict[tuple[int, int], Levels] = {}

    def pdq(self) -> Pdq:
        """Of the whole, equal to Meta's in every bit."""
        return pdq_of(self.levels)

    def pdq_of_part(self, box: Box) -> Pdq:
        """Of a part, equal to Meta's but for bits that hang on how sums are rounded.

        Args:
            box: within the picture, at least 5 pixels a side.
        """
        lines = (box.top, box.bottom)
        if lines not in self._rows:
            self._rows[lines] = reduce_rows(self.levels[box.top : box.bottom])
        return pdq_of_cells(reduce_columns(self._rows[lines][:, box.left : box.right]))
