"""XLSX, and XLSM, whose macros are not looked at. A page is a sheet."""

from io import BytesIO
from itertools import islice
from typing import Final

import openpyxl

from firstseen.errors import MediaError
from firstseen.hashing.archive import Archive
from firstseen.hashing.content import Content
from firstseen.hashing.quiet import Quiet

_ROWS_A_STEP: Final = 1_000
# What Excel itself can open; openpyxl makes an empty row of each that a file leaves out.
_MAX_ROWS: Final = 1_048_576
_quiet: Final = Quiet()


def read(data: bytes, content: Content) -> None:
    """Takes the values of all cells, formulas as they were last calculated; then the pictures.

    Raises:
        MediaError: it is damaged, encrypted or over a limit.
    """
    archive = Archive(data, content.limits)
    try:
        with _quiet:  # warnings are of validations and styles
            _read_cells(data, content)
    except MediaError:
        raise
    # Damaged files make it raise what they like: KeyError, ValueError, TypeError, ParseError, ...
    except Exception as error:
        raise MediaError(f"damaged document ({type(error).__name__})") from error
    for name in sorted(archive.names):
        if name.startswith("xl/media/") and content.wants_pictures:
            content.add_picture(archive.read(name))


def _read_cells(data: bytes, content: Content) -> None:
    book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        for sheet in islice(book.worksheets, content.limits.max_pages):
            sheet.reset_dimensions()  # what a sheet says of its size may be wrong
            rows = islice(sheet.iter_rows(values_only=True), _MAX_ROWS)
            for number, row in enumerate(rows):
                if number % _ROWS_A_STEP == 0:
                    content.check_time()
                if content.is_full:
                    return
                content.add_text(" ".join(str(cell) for cell in row if cell is not None))
    finally:
        book.close()
