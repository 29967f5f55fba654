"""Documents that attack: bombs, entities, passwords, damage. Each is hashed or refused, quickly."""

import contextlib
import random
import re
import resource
import socket
import struct
import sys
import threading
import time
import traceback
import tracemalloc
import zipfile
import zlib
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from firstseen.errors import MediaError
from firstseen.hashing import opening
from firstseen.hashing.archive import Archive
from firstseen.hashing.content import Content
from firstseen.hashing.document import document_text, hash_document
from firstseen.hashing.document_limits import DocumentLimits
from firstseen.hashing.text import normalise, normalise_at_most
from firstseen.items import HashType
from tests.client import documents
from tests.client.audit import touched
from tests.client.documents import MAKERS, archive, paragraphs, unpacked

SMALL = paragraphs(1, count=4, words=20)
ARCHIVES = ("docx", "pptx", "xlsx", "odf", "epub")
MAIN_PARTS = {
    "docx": "word/document.xml",
    "pptx": "ppt/slides/slide1.xml",
    "xlsx": "xl/workbook.xml",
    "odf": "content.xml",
    "epub": "OEBPS/book.opf",
}
MOST_S = 10.0  # of this thread's own time, however busy the machine is
MOST_WALL_S = 60.0  # in which something else than computing would show
MOST_BYTES = 1 << 30


def with_part(kind: str, name: str, data: bytes) -> bytes:
    return archive(unpacked(MAKERS[kind](SMALL)) | {name: data})


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archive_over_a_limit_is_refused_before_it_is_unpacked(kind: str) -> None:
    bomb = with_part(kind, "bomb.bin", bytes(20 << 20))
    with pytest.raises(MediaError, match="unpacks to over 200 times its size"):
        hash_document(bomb)
    with pytest.raises(MediaError, match="unpacks to over 1,048,576 bytes"):
        hash_document(bomb, limits=DocumentLimits(max_unpacked_bytes=1 << 20))
    many = archive(unpacked(MAKERS[kind](SMALL)) | {f"{n}.bin": b"" for n in range(300)})
    with pytest.raises(MediaError, match="over 300 files"):
        hash_document(many, limits=DocumentLimits(max_entries=300))
    markup = with_part(kind, "more.xml", b"<a>" + b"<b/>" * 10_000 + b"</a>")
    with pytest.raises(MediaError, match="over 10,000 tags"):
        hash_document(markup, limits=DocumentLimits(max_tags=10_000))
    with pytest.raises(MediaError, match="over 30,000 bytes of markup"):
        hash_document(markup, limits=DocumentLimits(max_markup_bytes=30_000))


def test_archive_that_lies_about_a_size_unpacks_no_more_than_it_says() -> None:
    data = bytearray(with_part("docx", "word/document.xml", b"<a>" + b"x" * (1 << 20) + b"</a>"))
    true_size = struct.pack("<I", (1 << 20) + 7)
    assert data.count(true_size) == 2
    with pytest.raises(MediaError, match="damaged"):
        hash_document(bytes(data.replace(true_size, struct.pack("<I", 100))))


def test_archive_packed_by_a_method_of_no_office_is_refused() -> None:
    data = archive(unpacked(MAKERS["docx"](SMALL)), zipfile.ZIP_LZMA)
    with pytest.raises(MediaError, match="unknown method"):
        hash_document(data)


def test_too_many_bytes_and_too_much_time_are_refused() -> None:
    with pytest.raises(MediaError, match="over 100 bytes"):
        hash_document(bytes(101), limits=DocumentLimits(max_bytes=100))
    content = Content(DocumentLimits(max_seconds=3), now_s=iter((0.0, 2.9, 3.1)).__next__)
    content.check_time()
    with pytest.raises(MediaError, match="over 3 seconds"):
        content.check_time()


