"""Pages without text, as pictures: scans, and slides that were saved as pictures."""

from contextlib import closing
from typing import Final

import numpy as np
import numpy.typing as npt
import pypdfium2 as pdfium

# Of a page's longer side. Both sides must render alike: at 512 a page is 36 bits from itself
# at 1,400, and within 40 bits only 97 of 100 such pages are still found.
RENDERED_PIXELS: Final = 1_400
# Fewer letters than this are a page number, a header or a scanner's mark, and no page's text.
MIN_PAGE_CHARACTERS: Final = 64
# PDQ has nothing to see on less, as in `firstseen.hashing.picture`.
_MIN_SIDE: Final = 5


def needs_picture(text: str) -> bool:
    """Whether a page is to be rendered.

    Args:
        text: what is written on it, normalised.
    """
    return len(text) < MIN_PAGE_CHARACTERS


def render(page: pdfium.PdfPage) -> npt.NDArray[np.uint8] | None:
    """Renders a page on white, without annotations; None for one that is a line or a dot.

    The caller holds the lock of `firstseen.hashing.readers.pdf`.

    Returns:
        uint8, shape (height, width, 3), RGB, the longer side 1,400 pixels.
    """
    width, height = page.get_size()
    if min(width, height) <= 0:
        return None
    scale = RENDERED_PIXELS / max(width, height)
    if min(width, height) * scale < _MIN_SIDE:
        return None
    with closing(
        page.render(scale=scale, may_draw_forms=False, draw_annots=False, rev_byteorder=True)
    ) as bitmap:
        return np.array(bitmap.to_numpy()[:, :, :3], np.uint8)
