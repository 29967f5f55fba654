"""How much of a document is looked at: a hostile file must cost no more than a large honest one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """Bounds of one document.

    Over a bound of the first kind the document is refused. Of the second kind, what is over is left
    out, the same on every device, so that copies still match.

    Attributes:
        max_bytes: of the file. First kind, as the next six.
        max_entries: files in an archive. A book of 1,000 chapters with pictures has some 5,000.
        max_unpacked_bytes: of all files in an archive together, as it declares them; no
            more than declared is ever unpacked.
        max_ratio: unpacked to packed bytes, for archives that unpack to over 16 MiB. Sheets of
            numbers reach about 40; deflate can do 1,032.
        max_markup_bytes: of all XML in an archive, or of one web page.
        max_tags: `<` in all XML of an archive, or in one web page. A novel has about 200,000.
        max_seconds: of computing. Looked at before each page, sheet, chapter and picture, so one
            of these can take longer.
        max_pages: pages, slides, sheets or chapters. Second kind, as all that follow.
        max_characters: of text.
        max_pictures: pictures in it.
        max_picture_bytes: of one picture in an archive, unpacked.
        max_picture_pixels: of one picture in it.
        max_rendered_pages: pages without text.
    """

    max_bytes: int = 256 << 20
    max_entries: int = 20_000
    max_unpacked_bytes: int = 1 << 30
    max_ratio: int = 200
    max_markup_bytes: int = 64 << 20
    max_tags: int = 4_000_000
    max_seconds: float = 60.0
    max_pages: int = 5_000
    max_characters: int = 4_000_000
    max_pictures: int = 64
    max_picture_bytes: int = 64 << 20
    max_picture_pixels: int = 32 << 20
    max_rendered_pages: int = 64
