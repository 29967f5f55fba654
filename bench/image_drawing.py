"""What people put on and around a picture: text, stickers, a phone's screen, a dark room.

Everything is drawn here, with Pillow's own font, so that the same seed gives the same pixels.
The edits that use it are in `bench/image_edits.py`.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

Picture = Image.Image
Random = np.random.Generator
_Colour = tuple[int, int, int]

_WORDS: Final = (
    "the",
    "last",
    "one",
    "said",
    "nobody",
    "had",
    "seen",
    "it",
    "before",
    "we",
    "came",
)
_CAPTION_SHARE: Final = 0.45  # of a band's height that a line of text takes
# A phone of 20:9 as messengers pass its screenshots on: 720 pixels wide.
_SCREEN: Final = (720, 1_600)
_LIGHT: Final[tuple[_Colour, _Colour, _Colour]] = ((255, 255, 255), (20, 20, 22), (142, 142, 147))
_DARK: Final[tuple[_Colour, _Colour, _Colour]] = ((0, 0, 0), (235, 235, 240), (110, 110, 116))
_STICKERS: Final[tuple[_Colour, ...]] = ((255, 205, 50), (235, 60, 60), (60, 130, 240))


def sentence(random: Random, words: int) -> str:
    """Some words of no meaning."""
    return " ".join(random.choice(_WORDS, words))


def text(
    picture: Picture,
    centre: tuple[float, float],
    line: str,
    size: float,
    fill: _Colour,
    *,
    outline: int = 0,
) -> None:
    """Writes a line on a picture, no wider than the picture.

    Args:
        picture: written on.
        centre: of the line, in pixels.
        line: what to write.
        size: height of the letters, in pixels.
        fill: their colour.
        outline: width of the black line around them, in pixels.
    """
    font = ImageFont.load_default(max(6.0, size))
    width = font.getlength(line)
    room = picture.width * 0.94
    if width > room:
        font = ImageFont.load_default(max(6.0, size * room / width))
    ImageDraw.Draw(picture).text(
        centre, line, fill=fill, font=font, anchor="mm", stroke_width=outline, stroke_fill="black"
    )


def caption_above(picture: Picture, random: Random, share: float) -> Picture:
    """A white band with two lines of text on top of a picture, `share` of its height."""
    band = round(picture.height * share)
    made = Image.new("RGB", (picture.width, picture.height + band), "white")
    made.paste(picture, (0, band))
    for line in (0.3, 0.72):
        words = sentence(random, 7)
        text(made, (made.width / 2, band * line), words, band * 0.32, (0, 0, 0))
    return made


def caption_over(picture: Picture, random: Random, share: float) -> Picture:
    """A black band with a line of white text over the bottom `share` of a picture."""
    made = picture.copy()
    top = round(made.height * (1 - share))
    shade = Image.new("RGB", (made.width, made.height - top), "black")
    made.paste(Image.blend(made.crop((0, top, *made.size)), shade, 0.75), (0, top))
    middle = (made.width / 2, (top + made.height) / 2)
    size = (made.height - top) * _CAPTION_SHARE
    text(made, middle, sentence(random, 6), size, (255, 255, 255))
    return made


def meme(picture: Picture, random: Random) -> Picture:
    """Outlined white capitals along the top and the bottom."""
    made = picture.copy()
    size = made.height * 0.11
    for line in (0.09, 0.91):
        words = sentence(random, 4).upper()
        place = (made.width / 2, made.height * line)
        text(made, place, words, size, (255, 255, 255), outline=max(1, round(size / 16)))
    return made


def watermark(picture: Picture, random: Random) -> Picture:
    """A slanting line of grey words, repeated all over at a third of full strength."""
    side = max(picture.size)
    layer = Image.new("L", (side * 2, side * 2))  # turned, it still covers the picture
    draw = ImageDraw.Draw(layer)
    font = ImageFont.load_default(side * 0.035)
    line = "   ".join([sentence(random, 2)] * 12)
    for row in range(12):
        draw.text((-(row % 2) * side * 0.1, row * side / 6), line, fill=85, font=font)
    left, top = (side * 2 - picture.width) // 2, (side * 2 - picture.height) // 2
    mask = layer.rotate(30, Image.Resampling.BILINEAR)
    mask = mask.crop((left, top, left + picture.width, top + picture.height))
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, mask)


def stickers(picture: Picture, random: Random, count: int, share: float) -> Picture:
    """Round faces, each `share` of the picture's width across, anywhere on it."""
    made = picture.copy()
    size = round(made.width * share)
    for number in range(count):
        face = _face(size, _STICKERS[number % len(_STICKERS)])
        room = (max(1, made.width - size), max(1, made.height - size))
        place = (int(random.integers(room[0])), int(random.integers(room[1])))
        made.paste(face, place, face)
    return made


