"""Documents of every kind: equal text is equal hashes, edited text is near, other text is far."""

import base64
import hashlib
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from firstseen.errors import MediaError
from firstseen.hashing.document import document_text, hash_document
from firstseen.hashing.document_kind import document_kind
from firstseen.hashing.document_limits import DocumentLimits
from firstseen.hashing.file import hash_file
from firstseen.hashing.image import hash_image
from firstseen.hashing.kind import media_type_of
from firstseen.hashing.pages import render
from firstseen.hashing.text import normalise
from firstseen.items import HashType, Item, MediaType
from tests.client import documents
from tests.client.documents import MAKERS, paragraphs

SIMHASH_BITS = 60
MINHASH_BITS = 48
PICTURE_BITS = 31
PAGE_BITS = 40


def values(item: Item, type_: HashType) -> list[bytes]:
    return [bytes(h.value) for h in item.hashes if h.type is type_]


def bits_apart(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def simhash_bits(a: Item, b: Item) -> int:
    return bits_apart(*(values(item, HashType.SIMHASH)[0] for item in (a, b)))


def chunk_share(a: Item, b: Item) -> float:
    """Of the chunks of `a`, the share that `b` has."""
    theirs = values(b, HashType.MINHASH)
    own = values(a, HashType.MINHASH)
    return sum(min(bits_apart(one, x) for x in theirs) <= MINHASH_BITS for one in own) / len(own)


def hash_text(texts: Sequence[str]) -> Item:
    return hash_document(documents.txt(texts))


@pytest.mark.parametrize("kind", MAKERS)
def test_same_text_of_any_kind_has_the_same_hashes(kind: str) -> None:
    texts = paragraphs(1)
    data = MAKERS[kind](texts)
    item, want = hash_document(data), hash_text(texts)
    assert document_kind(data, DocumentLimits()) == kind
    assert item.media_type is MediaType.DOCUMENT
    assert item.hashes[:-2] == want.hashes[:-2]
    assert {h.type for h in item.hashes} >= {
        HashType.TEXT_SHA256,
        HashType.SIMHASH,
        HashType.MINHASH,
    }
    assert values(item, HashType.SHA256) == [hashlib.sha256(data).digest()]
    assert [h.type for h in item.hashes[-2:]] == [HashType.SHA256, HashType.MD5]


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "pdf"])
def test_chinese_text_of_any_kind_has_the_same_hashes(kind: str) -> None:
    texts = documents.cjk(1)
    assert hash_document(MAKERS[kind](texts)).hashes[:-2] == hash_text(texts).hashes[:-2]


@pytest.mark.parametrize("make", [paragraphs, documents.cjk])
def test_edited_text_is_near_and_other_text_is_far(make: object) -> None:
    assert callable(make)
    texts = make(1)
    listed = hash_text(texts)
    rng = random.Random(3)
    edited = ["".join(c for c in text if rng.random() > 0.003) for text in texts]
    assert simhash_bits(hash_text(edited), listed) <= SIMHASH_BITS
    assert chunk_share(hash_text(edited), listed) >= 0.5
    other = hash_text(make(2))
    assert simhash_bits(other, listed) > 80
    assert chunk_share(other, listed) == 0


def test_part_of_a_text_shares_its_chunks_wherever_it_is_quoted() -> None:
    texts = paragraphs(1, count=60)
    whole = hash_text(texts)
    quoted = hash_text([*paragraphs(2, count=80), *texts[20:40], *paragraphs(3, count=80)])
    part = hash_text(texts[20:40])
    assert chunk_share(part, whole) >= 0.8
    assert chunk_share(part, quoted) >= 0.8
    assert 0.2 <= chunk_share(whole, quoted) <= 0.5


def test_half_of_a_real_document_is_found_in_the_whole(shared_data: Path) -> None:
    half, complete = (
        hash_document((shared_data / "document" / f"{name}.pdf").read_bytes())
        for name in ("half", "complete")
    )
    assert chunk_share(half, complete) >= 0.5
    assert simhash_bits(half, complete) <= SIMHASH_BITS
    other = hash_text(paragraphs(1))
    assert chunk_share(other, complete) == 0
    assert simhash_bits(other, complete) > 80


def test_texts_too_short_to_be_judged_have_no_sketches() -> None:
    words = paragraphs(1)[0]
    short = hash_text([words[:150]])
    assert [h.type for h in short.hashes] == [HashType.TEXT_SHA256, HashType.SHA256, HashType.MD5]
    assert len(values(hash_text([words]), HashType.MINHASH)) == 1
    for text in ("hello", "Scanned with a scanner. " * 300, "0 " * 5_000):
        exact = [h.type for h in hash_text([text]).hashes]
        assert exact == [HashType.SHA256, HashType.MD5]


@pytest.mark.parametrize(
    ("kind", "page"), [("docx_", None), ("pptx_", 1), ("epub", None), ("rtf", None)]
)
def test_pictures_in_a_document_are_hashed_as_pictures(kind: str, page: int | None) -> None:
    pictures = [documents.picture(seed) for seed in (1, 2)]
    pictures.append(documents.picture(3, side=40))  # too small
    item = hash_document(getattr(documents, kind)(paragraphs(1, count=3), pictures))
    found = [h for h in item.hashes if h.type is HashType.PDQ]
    assert [h.page_index for h in found] == [page and 0, page]
    for seed, hash_ in zip((1, 2), found, strict=True):
        want = hash_image(documents.picture(seed)).hashes[0]
        assert bits_apart(hash_.value, want.value) == 0
        assert hash_.quality == want.quality


