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

    Args:
        levels: float32, shape (height, width), 0 to 255.
        size: height and width of the picture itself, where `levels` is of a smaller one. Each
            level then stands for as many of its pixels, the last of a line for the rest.

    Attributes:
        levels: as given.
        whole: the box of all levels.
        size: height and width of the picture itself, in pixels.
    """

    def __init__(self, levels: Levels, size: tuple[int, int] | None = None) -> None:
        self.levels: Final = levels
        height, width = levels.shape
        self.whole: Final = Box(0, 0, width, height)
        self.size: Final[tuple[int, int]] = size or (height, width)
        self._steps: Final[tuple[int, int]] = (
            -(-self.size[0] // height),
            -(-self.size[1] // width),
        )
        self._rows: dict[tuple[int, int, bool], Levels] = {}

    def pdq(self) -> Pdq:
        """Of the whole; equal to Meta's in every bit, unless the picture was made smaller."""
        if self.size == self.levels.shape:
            return pdq_of(self.levels)
        return self.pdq_of_part(self.whole)

    def enlarged(self, side: int) -> "Luma":
        """The same, to be hashed as if it were larger: no side under `side` pixels."""
        times = -(-side // min(self.size))
        return Luma(self.levels, (self.size[0] * times, self.size[1] * times))

    def pdq_of_part(self, box: Box, *, down: bool = False, across: bool = False) -> Pdq:
        """Of a part, equal to Meta's but for bits that hang on how sums are rounded.

        Args:
            box: within the picture, at least 5 pixels a side.
            down: of the part turned upside down.
            across: of the part mirrored left to right.
        """
        key = (box.top, box.bottom, down)
        if key not in self._rows:
            side = self._pixels(box.top, box.bottom, axis=0)
            lines = self.levels[box.top : box.bottom]
            self._rows[key] = reduce_rows(lines, side, flipped=down)
        side = self._pixels(box.left, box.right, axis=1)
        columns = self._rows[key][:, box.left : box.right]
        return pdq_of_cells(reduce_columns(columns, side, flipped=across))

    def forms(self, box: Box) -> tuple[Pdq, ...]:
        """Of a part and its seven mirrored and turned forms, in the order of `Pdq.forms`.

        Each is what hashing the mirrored picture gives. `Pdq.forms` is not: PDQ looks a little
        beside the centre of each cell, to the other side in a mirror: by it, one of 46
        photographs was 38 bits from its copy turned by 180 degrees.
        """
        upright, down, across, both = (
            self.pdq_of_part(box, down=is_down, across=is_across)
            for is_across in (False, True)
            for is_down in (False, True)
        )
        return (
            upright,
            across.transposed(),
            both,
            down.transposed(),
            down,
            across,
            upright.transposed(),
            both.transposed(),
        )

    def _pixels(self, start: int, stop: int, *, axis: int) -> int:
        """How many pixels of the picture some levels of an axis stand for."""
        step = self._steps[axis]
        return min(stop * step, self.size[axis]) - start * step