def _face(size: int, colour: _Colour) -> Picture:
    face = Image.new("RGBA", (size, size))
    draw = ImageDraw.Draw(face)
    draw.ellipse((0, 0, size - 1, size - 1), fill=colour, outline=(60, 40, 0), width=size // 30 + 1)
    for eye in (0.33, 0.67):
        left, top = size * (eye - 0.07), size * 0.3
        draw.ellipse((left, top, left + size * 0.14, top + size * 0.2), fill=(60, 40, 0))
    mouth = (size * 0.25, size * 0.35, size * 0.75, size * 0.82)
    draw.chord(mouth, 10, 170, fill=(120, 20, 20))
    return face


def screenshot(picture: Picture, random: Random, *, dark: bool) -> Picture:
    """A post of a social application as a phone shows it, with a picture in it."""
    ground, ink, faint = _DARK if dark else _LIGHT
    width, height = _SCREEN
    made = Image.new("RGB", _SCREEN, ground)
    draw = ImageDraw.Draw(made)
    text(made, (70, 34), f"{random.integers(24):02}:{random.integers(60):02}", 28, ink)
    draw.rounded_rectangle((630, 22, 684, 46), 6, outline=ink, width=3)
    draw.rectangle((635, 27, 635 + int(random.integers(10, 44)), 41), fill=ink)
    top = 90 + int(random.integers(0, 60))
    draw.ellipse((24, top, 96, top + 72), fill=tuple(random.integers(60, 220, 3).tolist()))
    text(made, (230, top + 22), sentence(random, 2), 28, ink)
    text(made, (215, top + 54), sentence(random, 2), 20, faint)
    top += 96
    shown = picture.resize(_fitting(picture.size, (width, 1_150)), Image.Resampling.LANCZOS)
    made.paste(shown, ((width - shown.width) // 2, top))
    top += shown.height + 24
    for place in (50, 130, 210, 670):
        draw.ellipse((place - 20, top, place + 20, top + 40), outline=ink, width=4)
    top += 80
    while top < height - 190:
        text(made, (width * 0.46, top), sentence(random, 8), 26, ink)
        top += 42
        if random.random() < 0.3:
            break
    draw.line((0, height - 130, width, height - 130), fill=faint, width=2)
    for place in range(5):
        middle = 72 + place * 144
        box = (middle - 20, height - 104, middle + 20, height - 64)
        draw.rounded_rectangle(box, 8, outline=ink, width=4)
    draw.rounded_rectangle((250, height - 22, 470, height - 14), 4, fill=ink)
    return made


def _fitting(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def on_itself(picture: Picture) -> Picture:
    """In the middle of a tall screen, of a tall picture a wide one, before a blurred copy of it."""
    width, height = picture.size
    if height * 9 < width * 16:
        height = width * 16 // 9
    else:
        width = height * 16 // 9
    back = ImageOps.fit(picture, (width // 8, height // 8))
    back = back.filter(ImageFilter.GaussianBlur(3)).resize((width, height))
    back.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return back


def screen_photo(picture: Picture, random: Random, share: float, *, background: bool) -> Picture:
    """A photograph of a screen: seen at an angle, with its raster, a glare and noise.

    Args:
        picture: what the screen shows.
        random: where the camera is.
        share: each corner of the screen is up to this part of a side away from the corner
            of the photograph: outside of it, or inside when the background is seen.
        background: the room around the screen is seen.
    """
    width, height = picture.size
    offsets = random.uniform(0.0, 1.0, (4, 2)) * share * (width, height)
    inward = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    seen = corners + inward * offsets * (1 if background else -1)
    coefficients = _perspective(seen, corners)
    photo = picture.transform(
        picture.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC
    )
    if background:
        mask = Image.new("L", picture.size)
        ImageDraw.Draw(mask).polygon(seen.ravel().tolist(), fill=255)
        photo = Image.composite(photo, _room(picture.size, random), mask)
    return _camera(photo, random)


def _perspective(
    seen: npt.NDArray[np.float64], source: npt.NDArray[np.float64]
) -> tuple[float, ...]:
    """The eight numbers by which Pillow finds the source of a place that is seen.

    Args:
        seen: shape (4, 2), corners in the photograph, in pixels.
        source: shape (4, 2), the same corners in the picture.
    """
    rows, values = [], []
    for (x, y), (u, v) in zip(seen.tolist(), source.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows), np.array(values)).tolist())


def _room(size: tuple[int, int], random: Random) -> Picture:
    """A dark room, as where screens are photographed."""
    tint = random.uniform(0.7, 1.0, 3)
    small = random.integers(20, 36, (12, 16, 1)) * tint
    return Image.fromarray(small.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)


def _camera(photo: Picture, random: Random) -> Picture:
    """The raster of the screen, a glare, noise, and a lens that is not quite sharp."""
    width, height = photo.size
    down = np.arange(height, dtype=np.float32)[:, None]
    across = np.arange(width, dtype=np.float32)[None, :]
    period, slope = random.uniform(3, 7), random.uniform(-0.4, 0.4)
    raster = 1 + 0.05 * np.sin((across + slope * down) * np.float32(2 * np.pi / period))
    x, y = random.uniform(0, width), random.uniform(0, height)
    reach = 0.3 * max(height, width)
    glare = 40 * np.exp(-(((across - x) / reach) ** 2)) * np.exp(-(((down - y) / reach) ** 2))
    noise = random.standard_normal((height, width), np.float32) * 5
    curve = [255 * (level / 255) ** 0.9 for level in range(256)]
    levels = np.array(curve, np.float32)[np.asarray(photo)]
    levels = levels * raster[..., None] + (glare + noise)[..., None]
    made = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    return made.filter(ImageFilter.GaussianBlur(0.8))