ENTITIES = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-be", "utf-7"])
@pytest.mark.parametrize("kind", ARCHIVES)
def test_document_that_declares_entities_is_refused(kind: str, codec: str) -> None:
    text = unpacked(MAKERS[kind](SMALL))[MAIN_PARTS[kind]].decode()
    body = text.partition("?>")[2] if text.startswith("<?xml") else text
    head = f'<?xml version="1.0" encoding="{codec}"?>'
    if codec == "utf-7":  # whose brackets can be written otherwise
        data = head.encode() + ENTITIES.replace("<", "+ADw-").encode() + body.encode()
    else:
        data = (head + ENTITIES + body).encode(codec)
    with pytest.raises(MediaError, match=r"declares entities|unknown encoding"):
        hash_document(with_part(kind, MAIN_PARTS[kind], data))


def test_part_that_unpacks_to_more_than_it_declares_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    files = unpacked(MAKERS["odf"](SMALL)) | {"Pictures/a.png": packed}
    data = bytearray(archive(files, zipfile.ZIP_STORED))
    declared = struct.pack("<I", 8_192)
    for header, method, crc, size, name in (
        (b"PK\3\4", 8, 14, 22, 30),
        (b"PK\1\2", 10, 16, 24, 46),
    ):
        at = next(
            found.start()
            for found in re.finditer(re.escape(header), data)
            if data.startswith(b"Pictures/a.png", found.start() + name)
        )
        data[at + method : at + method + 2] = struct.pack("<H", zipfile.ZIP_DEFLATED)
        data[at + crc : at + crc + 4] = struct.pack("<I", zlib.crc32(bytes(8_192)))
        data[at + size : at + size + 4] = declared
    part = Archive(bytes(data), DocumentLimits())
    tracemalloc.start()
    try:
        assert part.read("Pictures/a.png") == bytes(8_192)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_letters_that_multiply_are_cut_off_like_others() -> None:
    limits = DocumentLimits(max_characters=100_000)
    started_s = time.thread_time()
    text = normalise_at_most("\ufdfa" * 2_000_000, limits.max_characters)  # 18 each
    assert len(text) == limits.max_characters
    assert time.thread_time() - started_s < MOST_S
    assert normalise_at_most("Ab-\nc", 100) == normalise("Ab-\nc")
    assert normalise_at_most("a" * 70_000 + "b" * 70_000, 139_999)[-1] == "b"


def test_refusal_shows_nothing_of_a_document() -> None:
    for kind in ARCHIVES:
        data = with_part(kind, MAIN_PARTS[kind], b"<secretsecret>")
        with pytest.raises(MediaError) as refused:
            hash_document(data)
        told = "".join(traceback.format_exception(refused.value))
        assert "secretsecret" not in told.replace(__file__, "")


def test_nothing_outside_a_document_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<!ENTITY x 'secretsecret'>")
    page = f'<!DOCTYPE html [<!ENTITY x SYSTEM "{secret.as_uri()}">]><html><body>a &x; b'
    page += f'<iframe src="{secret.as_uri()}"></iframe><img src="{secret.as_uri()}"></body></html>'
    assert "secretsecret" not in document_text(page.encode())
    text = unpacked(MAKERS["odf"](SMALL))["content.xml"].decode().partition("?>")[2]
    outside = f'<!DOCTYPE r SYSTEM "{secret.as_uri()}">{text}'
    read = document_text(with_part("odf", "content.xml", outside.encode()))
    assert normalise(read) == normalise(" ".join(SMALL))


def encrypted_pdf() -> bytes:
    key = b"<30>" * 8
    lock = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>" % (b"30" * 32, b"31" * 32)
    return documents.pdf(SMALL).replace(b"trailer<<", b"trailer<<" + lock + b"/ID[%s]" % key)


def encrypted_odf() -> bytes:
    files = unpacked(MAKERS["odf"](SMALL))
    manifest = files["META-INF/manifest.xml"]
    entry = b"<manifest:encryption-data/></manifest:manifest>"
    return archive(
        files | {"META-INF/manifest.xml": manifest.replace(b"</manifest:manifest>", entry)}
    )


