"""Makes small documents of every kind, by other programs than those that read them."""

import random
import zipfile
import zlib
from collections.abc import Callable, Sequence
from html import escape
from io import BytesIO

import docx
import odfdo
import openpyxl
import pptx
from PIL import Image

# Of no language; letters enough for every test, and none that a PDF's own fonts lack.
SYLLABLES = ("ba", "cor", "den", "fi", "gal", "hum", "in", "jo", "kel", "lum", "mir", "no", "pre",
             "qua", "ros", "sti", "tur", "vel", "wen", "zo")  # fmt: skip

_CONTAINER = "urn:oasis:names:tc:opendocument:xmlns:container"


def paragraphs(seed: int, count: int = 30, words: int = 60) -> list[str]:
    """Invented prose, with capitals and full stops."""
    rng = random.Random(seed)
    lexicon = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(800)]
    out = []
    for _ in range(count):
        chosen = rng.choices(lexicon, k=words)
        out.append(" ".join(chosen).capitalize() + ".")
    return out


def cjk(seed: int, count: int = 12, length: int = 150) -> list[str]:
    """Invented paragraphs of Chinese characters, without spaces."""
    rng = random.Random(seed)
    return [
        "".join(chr(rng.randrange(0x4E00, 0x5600)) for _ in range(length)) for _ in range(count)
    ]


def picture(seed: int, kind: str = "PNG", side: int = 160) -> bytes:
    """A picture with much to see."""
    rng = random.Random(seed)
    coarse = Image.frombytes("RGB", (9, 9), rng.randbytes(243))
    stream = BytesIO()
    coarse.resize((side, side), Image.Resampling.BICUBIC).save(stream, kind)
    return stream.getvalue()


def pdf(texts: Sequence[str], page_lines: int = 40, pictures: Sequence[bytes] = ()) -> bytes:
    """A PDF in Helvetica, lines of 14 words, then a page for each JPEG."""
    lines = [
        " ".join(words[at : at + 14])
        for words in (text.split() for text in texts)
        for at in range(0, len(words), 14)
    ]
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    kids = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    def add_page(drawing: bytes, resources: bytes) -> None:
        packed = zlib.compress(drawing)
        head = b"<</Length %d/Filter/FlateDecode>>stream\n" % len(packed)
        content = add(head + packed + b"\nendstream")
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<<%s>>>>"
        kids.append(add(page % (content, resources)))

    for start in range(0, len(lines), page_lines):
        shown = b"".join(b"(%s)'\n" % line.encode() for line in lines[start : start + page_lines])
        add_page(b"BT /F1 9 Tf 12 TL 50 800 Td\n" + shown + b"ET", b"/Font<</F1 3 0 R>>")
    for jpeg in pictures:
        head = b"<</Type/XObject/Subtype/Image/Width 160/Height 160/ColorSpace/DeviceRGB"
        head += b"/BitsPerComponent 8/Filter/DCTDecode/Length %d>>stream\n" % len(jpeg)
        image = add(head + jpeg + b"\nendstream")
        add_page(b"400 0 0 500 90 200 cm /Im Do", b"/XObject<</Im %d 0 R>>" % image)
    references = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), references)
    return _pdf_file(objects)


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    data = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
    count = len(objects) + 1
    return (
        data
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
        + trailer % (count, len(data))
    )


def docx_(texts: Sequence[str], pictures: Sequence[bytes] = ()) -> bytes:
    """By python-docx."""
    document = docx.Document()
    for text in texts:
        document.add_paragraph(text)
    for data in pictures:
        document.add_picture(BytesIO(data))
    stream = BytesIO()
    document.save(stream)
    return stream.getvalue()


def pptx_(texts: Sequence[str], pictures: Sequence[bytes] = ()) -> bytes:
    """By python-pptx, a slide for each paragraph, pictures from the first slide on."""
    show = pptx.Presentation()
    for place, text in enumerate(texts):
        slide = show.slides.add_slide(show.slide_layouts[6])
        slide.shapes.add_textbox(0, 0, 9_000_000, 6_000_000).text_frame.text = text
        if place < len(pictures):
            slide.shapes.add_picture(BytesIO(pictures[place]), 0, 0)
    stream = BytesIO()
    show.save(stream)
    return stream.getvalue()


def xlsx(texts: Sequence[str]) -> bytes:
    """By openpyxl, a row for each paragraph."""
    book = openpyxl.Workbook()
    for text in texts:
        book.worksheets[0].append([text])
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()


def odt(texts: Sequence[str]) -> bytes:
    """By odfdo."""
    document = odfdo.Document("text")
    document.body.clear()
    for text in texts:
        document.body.append(odfdo.Paragraph(text))
    stream = BytesIO()
    document.save(stream)
    return stream.getvalue()


def txt(texts: Sequence[str]) -> bytes:
    """In UTF-8."""
    return "\n\n".join(texts).encode()


def html(texts: Sequence[str]) -> bytes:
    """With a script, a style and a title, which no reader sees."""
    body = "".join(f"<p>{escape(text)}</p>\n" for text in texts)
    head = "<title>no</title><style>p{color:red}</style><script>if (1 < 2) never()</script>"
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()


def epub(texts: Sequence[str], pictures: Sequence[bytes] = ()) -> bytes:
    """A chapter for each ten paragraphs."""
    chapters = [texts[at : at + 10] for at in range(0, len(texts), 10)]
    items = [
        f'<item id="c{n}" href="c%20{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(chapters))
    ]
    items += [
        f'<item id="p{n}" href="p{n}.png" media-type="image/png"/>' for n in range(len(pictures))
    ]
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    container = f'<container xmlns="{_CONTAINER}"><rootfiles><rootfile full-path="OEBPS/book.opf"/>'
    listing = f"<manifest>{''.join(items)}</manifest><spine>{spine}</spine>"
    package = f'<package xmlns="http://www.idpf.org/2007/opf">{listing}</package>'
    files = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": f"{container}</rootfiles></container>".encode(),
        "OEBPS/book.opf": package.encode(),
    }
    files |= {f"OEBPS/c {n}.xhtml": html(chapter) for n, chapter in enumerate(chapters)}
    files |= {f"OEBPS/p{n}.png": data for n, data in enumerate(pictures)}
    return archive(files)


def rtf(texts: Sequence[str], pictures: Sequence[bytes] = ()) -> bytes:
    """With a table of fonts and a link, as Word writes them."""
    fonts = r"{\fonttbl{\f0\fnil\fcharset0 Arial;}{\f1\fnil\fcharset204 Arial;}}"
    head = r"{\rtf1\ansi\ansicpg1252\deff0" + fonts
    link = r'{\field{\*\fldinst{HYPERLINK "http://example.org/"}}{\fldrslt{}}}'
    body = "".join(rf"\pard\f0 {_escaped(text)}\par" + "\n" for text in texts)
    shown = "".join(r"{\pict\pngblip " + data.hex() + "}" for data in pictures)
    return f"{head}{link}{body}{shown}}}".encode("ascii")


def _escaped(text: str) -> str:
    units = text.encode("utf-16-le")
    codes = [
        int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2)
    ]
    return "".join(chr(c) if 0 < c < 128 else rf"\u{c}?" for c in codes)


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP file of these files."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return stream.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a ZIP file."""
    with zipfile.ZipFile(BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


MAKERS: dict[str, Callable[[Sequence[str]], bytes]] = {
    "pdf": pdf, "docx": docx_, "pptx": pptx_, "xlsx": xlsx, "odf": odt,
    "epub": epub, "rtf": rtf, "html": html, "txt": txt,
}  # fmt: skip
