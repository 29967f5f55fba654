"""Our PDQ against Meta's, bit for bit: on photographs, at random sizes, and where sums tie."""

import json
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pdqhash
import pytest
from PIL import Image

from firstseen.hashing.luma import Box, Luma
from firstseen.hashing.pdq import (
    MAX_FLATNESS,
    PdqBackend,
    luma_of,
    pdq_hash,
    pdq_hashes,
    pdq_of,
)
from firstseen.hashing.picture import open_luma, open_pixels
from firstseen.items import Hash

Pixels = npt.NDArray[np.uint8]


def waves(width: int, height: int) -> Pixels:
    """The picture of tests/data/vectors.json that is made by a formula."""
    y, x = np.mgrid[:height, :width]

    def wave(at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.abs(at % 510 - 255)

    channels = wave(3 * x + 2 * y), wave(x * y // 16), wave(5 * y - 2 * x)
    return np.dstack(channels).astype(np.uint8)


def stripes(width: int, height: int) -> Pixels:
    line = (np.arange(width) // 8 % 2 * 255).astype(np.uint8)
    return np.broadcast_to(line[None, :, None], (height, width, 3)).copy()


def assert_equal_to_oracle(pixels: Pixels) -> None:
    assert pdq_hashes(pixels) == pdq_hashes(pixels, backend=PdqBackend.PDQHASH)


def random_pictures(sources: list[Path], count: int, longest: int) -> Iterator[Pixels]:
    """Photographs, noise and black-and-white at sizes from 5 pixels on, small ones often."""
    random = np.random.default_rng(26)
    pictures = [Image.fromarray(open_pixels(path.read_bytes())) for path in sources]
    for number in range(count):
        width, height = np.exp(random.uniform(np.log(5), np.log(longest), 2)).astype(int).tolist()
        source = pictures[number % len(pictures)]
        if number % 8 == 5:
            yield random.integers(0, 256, (height, width, 3), np.uint8)
            continue
        if number % 8 == 7:
            source = source.convert("1").convert("RGB")
        yield np.asarray(source.resize((width, height), Image.Resampling.BILINEAR))


def test_every_test_picture_has_metas_bits(shared_data: Path) -> None:
    paths = sorted(shared_data.rglob("*.jpg"))
    assert len(paths) >= 46
    for path in paths:
        assert_equal_to_oracle(open_pixels(path.read_bytes()))


def test_shipped_photographs_have_metas_bits(photos: tuple[Path, ...]) -> None:
    for path in photos:
        assert_equal_to_oracle(open_pixels(path.read_bytes()))


def test_any_size_has_metas_bits(photos: tuple[Path, ...]) -> None:
    for pixels in random_pictures(list(photos[:5]), 80, 600):
        assert_equal_to_oracle(pixels)


@pytest.mark.slow
def test_five_hundred_sizes_have_metas_bits(photos: tuple[Path, ...]) -> None:
    for pixels in random_pictures(list(photos), 500, 4_000):
        assert_equal_to_oracle(pixels)


@pytest.mark.parametrize(
    ("height", "width"),
    [(5, 5), (8, 8), (8, 300), (300, 8), (16, 16), (16, 700), (64, 64), (128, 128), (129, 64)],
)
def test_pictures_that_hang_on_rounding_have_metas_bits(height: int, width: int) -> None:
    random = np.random.default_rng(height * width)
    for level in (0, 200):
        assert_equal_to_oracle(np.full((height, width, 3), level, np.uint8))
    assert_equal_to_oracle(random.integers(0, 256, (height, width, 3), np.uint8))
    assert_equal_to_oracle(stripes(width, height))


@pytest.mark.parametrize("size", [(4, 4), (4, 500), (500, 1)])
def test_less_than_five_pixels_a_side_have_no_bits(size: tuple[int, int]) -> None:
    hash_ = pdq_hash(np.full((*size, 3), 90, np.uint8))
    assert (bytes(hash_.value), hash_.quality) == (bytes(32), 0)


def test_coefficients_in_order_are_metas_to_the_last_bit() -> None:
    pixels = waves(8, 333)
    want, quality = pdqhash.compute_float(pixels)
    pdq = pdq_of(luma_of(pixels))
    assert pdq.hangs_on_rounding
    assert np.array_equal(pdq.transform, want[::-1].reshape(16, 16).astype(np.float32))
    assert pdq.quality == quality


def test_luma_is_rounded_once() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (1_100, 1_000, 3), np.uint8)
    red, green, blue = np.moveaxis(pixels, 2, 0)
    want = (red * 0.299 + green * 0.587 + blue * 0.114).astype(np.float32)
    assert np.array_equal(luma_of(pixels), want)
    grey = Image.fromarray(pixels[..., 1])
    assert np.array_equal(luma_of(grey), np.asarray(grey.convert("F")))


def test_brightness_from_the_file_is_that_of_its_pixels(photos: tuple[Path, ...]) -> None:
    data = photos[3].read_bytes()
    assert np.array_equal(open_luma(data).levels, luma_of(open_pixels(data)))


def test_part_of_a_picture_is_hashed_as_a_picture_of_its_own(photos: tuple[Path, ...]) -> None:
    pixels = open_pixels(photos[0].read_bytes())
    luma = Luma(luma_of(pixels))
    for box in (Box(0, 0, 300, 200), Box(101, 57, 411, 377), luma.whole):
        part = luma.pdq_of_part(box)
        alone = pdq_hash(np.ascontiguousarray(pixels[box.top : box.bottom, box.left : box.right]))
        assert not part.hangs_on_rounding
        assert part.hash() == alone


def test_smaller_picture_has_the_hash_of_the_whole(photos: tuple[Path, ...]) -> None:
    step = 2
    as_whole, by_itself = [], []
    for path in photos:
        whole = luma_of(open_pixels(path.read_bytes()))
        height, width = ((side - 1) // step * step + 1 for side in whole.shape)
        whole = whole[:height, :width]  # the last line stands alone
        rows, columns = (np.arange(0, side, step) for side in whole.shape)
        means = np.add.reduceat(np.add.reduceat(whole, rows, 0), columns, 1)
        means = (means / step**2).astype(np.float32)
        means[-1] *= step
        means[:, -1] *= step
        want = pdq_of(whole).hash()
        as_whole.append(bits_apart(Luma(means, whole.shape).pdq().hash(), want))
        by_itself.append(bits_apart(pdq_of(means).hash(), want))
    assert sum(as_whole) < sum(by_itself) / 2
    assert max(as_whole) <= 6


def test_large_jpeg_has_the_hash_of_its_full_decode(photos: tuple[Path, ...]) -> None:
    for turn, size in ((1, (2_801, 2_603)), (6, (2_603, 2_801))):
        exif = Image.Exif()
        exif[0x0112] = turn
        stream = BytesIO()
        with Image.open(photos[0]) as opened:
            large = opened.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        large.save(stream, "JPEG", quality=90, exif=exif)
        luma = open_luma(stream.getvalue())
        assert luma.size == (2_603, 2_801)
        assert luma.levels.shape == (651, 701)
        upright = large if turn == 1 else large.transpose(Image.Transpose.ROTATE_270)
        assert bits_apart(luma.pdq().hash(), pdq_hash(np.asarray(upright))) <= 4


def test_forms_are_those_of_mirrored_pictures(photos: tuple[Path, ...]) -> None:
    pixels = open_pixels(photos[0].read_bytes())
    upside, beside, diagonal = np.flipud(pixels), np.fliplr(pixels), np.swapaxes(pixels, 0, 1)
    mirrored = (
        pixels,
        np.rot90(pixels),
        np.rot90(pixels, 2),
        np.rot90(pixels, 3),
        upside,
        beside,
        diagonal,
        np.rot90(diagonal, 2),
    )
    luma = Luma(luma_of(pixels))
    for form, by_one, made in zip(
        luma.forms(luma.whole), luma.pdq().forms(), mirrored, strict=True
    ):
        want = pdq_hash(np.ascontiguousarray(made))
        assert form.hash().value == want.value
        assert bits_apart(by_one, want) <= 40


def bits_apart(a: Hash, b: Hash) -> int:
    return (int.from_bytes(a.value) ^ int.from_bytes(b.value)).bit_count()


def test_upright_hash_is_the_first_form() -> None:
    pixels = waves(200, 150)
    for backend in PdqBackend:
        assert pdq_hash(pixels, backend=backend) == pdq_hashes(pixels, backend=backend)[0]


def test_stripes_tell_nothing_though_their_quality_is_high(photos: tuple[Path, ...]) -> None:
    plain = pdq_of(luma_of(stripes(400, 300)))
    assert plain.quality == 100
    assert plain.flatness > MAX_FLATNESS
    assert not plain.is_telling
    flatness = [open_luma(path.read_bytes()).pdq().flatness for path in photos]
    assert max(flatness) < MAX_FLATNESS


def test_pdqhash_is_loaded_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    pixels = waves(90, 80)
    assert pdq_hash(pixels).quality is not None
    with pytest.raises(ImportError):
        pdq_hash(pixels, backend=PdqBackend.PDQHASH)


def vectors() -> list[dict[str, Any]]:
    path = Path(__file__).parents[1] / "data" / "vectors.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["pictures"]
    return found


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: v["name"])
def test_vectors_for_other_languages_hold(vector: dict[str, Any], photos_dir: Path) -> None:
    if "photo" in vector:
        luma = open_luma((photos_dir / vector["photo"]).read_bytes())
    else:
        luma = Luma(luma_of(waves(vector["width"], vector["height"])))
    whole = luma.pdq()
    assert not whole.hangs_on_rounding  # else another language could not be held to it
    assert [h.value.hex() for h in whole.forms()] == vector["pdq"]
    assert (whole.quality, round(whole.flatness, 6)) == (vector["quality"], vector["flatness"])
    for part in vector["parts"]:
        pdq = luma.pdq_of_part(Box(*part["box"]))
        assert not pdq.hangs_on_rounding
        assert (pdq.hash().value.hex(), pdq.quality) == (part["pdq"], part["quality"])
