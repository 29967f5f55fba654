"""Documents of which little or nothing can be read: NOVEL must not be said of them."""

import base64
import random
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from PIL import Image

from bench.running import environment
from firstseen.errors import MediaError
from firstseen.hashing.content import Content
from firstseen.hashing.document import document_text, hash_document, read_document
from firstseen.hashing.document_kind import DocumentKind, document_kind
from firstseen.hashing.document_limits import DocumentLimits
from firstseen.hashing.file import FileOptions, bank_files, hash_items
from firstseen.hashing.pdq import MIN_QUALITY
from firstseen.hashing.picture import open_pixels
from firstseen.hashing.readers import rtf
from firstseen.hashing.text import normalise
from firstseen.items import HashType, Item
from tests.client import documents
from tests.client.documents import MAKERS, archive, paragraphs, unpacked

SMALL = paragraphs(1, count=4, words=20)
EXACT = [HashType.SHA256, HashType.MD5]
UNREAD = {
    "doc": b"\xd0\xcf\x11\xe0" + bytes(2_000),
    "zip": archive({"a": b"b"}),
    "bytes": bytes(100),
    "empty": MAKERS["docx"]([]),
}


def types(item: Item) -> list[HashType]:
    return [h.type for h in item.hashes]


def faint(seed: int = 1) -> bytes:
    """A JPEG of a few levels: a page in pencil."""
    with Image.open(BytesIO(documents.picture(seed))) as opened:
        pale = opened.convert("L").point(lambda level: 245 + level // 32)
    stream = BytesIO()
    pale.convert("RGB").save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.parametrize("name", UNREAD)
def test_question_without_anything_read_is_refused_and_listed_by_exact_hashes(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(UNREAD[name])
    with pytest.raises(MediaError, match=r"cannot be read|can be read"):
        hash_document(UNREAD[name])
    assert types(hash_document(UNREAD[name], exact_when_undecodable=True)) == EXACT
    assert types(hash_document(UNREAD[name], is_listed=True)) == EXACT
    if name == "bytes":  # by its content it is tried as a picture
        return
    with pytest.raises(MediaError, match=r"cannot be read|can be read"):
        hash_items(path)
    [asked] = hash_items(path, FileOptions(exact_when_undecodable=True))
    [listed] = hash_items(path, bank_files())
    assert types(asked) == types(listed) == EXACT


def test_damaged_document_has_exact_hashes_on_request_only() -> None:
    damaged = MAKERS["docx"](SMALL)[:-100]
    for is_listed in (False, True):
        with pytest.raises(MediaError, match="damaged"):
            hash_document(damaged, is_listed=is_listed)
    assert types(hash_document(damaged, exact_when_undecodable=True)) == EXACT
    with pytest.raises(MediaError, match="empty"):
        hash_document(b"", exact_when_undecodable=True)


def test_faint_scan_is_asked_about_by_its_best_page() -> None:
    blank = BytesIO()
    Image.new("RGB", (160, 160), "white").save(blank, "JPEG")
    data = documents.pdf([], pictures=[blank.getvalue(), faint()])
    asked = hash_document(data)
    assert types(asked) == [HashType.PAGE_PDQ, *EXACT]
    [page] = asked.hashes[:1]
    assert page.quality is not None
    assert 0 < page.quality < MIN_QUALITY
    assert page.page_index == 1
    assert types(hash_document(data, is_listed=True)) == EXACT


@pytest.mark.parametrize("data", [faint(), documents.picture(1)], ids=["faint", "good"])
def test_picture_without_text_is_asked_about_and_not_judged(data: bytes) -> None:
    # Pictures in a document make no verdict: beside exact hashes alone it would be NOVEL.
    for texts in ([], [SMALL[0][:60]]):
        asked = hash_document(documents.docx_(texts, [data]))
        [page] = [h for h in asked.hashes if h.type is HashType.PAGE_PDQ]
        assert page.quality == 0
        assert HashType.PAGE_PDQ not in types(
            hash_document(documents.docx_(texts, [data]), is_listed=True)
        )
    with_text = hash_document(documents.docx_(paragraphs(1), [data]))
    assert HashType.PAGE_PDQ not in types(with_text)


def test_good_picture_on_a_faint_page_does_not_judge_the_page() -> None:
    # Small on a white page: the picture has much to see, the page has little.
    data = documents.pdf([], pictures=[documents.picture(1, "JPEG")])
    small = unpressed(data, b"400 0 0 500 90 200 cm", b"9 0 0 9 90 200 cm")
    asked = hash_document(small)
    pages = [h for h in asked.hashes if h.type is HashType.PAGE_PDQ]
    assert HashType.PDQ in types(asked)
    assert [h.quality is not None and h.quality < MIN_QUALITY for h in pages] == [True]


def unpressed(pdf: bytes, old: bytes, new: bytes) -> bytes:
    """A PDF with another drawing, not packed, in the place of one that is there once."""
    drawing = old + b" /Im Do"
    packed = zlib.compress(drawing)
    assert pdf.count(packed) == 1
    plain = new + b" /Im Do"
    head = b"<</Length %d/Filter/FlateDecode>>" % len(packed)
    assert pdf.count(head) == 1
    return pdf.replace(head, b"<</Length %d>>" % len(plain)).replace(packed, plain)


def test_short_text_is_judged_by_equality() -> None:
    assert types(hash_document(b"hello there")) == EXACT
    assert types(hash_document(paragraphs(1)[0][:150].encode())) == [HashType.TEXT_SHA256, *EXACT]


def with_picture(data: bytes) -> bytes:
    files = unpacked(documents.docx_(SMALL, [documents.picture(1)]))
    [name] = [name for name in files if name.startswith("word/media/")]
    return archive(files | {name: data})


METAFILE = struct.pack("<II", 1, 108) + bytes(32) + b" EMF" + bytes(64)


@pytest.mark.parametrize(
    "data",
    [METAFILE, b"\xd7\xcd\xc6\x9a" + bytes(60), b"<svg/>", b"\xff\xd8\xff", bytes(40), b""],
    ids=["emf", "wmf", "svg", "jpeg", "zeros", "empty"],
)
def test_picture_of_no_known_format_is_left_out_in_a_fresh_process(
    data: bytes, root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(with_picture(data))
    code = "import sys; from pathlib import Path; from firstseen import hash_file\n"
    code += "print(len(hash_file(Path(sys.argv[1])).hashes))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, path],
        cwd=root, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(hash_document(MAKERS["docx"](SMALL)).hashes)


def test_warning_of_a_picture_is_not_heard() -> None:
    open_pixels(documents.picture(1))  # sets Pillow's limit
    # Of more pixels than Pillow warns of, and of fewer than it refuses.
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    huge = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    huge += struct.pack(">I", zlib.crc32(header)) + struct.pack(">I4sI", 0, b"IDAT", 0x35AF061E)
    item = hash_document(with_picture(huge))  # warnings are errors here
    assert item.hashes[:-2] == hash_document(MAKERS["docx"](SMALL)).hashes[:-2]


def test_kind_is_found_behind_a_long_comment() -> None:
    files = unpacked(MAKERS["docx"](SMALL))
    head, bracket, tail = files["_rels/.rels"].partition(b"<Relationships")
    hidden = head + b"<!--" + b"x" * 100_000 + b"-->" + bracket + tail
    data = archive(files | {"_rels/.rels": hidden})
    assert document_kind(data, DocumentLimits()) is DocumentKind.DOCX
    assert hash_document(data).hashes[:-2] == hash_document(MAKERS["docx"](SMALL)).hashes[:-2]


def test_styles_of_a_workbook_are_not_looked_at() -> None:
    files = unpacked(MAKERS["xlsx"](SMALL))
    files["xl/styles.xml"] = b"<styleSheet>" + b"<xf/>" * 500_000 + b"</styleSheet>"
    data = archive(files)
    tracemalloc.start()
    try:
        began_s = time.thread_time()
        text = document_text(data)
        took_s = time.thread_time() - began_s
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert normalise(text) == normalise(" ".join(SMALL))
    assert took_s < 3
    assert most_bytes < 32 << 20  # objects of all would be 200 MB


def workbook(rows: bytes, strings: bytes) -> bytes:
    """A workbook of two sheets, as Excel writes it: cells refer to a part with all strings."""
    book = openpyxl.Workbook()
    book.create_sheet("later").append(["second sheet", 2, None, 3.5])
    stream = BytesIO()
    book.save(stream)
    files = unpacked(stream.getvalue())
    sheet, relations = "xl/worksheets/sheet1.xml", "xl/_rels/workbook.xml.rels"
    assert b"<sheetData" in files[sheet]
    files[sheet] = b"<worksheet><sheetData>%s</sheetData></worksheet>" % rows
    kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    related = b'<Relationship Type="%s" Target="sharedStrings.xml" Id="s"/></Relationships>' % kind
    files[relations] = files[relations].replace(b"</Relationships>", related)
    return archive(files | {"xl/sharedStrings.xml": b"<sst>%s</sst>" % strings})


def test_cells_of_a_workbook_are_read_as_they_are_shown() -> None:
    strings = b"<si><t>plain_x000D_line _x005F_x0041_</t></si>"
    strings += b"<si><r><t>ri</t></r><r><t>ch</t></r><rPh><t>never</t></rPh></si>"
    rows = b'<row><c t="s"><v>1</v></c><c t="s"><v>999</v></c><c t="s"><v>0</v></c></row>'
    rows += b'<row><c t="inlineStr"><is><t>in</t></is></c><c/><c><v>45292</v></c>'
    rows += b'<c t="str"><f>NEVER()</f><v>out</v></c></row>'
    text = document_text(workbook(rows, strings))
    assert text == "rich\nplain\rline _x0041_\nin\n45292\nout\nsecond sheet\n2\n3.5"


def test_same_long_string_in_every_cell_is_taken_as_far_as_there_is_room() -> None:
    strings = b"<si><t>" + b"x" * 100_000 + b"</t></si>"
    data = workbook(b"<row>" + b'<c t="s"><v>0</v></c>' * 5_000 + b"</row>", strings)
    tracemalloc.start()
    try:
        text = document_text(data, DocumentLimits(max_characters=10_000))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert text == "x" * 10_000


def test_hexadecimal_of_rtf_is_searched_once() -> None:
    data = b"{\\rtf1 " + (b"a" * 510 + b" ") * 30_000 + b"}"
    began_s = time.thread_time()
    with pytest.raises(MediaError, match="16,777,216 characters of RTF"):
        hash_document(data + b"x" * (2 << 20))
    assert time.thread_time() - began_s < 5  # from each of its letters it is over 7


@pytest.mark.parametrize("before", ["", "\n", "\\picscalex96\n", "\\picw9\r\n\r\n"])
def test_picture_of_rtf_is_found_behind_a_number(before: str) -> None:
    dump = documents.picture(1).hex()
    lines = "\r\n".join(dump[at : at + 128] for at in range(0, len(dump), 128))
    data = rf"{{\rtf1 {{\pict\pngblip {before}{lines}}}\par text}}".encode()
    content = Content(DocumentLimits())
    rtf.read(data, content)
    assert [h.type for h in content.hashes] == [HashType.PDQ]
    assert normalise(content.text) == "text"


def test_line_breaks_of_rtf_end_a_word() -> None:
    data = b"{\\rtf1 one\\par" + b"\r\n" * 600 + b"two}"
    assert normalise(document_text(data)) == "onetwo"


def packed_zeros(kind: str, name: str, size_bytes: int) -> bytes:
    """A document with a picture that unpacks to so much, as part of it."""
    noise = random.Random(1).randbytes(size_bytes // 150)  # to keep the ratio
    files = unpacked(MAKERS[kind](SMALL)) | {name: bytes(size_bytes), "noise": noise}
    return archive(files)


@pytest.mark.parametrize(("kind", "name"), [("odf", "Pictures/a.png"), ("xlsx", "xl/media/a.png")])
def test_picture_that_unpacks_to_too_much_is_not_unpacked(kind: str, name: str) -> None:
    data = packed_zeros(kind, name, 40 << 20)
    tracemalloc.start()
    try:
        hash_document(data, limits=DocumentLimits(max_picture_bytes=8 << 20))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_picture_that_many_slides_show_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = documents.pptx_(SMALL, [documents.picture(1)] * 4)
    seen: list[int | None] = []
    monkeypatch.setattr(Content, "add_picture", lambda _, __, page=None: seen.append(page))
    read_document(data)
    assert seen == [0]


def test_inline_picture_that_is_no_base64_is_left_out() -> None:
    good = base64.b64encode(documents.picture(1)).decode()
    page = '<html><body><p>text</p><img src="data:image/png;base64,é"><img src="data:image/png;'
    item = hash_document(f'{page}base64,{good}"></body></html>'.encode())
    assert HashType.PDQ in types(item)


def test_large_table_of_contents_is_refused() -> None:
    files = unpacked(MAKERS["epub"](SMALL))
    opf = files["OEBPS/book.opf"].replace(b"<manifest>", b"<manifest>" + b"<item/>" * 200_000)
    with pytest.raises(MediaError, match="too large"):
        hash_document(archive(files | {"OEBPS/book.opf": opf}))
