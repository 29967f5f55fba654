"""The hashes of files: against Meta's published ones, mirrored and turned, and exact."""

import csv
import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstseen.errors import MediaError
from firstseen.hashing.exact import exact_hashes
from firstseen.hashing.file import hash_file
from firstseen.hashing.image import hash_image
from firstseen.hashing.kind import media_type_of
from firstseen.hashing.pdq import pdq_hash, pdq_hashes
from firstseen.items import Hash, HashType, Item, MediaType

LISTED_BITS = 31  # Meta's default, as a bank's
TURNED_BITS = 20  # PDQ samples its cells off their middle, so a turn moves a few bits


def bits_apart(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def perceptual(item: Item) -> list[Hash]:
    return [h for h in item.hashes if h.type is HashType.PDQ]


def test_hashes_are_those_meta_published(shared_data: Path) -> None:
    with (shared_data / "pdq" / "expected-hashes.csv").open() as stream:
        rows = [row for row in csv.reader(stream) if len(row) == 2]
    published = {Path(name).name: value for name, value in rows}
    compared = 0
    for path in sorted((shared_data / "pdq").glob("bridge-*.jpg")):
        own = perceptual(hash_image(path.read_bytes()))[0]
        assert own.quality is not None
        assert own.quality >= 80
        assert (
            bits_apart(own.value, bytes.fromhex(published[path.name.removeprefix("bridge-")])) <= 10
        )
        compared += 1
    assert compared == 8


def test_copies_of_the_bridge_are_found_and_others_are_not(shared_data: Path) -> None:
    folder = shared_data / "pdq"
    listed = perceptual(hash_image((folder / "bridge-aaa-orig.jpg").read_bytes()))[0].value

    def nearest_bits(path: Path) -> int:
        hashes = perceptual(hash_image(path.read_bytes(), dihedral=True))
        return min(bits_apart(h.value, listed) for h in hashes)

    for path in [*folder.glob("bridge-*.jpg"), *folder.glob("dih-*.jpg")]:
        assert nearest_bits(path) <= LISTED_BITS
    assert nearest_bits(folder / "small-q0122.jpg") > LISTED_BITS
    for path in folder.glob("lowq-*.jpg"):
        assert all((h.quality or 0) < 50 for h in perceptual(hash_image(path.read_bytes())))


def test_mirrored_and_turned_copies_share_a_form_with_the_original(
    photos: tuple[Path, ...],
) -> None:
    with Image.open(photos[0]) as opened:
        picture = opened.convert("RGB").resize((512, 384))
    listed = pdq_hash(np.asarray(picture))
    for turn in Image.Transpose:
        forms = pdq_hashes(np.asarray(picture.transpose(turn)))
        assert len(forms) == 8
        assert min(bits_apart(form.value, listed.value) for form in forms) <= TURNED_BITS


def test_first_form_is_the_plain_hash(photos: tuple[Path, ...]) -> None:
    data = photos[0].read_bytes()
    plain, forms = hash_image(data), hash_image(data, dihedral=True)
    assert forms.hashes[0] == plain.hashes[0]
    assert forms.hashes[-2:] == plain.hashes[-2:]
    assert len({h.quality for h in perceptual(forms)}) == 1


def test_equal_forms_are_given_once() -> None:
    assert len(pdq_hashes(np.zeros((64, 64, 3), np.uint8))) == 1


def test_exact_hashes_are_of_the_files_bytes(photos: tuple[Path, ...]) -> None:
    data = photos[0].read_bytes()
    by_type = {h.type: h.value for h in hash_image(data).hashes}
    assert by_type[HashType.SHA256] == hashlib.sha256(data).digest()
    assert by_type[HashType.MD5] == hashlib.md5(data, usedforsecurity=False).digest()


def test_large_file_has_the_same_hashes_though_they_are_made_at_once(
    photos: tuple[Path, ...],
) -> None:
    data = photos[0].read_bytes()
    large = data + bytes(1 << 20)  # behind its end, where no decoder looks
    assert perceptual(hash_image(large)) == perceptual(hash_image(data))
    assert hash_image(large).hashes[-2:] == exact_hashes([large])
    with pytest.raises(MediaError):
        hash_image(bytes(1 << 20))


def test_threads_hash_alike(photos: tuple[Path, ...]) -> None:
    want = [hash_image(path.read_bytes(), dihedral=True) for path in photos[:6]]
    got: list[list[Item]] = []
    threads = [
        threading.Thread(
            target=lambda: got.append(
                [hash_image(p.read_bytes(), dihedral=True) for p in photos[:6]]
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [want] * 4


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"%PDF-1.7\n", MediaType.DOCUMENT),
        (b"PK\x03\x04\x14\x00", MediaType.DOCUMENT),
        (b"{\\rtf1", MediaType.DOCUMENT),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", MediaType.VIDEO),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00", MediaType.VIDEO),
        (b"\x1a\x45\xdf\xa3\x01", MediaType.VIDEO),
        (b"RIFF\x00\x00\x00\x00AVI LIST", MediaType.VIDEO),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", MediaType.IMAGE),
        (b"\x00\x00\x00\x24ftypheic\x00\x00\x00\x00", MediaType.IMAGE),
        (b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00", MediaType.IMAGE),
        (b"\xff\xd8\xff\xe0", MediaType.IMAGE),
        (b"\x89PNG\r\n\x1a\n", MediaType.IMAGE),
        (b"?", MediaType.IMAGE),
        ((b"\x47\x40" + bytes(186)) * 2, MediaType.VIDEO),
        ((b"\x47\x40" + bytes(186)) * 21 + b"\x47" + bytes(147), MediaType.VIDEO),
        ((bytes(4) + b"\x47\x40" + bytes(186)) * 21, MediaType.VIDEO),
        ((b"\x47\x40" + bytes(186)), MediaType.IMAGE),
        ((b"\x47\x40" + bytes(186)) * 9 + bytes(188), MediaType.IMAGE),
        (b"G" * 4_096, MediaType.DOCUMENT),
        (b"GIF89a" + b"G" * 4_090, MediaType.IMAGE),
        (b"RIFFsizeWEBP" + b"G" * 4_084, MediaType.IMAGE),
        (b"sizeftypheic" + b"G" * 4_084, MediaType.IMAGE),
        (b"GIF89a" + b"G\x00" * 2_000, MediaType.IMAGE),
        (b"\xff\xd8\xff\xe1" + b"G" * 4_092, MediaType.IMAGE),
    ],
)
def test_first_bytes_say_what_a_file_is(head: bytes, media_type: MediaType) -> None:
    assert media_type_of(head) is media_type


def test_large_picture_has_the_exact_hashes_of_all_its_bytes(photos: tuple[Path, ...]) -> None:
    data = photos[0].read_bytes()
    large = data + bytes(1 << 20)
    item = hash_image(large)
    assert item.hashes[:-2] == hash_image(data).hashes[:-2]
    assert item.hashes[-2].value == hashlib.sha256(large).digest()
    assert item.hashes[-1].value == hashlib.md5(large, usedforsecurity=False).digest()


def test_document_of_a_kind_that_is_not_read_has_exact_hashes_on_request(tmp_path: Path) -> None:
    data = b"\xd0\xcf\x11\xe0" + bytes(3 << 20)  # Office before 2007
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(MediaError, match="kind of document cannot be read"):
        hash_file(tmp_path / "a.jpg")
    item = hash_file(tmp_path / "a.jpg", exact_when_undecodable=True)
    assert item.media_type is MediaType.DOCUMENT
    assert [h.type for h in item.hashes] == [HashType.SHA256, HashType.MD5]
    assert item.hashes[0].value == hashlib.sha256(data).digest()


def test_files_that_cannot_be_hashed_say_so(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(MediaError, match="empty"):
        hash_file(tmp_path / "empty.jpg")
    (tmp_path / "drawing.jpg").write_text("<svg>hello</svg>")
    with pytest.raises(MediaError, match="known format"):
        hash_file(tmp_path / "drawing.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"%PDF-1.7\n")
    with pytest.raises(MediaError, match="damaged document"):
        hash_file(tmp_path / "broken.jpg")
    with pytest.raises(FileNotFoundError):
        hash_file(tmp_path / "none.jpg")
    with pytest.raises(IsADirectoryError):
        hash_file(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MediaError, match="no regular file"):
        hash_file(tmp_path / "pipe")


def test_text_of_an_item_shows_no_hash(photos: tuple[Path, ...]) -> None:
    item = hash_image(photos[0].read_bytes())
    for hash_ in item.hashes:
        for text in (repr(item), str(item), f"{hash_}", str(hash_.value), f"{hash_.value!r}"):
            assert hash_.value.hex() not in text
            assert bytes(hash_.value).__repr__()[2:-1] not in text


def test_path_may_be_text_as_apps_have_it(photos: tuple[Path, ...]) -> None:
    assert hash_file(str(photos[0])) == hash_file(photos[0])