def test_pages_without_text_are_hashed_as_they_look() -> None:
    scans = [documents.picture(seed, "JPEG") for seed in (1, 2)]
    item = hash_document(documents.pdf(paragraphs(1, count=4), pictures=scans))
    pages = [h for h in item.hashes if h.type is HashType.PAGE_PDQ]
    pictures = [h for h in item.hashes if h.type is HashType.PDQ]
    assert [h.page_index for h in pages] == [h.page_index for h in pictures] == [1, 2]
    again = hash_document(documents.pdf([], pictures=[documents.picture(2, "JPEG", 160)]))
    assert values(again, HashType.PAGE_PDQ) == [pages[1].value]
    assert bits_apart(pages[0].value, pages[1].value) > PAGE_BITS


def test_item_has_at_most_as_many_hashes_as_wanted() -> None:
    pictures = [documents.picture(seed, "JPEG") for seed in range(9)]
    data = documents.pdf(paragraphs(1, count=60), pictures=pictures)
    everything = hash_document(data)
    for most in (16, 30):
        item = hash_document(data, max_hashes=most)
        assert len(item.hashes) == most
        assert set(item.hashes) <= set(everything.hashes)
    with pytest.raises(ValueError, match="at least 16"):
        hash_document(data, max_hashes=15)


def test_chunks_left_out_are_the_same_in_a_copy_within_another_text() -> None:
    texts = paragraphs(1, count=400)
    longer = documents.txt([*paragraphs(2, count=300), *texts])
    own = hash_document(documents.txt(texts), max_hashes=70)
    other = hash_document(longer, max_hashes=120)
    assert chunk_share(own, other) >= 0.8


def test_limits_of_the_second_kind_leave_out_the_rest() -> None:
    texts = paragraphs(1, count=100)
    shown = document_text(documents.txt(texts), DocumentLimits(max_characters=5_000))
    assert shown == documents.txt(texts).decode()[:5_000]
    one_page = document_text(documents.pdf(texts), DocumentLimits(max_pages=1))
    assert normalise(" ".join(texts)).startswith(normalise(one_page))
    scans = documents.pdf([], pictures=[documents.picture(n, "JPEG") for n in range(4)])
    item = hash_document(scans, limits=DocumentLimits(max_pictures=1, max_rendered_pages=2))
    assert len(values(item, HashType.PDQ)) == 1
    assert len(values(item, HashType.PAGE_PDQ)) == 2


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_decoded_by_its_mark(codec: str) -> None:
    text = "Žluťoučký kůň — 漢字 " * 20
    assert document_text(text.encode(codec)) == text


def test_web_page_is_decoded_as_it_declares() -> None:
    page = '<html><head><meta charset="windows-1251"></head><body>Привет &amp; мир</body></html>'
    assert document_text(page.encode("windows-1251")).strip() == "Привет & мир"
    hostile = page.replace("windows-1251", "unicode_escape")
    assert document_text(hostile.encode()).strip() == "Привет & мир"


def test_web_page_shows_pictures_within_it() -> None:
    data = base64.b64encode(documents.picture(1)).decode()
    page = (
        f'<html><body><img src="data:image/png;base64,{data}"><img src="http://x/"></body></html>'
    )
    assert len(values(hash_document(page.encode()), HashType.PDQ)) == 1


def test_macro_documents_are_read_and_not_run() -> None:
    texts = paragraphs(1, count=3)
    for make in (documents.docx_, documents.pptx_, documents.xlsx):
        files = documents.unpacked(make(texts))
        types = files["[Content_Types].xml"]
        for plain, macro in (
            (b"wordprocessingml.document.main", b"word.document.macroEnabled.main"),
            (b"presentationml.presentation.main", b"powerpoint.presentation.macroEnabled.main"),
            (b"spreadsheetml.sheet.main", b"excel.sheet.macroEnabled.main"),
        ):
            types = types.replace(b"openxmlformats-officedocument." + plain, b"ms-" + macro)
        files["[Content_Types].xml"] = types
        files["word/vbaProject.bin"] = bytes(100)
        assert normalise(document_text(documents.archive(files))) == normalise(" ".join(texts))


def test_file_is_recognised_by_its_content(tmp_path: Path) -> None:
    texts = paragraphs(1)
    for kind, make in MAKERS.items():
        path = tmp_path / f"{kind}.jpg"
        path.write_bytes(make(texts))
        assert hash_file(path).hashes[:-2] == hash_text(texts).hashes[:-2]
    for data in (b"", bytes(100), b"\xff\xd8\xff\xe0", b"<svg></svg>", b"...", b"caf\xe9"):
        assert media_type_of(data) is MediaType.IMAGE
    arabic = "بسم الله الرحمن الرحيم ".encode("cp1256") * 5
    assert media_type_of(arabic) is MediaType.DOCUMENT
    assert media_type_of(("é" * 4_000).encode()[:4_095]) is MediaType.DOCUMENT


def test_threads_hash_alike() -> None:
    data = documents.pdf(paragraphs(1), pictures=[documents.picture(1, "JPEG")])
    with ThreadPoolExecutor(4) as pool:
        items = list(pool.map(hash_document, [data] * 8))
    assert items == [items[0]] * 8


def test_pixels_of_a_page_are_of_the_size_that_is_written_down() -> None:
    with pypdfium2.PdfDocument(documents.pdf(paragraphs(1))) as document:
        page = document[0]
        pixels = render(page)
        page.close()
    assert pixels is not None
    assert pixels.dtype == np.uint8
    assert pixels.shape == (1_400, 990, 3)


def test_empty_document_is_refused() -> None:
    with pytest.raises(MediaError, match="empty"):
        hash_document(b"")
