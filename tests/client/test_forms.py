"""What is listed of a picture and what is asked about: crops, tiles, borders, screenshots."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from firstseen.hashing.blurred_pad import picture_before_blur
from firstseen.hashing.forms import BankProfile, bank_hashes, query_hashes
from firstseen.hashing.image import hash_image, hash_listed_image
from firstseen.hashing.luma import Box, Luma
from firstseen.hashing.pdq import luma_of
from firstseen.hashing.picture import open_luma
from firstseen.hashing.trim import border_trim, inner_pictures, main_region
from firstseen.items import Hash, HashType, Item

LISTED_BITS = 31  # Meta's default, as a bank's
Edit = Callable[[Image.Image], Image.Image]


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    folder = Path(__file__).parents[1] / "data" / "photos"
    found = []
    for path in sorted(folder.glob("*.jpg"))[::2]:
        with Image.open(path) as opened:
            found.append(opened.convert("RGB"))
    return found


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def of_type(hashes: tuple[Hash, ...], hash_type: HashType) -> list[Hash]:
    return [h for h in hashes if h.type is hash_type]


def nearest_bits(query: Item, listed: Item, hash_type: HashType = HashType.PDQ) -> int:
    return min(
        (int.from_bytes(q.value) ^ int.from_bytes(b.value)).bit_count()
        for q in of_type(query.hashes, hash_type)
        for b in of_type(listed.hashes, hash_type)
    )


def found(edit: Edit, photographs: list[Image.Image], profile: BankProfile) -> int:
    """How many photographs are found by their edited copies."""
    return sum(
        nearest_bits(
            hash_image(jpeg(edit(photo))), hash_listed_image(jpeg(photo, 95), profile=profile)
        )
        <= LISTED_BITS
        for photo in photographs
    )


def cropped(left: float, top: float, right: float, bottom: float) -> Edit:
    def edit(image: Image.Image) -> Image.Image:
        width, height = image.size
        sides = (width * left, height * top, width * (1 - right), height * (1 - bottom))
        return image.crop(tuple(map(round, sides)))  # type: ignore[arg-type]

    return edit


def screenshot(*, dark: bool) -> Edit:
    """In a chat of a phone: bars with text above and below, and bubbles."""
    ground, ink, bubble = ((0, 0, 0), 235, (38, 38, 41)) if dark else ((255,) * 3, 20, (229,) * 3)

    def edit(image: Image.Image) -> Image.Image:
        screen = Image.new("RGB", (720, 1_600), ground)
        draw = ImageDraw.Draw(screen)
        for y in (24, 90, 1_440, 1_530):
            draw.text((40, y), "12:34  Some words on a screen", (ink,) * 3, font_size=30)
        draw.ellipse((600, 70, 660, 130), bubble)
        draw.rounded_rectangle((40, 1_200, 480, 1_290), 30, bubble)
        draw.text((60, 1_220), "have you seen this?", (ink,) * 3, font_size=34)
        fitted = ImageOps.contain(image, (720, 960))
        screen.paste(fitted, ((720 - fitted.width) // 2, 180))
        return screen

    return edit


def test_query_has_the_upright_whole_first_and_all_forms_once(
    photographs: list[Image.Image],
) -> None:
    framed = ImageOps.expand(photographs[0], 60, "black")
    luma = Luma(luma_of(framed))
    hashes = query_hashes(luma)
    assert hashes[0] == luma.pdq().hash()
    assert len(set(hashes)) == len(hashes) <= 29
    assert len(of_type(hashes, HashType.PDQ)) in {17, 25}
    assert len(of_type(hashes, HashType.PDQ_TILE)) == 4
    upright = query_hashes(luma, dihedral=False)
    assert set(upright) < set(hashes)
    assert len(of_type(upright, HashType.PDQ)) in {2, 3}


def test_small_copy_is_asked_about_as_it_is_and_as_if_enlarged(
    photographs: list[Image.Image],
) -> None:
    for photo in photographs:
        small = photo.copy()
        small.thumbnail((100, 100), Image.Resampling.LANCZOS)
        query = hash_image(jpeg(small, 90))
        assert query.hashes[0] == Luma(luma_of(Image.open(BytesIO(jpeg(small, 90))))).pdq().hash()
        assert len(of_type(query.hashes, HashType.PDQ)) <= 26
        assert nearest_bits(query, hash_listed_image(jpeg(photo, 95))) <= LISTED_BITS


def test_exact_hashes_stay_at_the_end(photographs: list[Image.Image]) -> None:
    data = jpeg(photographs[0])
    for item in (hash_image(data), hash_listed_image(data)):
        assert [h.type for h in item.hashes[-2:]] == [HashType.SHA256, HashType.MD5]
        assert item.hashes[0].type is HashType.PDQ
    assert hash_image(data).hashes[0] == hash_listed_image(data).hashes[0]


def test_each_profile_holds_the_narrower_ones(photographs: list[Image.Image]) -> None:
    for photo in photographs:
        luma = Luma(luma_of(photo))
        lean, standard, wide = (set(bank_hashes(luma, profile)) for profile in BankProfile)
        assert lean < standard < wide
        assert (len(lean), len(standard), len(wide)) <= (2, 14, 30)


def test_plain_and_striped_pictures_are_asked_about_and_not_listed() -> None:
    blank = np.full((300, 400), 200, np.float32)
    stripes = np.tile(np.arange(400) // 8 % 2 * 255, (300, 1)).astype(np.float32)
    for levels in (blank, stripes):
        luma = Luma(levels)
        assert bank_hashes(luma, BankProfile.WIDE) == ()
        assert {h.type for h in query_hashes(luma)} == {HashType.PDQ}
        assert query_hashes(luma)[0] == luma.pdq().hash()  # asked about all the same


def test_stripes_do_not_meet_other_stripes() -> None:
    columns = np.arange(400)
    listed, asked = (
        jpeg(Image.fromarray(np.tile(columns // width % 2 * 255, (300, 1)).astype(np.uint8)))
        for width in (8, 9)
    )
    assert hash_image(asked).hashes[0].quality == 100
    assert of_type(hash_listed_image(listed).hashes, HashType.PDQ) == []


def test_dim_picture_is_listed_by_its_whole_alone(photographs: list[Image.Image]) -> None:
    dim = luma_of(photographs[0].resize((64, 64)).resize((512, 512))) * 0.12
    luma = Luma(dim.astype(np.float32))
    assert luma.pdq().quality < 50
    assert luma.pdq().flatness <= 0.35
    assert bank_hashes(luma) == (luma.pdq().hash(),)


def test_most_hashes_of_a_server_hold_for_pictures(photographs: list[Image.Image]) -> None:
    data = jpeg(ImageOps.expand(photographs[0], 60, "black"))
    whole = hash_image(data).hashes
    assert len(whole) > 20
    for most, kept in ((100, len(whole)), (20, 20), (10, 10), (3, 3), (1, 3)):
        hashes = hash_image(data, max_hashes=most).hashes
        assert hashes == (*whole[: kept - 2], *whole[-2:])


def test_part_that_tells_nothing_is_not_listed(photographs: list[Image.Image]) -> None:
    wide = Image.new("RGB", (1_200, 400), (90, 120, 160))
    wide.paste(photographs[0].resize((400, 400)), (0, 0))
    levels = luma_of(wide)
    levels[:, 400:] += np.linspace(0, 40, 800, dtype=np.float32)  # a clear sky
    hashes = bank_hashes(Luma(levels))
    assert len(of_type(hashes, HashType.PDQ_TILE)) < 4


@pytest.mark.parametrize("colour", ["black", "white", "red", (90, 140, 60)])
@pytest.mark.parametrize("quality", [30, 90])
def test_bars_of_any_colour_are_trimmed(
    colour: str | tuple[int, int, int], quality: int, photographs: list[Image.Image]
) -> None:
    exact = 0
    for photo in photographs:
        framed = ImageOps.expand(photo, (40, 80), colour)
        box = border_trim(open_luma(jpeg(framed, quality)))
        assert box is not None
        want = Box(40, 80, 40 + photo.width, 80 + photo.height)
        exact += max(abs(a - b) for a, b in zip(box, want, strict=True)) <= 12
    assert exact >= len(photographs) - 1  # one photograph may itself end in a bar


def test_whole_photographs_are_hardly_ever_trimmed(photographs: list[Image.Image]) -> None:
    trimmed = [border_trim(Luma(luma_of(photo))) for photo in photographs]
    assert sum(box is not None for box in trimmed) <= 1


def test_blank_picture_has_neither_border_nor_region() -> None:
    for size in ((5, 5), (40, 400), (600, 600)):
        luma = Luma(np.full(size, 255, np.float32))
        assert border_trim(luma) is None
        assert main_region(luma) is None


def test_dark_foot_of_a_picture_below_a_white_caption_stays(
    photographs: list[Image.Image],
) -> None:
    photo = photographs[0].copy()
    foot = (photo.width, photo.height // 5)
    night = np.random.default_rng(3).integers(4, 13, foot[::-1], np.uint8)  # no bar: too uneven
    photo.paste(Image.fromarray(night), (0, photo.height - foot[1]))
    captioned = ImageOps.expand(photo, (0, 120, 0, 0), "white")
    ImageDraw.Draw(captioned).text((40, 40), "seen before", "black", font_size=40)
    box = main_region(open_luma(jpeg(captioned, 95)))
    assert box is not None
    assert abs(box.top - 120) <= 12
    assert captioned.height - box.bottom <= 12


def before_blur(width: int, height: int) -> Edit:
    """A picture scaled into a screen that a blurred copy of it fills."""

    def edit(image: Image.Image) -> Image.Image:
        back = ImageOps.fit(image, (width // 6, height // 6))
        screen = back.filter(ImageFilter.GaussianBlur(4)).resize((width, height))
        shown = ImageOps.contain(image, (width, height))
        screen.paste(shown, ((width - shown.width) // 2, (height - shown.height) // 2))
        return screen

    return edit


@pytest.mark.parametrize("size", [(540, 960), (1_280, 540)])
def test_picture_before_blurred_bars_is_found(
    size: tuple[int, int], photographs: list[Image.Image]
) -> None:
    count = found(before_blur(*size), photographs, BankProfile.LEAN)
    assert count >= len(photographs) - 1


def test_no_picture_has_more_than_two_others_in_it(photographs: list[Image.Image]) -> None:
    for photo in photographs:
        assert len(inner_pictures(Luma(luma_of(photo)))) <= 2
        framed = ImageOps.expand(before_blur(540, 960)(photo), (30, 200), "black")
        assert len(inner_pictures(Luma(luma_of(framed)))) <= 2
        assert len(hash_image(jpeg(framed)).hashes) <= 31


@pytest.mark.parametrize("shape", [(1, 1), (4, 900), (900, 4), (5, 5), (600, 600)])
def test_noise_and_lines_have_no_blurred_bars(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(2).integers(0, 256, shape).astype(np.float32)
    assert picture_before_blur([noise]) is None
    assert picture_before_blur([np.zeros(shape, np.float32)]) is None


@pytest.mark.parametrize("dark", [False, True])
def test_picture_in_a_screenshot_is_found(dark: bool, photographs: list[Image.Image]) -> None:
    count = found(screenshot(dark=dark), photographs, BankProfile.LEAN)
    assert count >= len(photographs) - 1


@pytest.mark.parametrize(
    ("edit", "profile"),
    [
        (lambda p: ImageOps.expand(p, 50, "black"), BankProfile.LEAN),
        (lambda p: ImageOps.pad(p, (max(p.size),) * 2, color="white"), BankProfile.LEAN),
        (ImageOps.mirror, BankProfile.LEAN),
        (lambda p: p.transpose(Image.Transpose.ROTATE_90), BankProfile.LEAN),
        (lambda p: ImageOps.expand(ImageOps.mirror(p), 50, "white"), BankProfile.LEAN),
        (cropped(0.02, 0.02, 0.02, 0.02), BankProfile.STANDARD),
        (cropped(0.10, 0.10, 0.10, 0.10), BankProfile.STANDARD),
        (cropped(0, 0, 0, 0.10), BankProfile.STANDARD),
        (cropped(0.15, 0.15, 0.15, 0.15), BankProfile.WIDE),
        (cropped(0, 0, 0, 0.20), BankProfile.WIDE),
        (cropped(0.10, 0, 0, 0.10), BankProfile.WIDE),
        (lambda p: ImageOps.fit(p, (min(p.size),) * 2), BankProfile.WIDE),
    ],
)
def test_copies_are_found(edit: Edit, profile: BankProfile, photographs: list[Image.Image]) -> None:
    assert found(edit, photographs, profile) >= len(photographs) - 1


def test_covered_part_leaves_two_tiles(photographs: list[Image.Image]) -> None:
    def covered(image: Image.Image) -> Image.Image:
        copy = image.copy()
        width, height = copy.size
        ImageDraw.Draw(copy).rectangle((0, height * 0.9, width, height), "white")
        return copy

    for photo in photographs[:4]:
        query, listed = hash_image(jpeg(covered(photo))), hash_listed_image(jpeg(photo))
        assert nearest_bits(query, listed, HashType.PDQ_TILE) <= LISTED_BITS


def test_different_photographs_do_not_meet(photographs: list[Image.Image]) -> None:
    queries = [hash_image(jpeg(photo)) for photo in photographs]
    listed = [hash_listed_image(jpeg(photo), profile=BankProfile.WIDE) for photo in photographs]
    for i, query in enumerate(queries):
        for j, item in enumerate(listed):
            assert (nearest_bits(query, item) <= LISTED_BITS) == (i == j)