def encrypted_zip() -> bytes:
    data = bytearray(MAKERS["docx"](SMALL))
    for at in range(len(data) - 4):
        if data[at : at + 4] == b"PK\x01\x02":
            data[at + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        encrypted_pdf(),
        encrypted_odf(),
        encrypted_zip(),
        b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
    ],
    ids=["pdf", "odf", "zip", "ole"],
)
def test_encrypted_document_is_refused_as_such(data: bytes) -> None:
    with pytest.raises(MediaError, match="encrypted"):
        hash_document(data)


@pytest.mark.parametrize(
    "body",
    [
        r"{\field{\*\fldinst{" * 20_000,
        r'{\field{\*\fldinst{HYPERLINK "a"' * 20_000,
        r"{\fonttbl" + r"{\f1" * 60_000,
        r"{\fonttbl" + r"\f1\fcharset2" * 30_000,
        r"{\fonttbl" + r"\f" * 100_000,
        "{" * 300_000,
        r"\u99999?" * 10_000,
        r"\'e9" * 100_000,
        r"{\pict\bin" + "9" * 5_000,
        r"{\pict\bin1 " * 20_000,
    ],
    ids=["field", "link", "fonts", "charsets", "long", "groups", "code", "hex", "digits", "bin"],
)
def test_rtf_that_is_slow_to_search_is_not(body: str) -> None:
    began_s = time.thread_time()
    with contextlib.suppress(MediaError):
        hash_document(b"{\\rtf1 " + body.encode() + b" text}")
    assert time.thread_time() - began_s < MOST_S


def test_deep_or_endless_markup_is_read_or_refused() -> None:
    deep = b"<html><body>" + b"<div>" * 100_000 + b"text"
    assert "text" in document_text(deep)
    long = b"<html><body><p>" + b"word " * 3_000_000 + b"</p></body></html>"
    limits = DocumentLimits(max_characters=20_000)
    assert len(document_text(long, limits)) == 20_000
    with pytest.raises(MediaError, match="bytes of markup"):
        document_text(long, DocumentLimits(max_markup_bytes=1 << 20))
    nested = b"<a>" * 50_000 + b"</a>" * 50_000
    with pytest.raises(MediaError, match="damaged"):
        document_text(with_part("docx", "word/document.xml", nested))


def test_sheet_that_claims_a_row_far_away_ends() -> None:
    rows = b'<row r="%d"><c r="XFD%d" t="inlineStr"><is><t>far</t></is></c></row>'
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    sheet += rows % (1, 1) + rows % (10**12, 10**12) + b"</sheetData></worksheet>"
    data = with_part("xlsx", "xl/worksheets/sheet1.xml", sheet)
    limits = DocumentLimits(max_seconds=1)
    assert normalise(document_text(data, limits)) == "farfar"


def test_picture_of_a_pdf_with_a_nonsense_filter_is_left_out() -> None:
    data = documents.pdf(SMALL, pictures=[documents.picture(1, "JPEG")])
    assert data.count(b"/DCTDecode") == 1
    item = hash_document(data.replace(b"/DCTDecode", b"/DCTDecod\x8c"))
    types = {h.type for h in item.hashes}
    assert HashType.TEXT_SHA256 in types
    assert HashType.PDQ not in types


def test_pdf_of_very_many_pages_is_read_as_far_as_the_limit() -> None:
    data = documents.pdf(SMALL)
    first = b"[5 0 R]"
    assert data.count(first) == 1
    many = data.replace(first, b"[" + b"5 0 R " * 6_000 + b"]").replace(b"/Count 1", b"/Count 6000")
    text = document_text(many, DocumentLimits(max_pages=50))
    assert len(normalise(text)) == 50 * len(normalise(" ".join(SMALL)))


def test_pdf_whose_pages_are_all_damaged_is_refused() -> None:
    with pytest.raises(MediaError, match="damaged"):
        hash_document(b"%PDF-1.7\n" + bytes(3_000))
    looped = documents.pdf(SMALL).replace(b"[5 0 R]", b"[2 0 R]")
    with pytest.raises(MediaError, match="damaged"):
        hash_document(looped)


