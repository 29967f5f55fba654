"""PDF, by PDFium.

PDFium is not safe in two threads at once, whatever the document: one lock is held from opening to
closing, and every object is closed before it is let go.
"""

import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Final

import numpy as np
import pypdfium2 as pdfium
from pypdfium2 import raw

from firstseen.errors import MediaError
from firstseen.hashing.content import Content
from firstseen.hashing.pages import needs_picture, render
from firstseen.hashing.text import normalise

# Pictures on one page that are looked at; some programs cut a picture into thousands of strips.
_MAX_PAGE_OBJECTS: Final = 256
_MAX_FORM_DEPTH: Final = 4

_pdfium_lock = threading.Lock()


def read(data: bytes, content: Content) -> None:
    """Takes the text and pictures of every page, and renders those without text.

    Pages that are damaged are left out, as a viewer leaves them blank.

    Raises:
        MediaError: it is encrypted, damaged as a whole, or over the limit of time.
    """
    with _pdfium_lock:
        try:
            document = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            if error.err_code in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}:
                raise MediaError("encrypted document") from None
            raise MediaError("damaged document") from None
        with closing(document):
            count = min(len(document), content.limits.max_pages)
            read_count = sum(_read_page(document, index, content) for index in range(count))
    if not read_count:
        raise MediaError("damaged document (no page can be read)")


def _read_page(document: pdfium.PdfDocument, index: int, content: Content) -> bool:
    content.check_time()
    try:
        with closing(document[index]) as page:
            with closing(page.get_textpage()) as textpage:
                text = textpage.get_text_range(errors="ignore")
            content.add_text(text)
            _add_pictures(page, index, content)
            if content.wants_pages and needs_picture(normalise(text)):
                pixels = render(page)
                if pixels is not None:
                    content.add_page(pixels, index)
    except pdfium.PdfiumError:
        return False
    return True


def _add_pictures(page: pdfium.PdfPage, index: int, content: Content) -> None:
    objects: Iterator[pdfium.PdfImage] = page.get_objects(
        filter=(raw.FPDF_PAGEOBJ_IMAGE,), max_depth=_MAX_FORM_DEPTH
    )
    for picture in islice(objects, _MAX_PAGE_OBJECTS):
        content.check_time()
        if not content.wants_pictures:
            return
        try:
            _add_picture(picture, index, content)
        except (pdfium.PdfiumError, UnicodeDecodeError):  # the name of a filter that is none
            continue  # a damaged picture; the page's text is there


def _add_picture(picture: pdfium.PdfImage, index: int, content: Content) -> None:
    if not content.is_worth(*picture.get_px_size()):
        return
    if picture.get_filters(skip_simple=True) == ["DCTDecode"]:
        # The JPEG as it was put in: hashed as the file that it was.
        content.add_picture(bytes(picture.get_data(decode_simple=True)), index)
        return
    with closing(picture.get_bitmap()) as bitmap:
        bitmap.warn_on_close = False  # its buffer goes with it; what is taken is a copy
        content.add_pixels(np.array(bitmap.to_pil().convert("RGB"), np.uint8), index)
