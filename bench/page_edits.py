"""What becomes of a page that is scanned, printed and scanned again: 13 edits, seeded.

A page of a document is rendered as a scanner would see it, and wrapped in a document of its own
that has no text. What finds it again is measured in `bench/quality_bench.py`.
"""

import io
import random
from contextlib import closing
from functools import partial
from typing import Final

import pypdfium2 as pdfium
from PIL import Image, ImageOps

from bench import image_drawing as drawn
from bench import image_edits as edits
from bench.image_drawing import Picture, Random
from bench.image_edits import Apply

# The longer side of an A4 page at 150 dots an inch, what scanners make when left alone.
_SCANNED_PIXELS: Final = 1_754
_SCANNED_DPI: Final = 150
# Letters of a page that is worth a scan. What has fewer is a title; those of a series are alike.
_MIN_LETTERS: Final = 500
_TRIED_PAGES: Final = 20
_SCAN_QUALITY: Final = 95  # of the JPEG in the PDF: what an edit saved is hardly saved again


def page_picture(data: bytes, seed: str) -> Picture | None:
    """One page of a PDF with much on it, as a picture; None when there is none.

    Args:
        data: the whole file.
        seed: which page it is depends on it.
    """
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError:
        return None
    with closing(document):
        places = list(range(len(document)))
        random.Random(seed).shuffle(places)  # noqa: S311  it is to be the same every time
        for place in places[:_TRIED_PAGES]:
            with closing(document[place]) as page:
                if _letters(page) >= _MIN_LETTERS:
                    return _rendered(page)
    return None


def _letters(page: pdfium.PdfPage) -> int:
    with closing(page.get_textpage()) as text:
        return int(text.count_chars())


def _rendered(page: pdfium.PdfPage) -> Picture:
    scale = _SCANNED_PIXELS / max(page.get_size())
    with closing(page.render(scale=scale, draw_annots=False)) as bitmap:
        picture: Picture = bitmap.to_pil().convert("RGB")
        return picture


def scan(page: Picture) -> bytes:
    """A PDF of one page that is a picture, without text."""
    stream = io.BytesIO()
    page.save(stream, "PDF", resolution=_SCANNED_DPI, quality=_SCAN_QUALITY)
    return stream.getvalue()


def _sized(side: int) -> Apply:
    """No side over `side` pixels."""

    def apply(page: Picture, _: Random) -> Picture:
        page = page.copy()
        page.thumbnail((side, side), Image.Resampling.LANCZOS)
        return page

    return apply


def _two_levels(page: Picture, _: Random) -> Picture:
    """Black and white, as faxes are."""
    return page.convert("L").point(lambda level: 255 * (level >= 128)).convert("RGB")


def _skewed(degrees: float) -> Apply:
    """Turned to either side, as paper lies on the glass."""

    def apply(page: Picture, random_: Random) -> Picture:
        angle = degrees * (1 if random_.random() < 0.5 else -1)
        return page.rotate(angle, Image.Resampling.BICUBIC, fillcolor="white")

    return apply


def _headed(page: Picture, random_: Random) -> Picture:
    """A line above, as printers and fax machines write it."""
    made = page.copy()
    width, height = page.size
    centre = (width / 2, height * 0.02)
    drawn.text(made, centre, drawn.sentence(random_, 7), height * 0.014, (0, 0, 0))
    return made


def _on_letter(page: Picture, _: Random) -> Picture:
    """Printed on US Letter, as large as fits, in the middle."""
    width, height = page.size
    size = (
        (width, round(width * 11 / 8.5)) if height > width else (round(height * 11 / 8.5), height)
    )
    return ImageOps.pad(page, size, Image.Resampling.LANCZOS, color="white")


PAGE_EDITS: Final = (
    *edits.group(
        "saved again",
        ("jpeg q30", edits.saved(30)),
        ("jpeg q10", edits.saved(10)),
        ("512 px", _sized(512)),
        ("grey", edits.grey),
        ("black and white", _two_levels),
    ),
    *edits.group(
        "scanned again",
        ("noise s25", edits.noisy),
        ("turned 0.5°", _skewed(0.5)),
        ("turned 1°", _skewed(1)),
        ("photo of the page", partial(drawn.screen_photo, share=0.05, background=True)),
    ),
    *edits.group(
        "laid out again",
        ("header line", _headed),
        ("A4 to Letter", _on_letter),
        ("3 % cropped each side", edits.cropped_around(0.03)),
        ("dark mode", edits.inverted),
    ),
)