@pytest.mark.parametrize("kind", ["pdf", *ARCHIVES])
def test_truncated_document_is_hashed_or_refused(kind: str) -> None:
    data = MAKERS[kind](SMALL)
    for share in (0.1, 0.5, 0.9, 0.99):
        with contextlib.suppress(MediaError):
            hash_document(data[: int(len(data) * share)])


def test_damaged_pictures_are_left_out_and_the_text_stays() -> None:
    picture = documents.picture(1)
    files = unpacked(documents.docx_(SMALL, [picture, documents.picture(2)]))
    files["word/media/image1.png"] = picture[:200]
    item = hash_document(archive(files))
    assert sum(h.type is HashType.PDQ for h in item.hashes) == 1
    assert any(h.type is HashType.TEXT_SHA256 for h in item.hashes)


@cache  # making one takes longer than hashing it
def made(kind: str) -> bytes:
    """A small document to change."""
    if kind == "pdf":
        return documents.pdf(SMALL, pictures=[documents.picture(1, "JPEG")])
    return MAKERS[kind](SMALL)


def fuzzed(kind: str, rng: random.Random) -> bytes:
    """A document with a few bytes changed; of archives, half have them changed in a part."""
    data = made(kind)
    if kind not in ARCHIVES or rng.random() < 0.3:
        return _changed(data, rng)
    files = unpacked(data)
    name = rng.choice([name for name in files if files[name]])
    return archive(files | {name: _changed(files[name], rng)}, zipfile.ZIP_STORED)


def _changed(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(changed))
        match rng.randrange(3):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                del changed[at : at + rng.randint(1, 20)]
            case _:
                changed[at:at] = changed[: rng.randint(1, 40)]
        changed = changed or bytearray(b"a")
    return bytes(changed)


def survive(kind: str, count: int, folder: Path) -> None:
    for make in MAKERS.values():  # what is loaded late is loaded now, and compiled
        hash_document(make(SMALL))
    rng = random.Random(f"{kind}/7")
    for number in range(count):
        data = fuzzed(kind, rng)
        began_s, began_wall_s = time.thread_time(), time.perf_counter()
        with touched(folder) as outside, contextlib.suppress(MediaError):
            hash_document(data)
        assert time.thread_time() - began_s < MOST_S, f"file {number}"
        assert time.perf_counter() - began_wall_s < MOST_WALL_S, f"file {number}"
        assert outside == [], f"file {number}"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", MAKERS)
def test_fuzzed_documents_are_hashed_or_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    survive(kind, 25, tmp_path)


def test_watch_sees_files_and_the_network(tmp_path: Path) -> None:
    inside, elsewhere = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    with touched(inside) as outside:
        (inside / "a").write_text("a")
        (inside / "a").read_text()
        assert outside == []
        elsewhere.write_text("b")
        with socket.socket():
            pass
        (inside / "a").unlink()
        elsewhere.unlink()
    elsewhere.write_text("c")
    assert [event.split()[0] for event in outside] == ["open", "socket.__new__", "os.remove"]


@pytest.mark.slow
@pytest.mark.timeout(3_000)
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in Linux's units")
@pytest.mark.parametrize("kind", MAKERS)
def test_thousands_of_fuzzed_documents_are_hashed_or_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    survive(kind, 2_000, tmp_path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1_024 < MOST_BYTES
    assert threading.active_count() < 20


def test_pictures_of_a_document_hang_neither_on_what_came_before_nor_on_the_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heic = Path(__file__).parents[1] / "data" / "formats" / "leaf-turned.heic"
    opening._register.cache_clear()
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)  # as before the first picture
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    content = Content(DocumentLimits())
    content.add_picture(heic.read_bytes())
    assert [hash_.type for hash_ in content.hashes] == [HashType.PDQ]
    assert Image.MAX_IMAGE_PIXELS == 1_000
