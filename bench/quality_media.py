"""From files to items and edited copies' items, one file at a time: what worker processes do.

Every copy is hashed by Firstseen's query side and, from the same file, as its peers would.
"""

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt
import pdqhash
from firstseen.hashing.forms import BankProfile
from PIL import Image

from bench.image_edits import IMAGE_EDITS, Edit
from bench.quality_match import MIN_QUALITY
from bench.video_edits import VIDEO_EDITS, VideoEdit, read_clip, slideshow
from firstseen.errors import MediaError
from firstseen.hashing.frame_forms import FrameForms
from firstseen.hashing.image import hash_image, hash_listed_image
from firstseen.hashing.video import VideoOptions, hash_video_file
from firstseen.items import Hash, HashType, HashValue, Item, MediaType

OURS: Final = "Firstseen"  # hashed by its query side
PLAIN: Final = "plain"  # by what everyone has: one PDQ, or one for each second
PROFILES: Final = ("lean", "standard", "wide")
SUFFIXES: Final[Mapping[str, frozenset[str]]] = {
    "images": frozenset(
        {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".bmp", ".tif", ".tiff"}
    ),
    "videos": frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"}),
    "documents": frozenset(
        {
            ".pdf",
            ".docx",
            ".pptx",
            ".xlsx",
            ".odt",
            ".odp",
            ".ods",
            ".txt",
            ".html",
            ".epub",
            ".rtf",
        }
    ),
}
# Copies are made from no more than what messengers send.
_MAX_SIDE: Final = 1_280
_SLIDES: Final = 3
_EVERY_S: Final = 1.0  # vPDQ's own default


@dataclass(frozen=True, slots=True)
class Copy:
    """An edited copy of an original.

    Attributes:
        edit: the name of the edit.
        items: its hashes by who hashed it, `OURS` or `PLAIN`.
    """

    edit: str
    items: Mapping[str, Item]


@dataclass(frozen=True, slots=True)
class Original:
    """A file of the corpus, or an unrelated one.

    Attributes:
        name: of the file.
        items: as it would be listed: one for each profile, and `PLAIN`.
        copies: its edited copies; of an unrelated one there are none.
    """

    name: str
    items: Mapping[str, Item]
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """One original to hash.

    Attributes:
        number: in the corpus.
        paths: its file; several photographs are made into one clip.
        profiles: of `PROFILES`, those to hash it by.
        seed: of the edits.
        with_copies: make the edited copies too.
    """

    number: int
    paths: tuple[Path, ...]
    profiles: tuple[str, ...]
    seed: int
    with_copies: bool


def files_of(kind: str, folder: Path) -> list[Path]:
    """The files of a kind below a folder, in order of their names."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES[kind] and path.is_file()
    )


def sources(kind: str, folder: Path, limit: int | None = None) -> list[tuple[Path, ...]]:
    """What the originals are made of: files, or photographs by threes when there is no clip.

    Raises:
        ValueError: there is none.
    """
    found: list[tuple[Path, ...]] = [(path,) for path in files_of(kind, folder)]
    if not found and kind == "videos":
        photos = files_of("images", folder)
        starts = range(0, len(photos) - _SLIDES + 1, _SLIDES)
        found = [tuple(photos[start : start + _SLIDES]) for start in starts]
    if not found:
        raise ValueError(f"{folder.name}: no {kind} in this folder")
    return found[:limit]


def hash_picture(task: Task) -> Original | None:
    """Hashes a picture and its edited copies; None when it cannot be decoded."""
    path = task.paths[0]
    data = path.read_bytes()
    try:
        items = {profile: listed_picture(data, profile) for profile in task.profiles}
        items[PLAIN] = plain_picture(data)
    except MediaError:
        return None
    copies = []
    if task.with_copies:
        picture = _picture(data)
        picture.thumbnail((_MAX_SIDE, _MAX_SIDE), Image.Resampling.LANCZOS)
        for edit in IMAGE_EDITS:
            made = edit.file(picture, task.seed + task.number)
            hashed = {OURS: asked_picture(made), PLAIN: plain_picture(made)}
            copies.append(Copy(edit.name, hashed))
    return Original(path.name, items, tuple(copies))


def listed_picture(data: bytes, profile: str) -> Item:
    """A picture as a bank lists it."""
    return hash_listed_image(data, profile=BankProfile[profile.upper()])


def asked_picture(data: bytes) -> Item:
    """A picture as it is asked about."""
    return hash_image(data)


def plain_picture(data: bytes) -> Item:
    """The one PDQ of a picture by Meta's code, as the tools around it make it."""
    bits, quality = pdqhash.compute(np.asarray(_picture(data)))
    return Item(MediaType.IMAGE, (_pdq(bits, quality),))


def _picture(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


def hash_clip(task: Task) -> Original | None:
    """Hashes a video and its edited copies; None when it cannot be decoded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = task.paths[0]
        if len(task.paths) > 1:
            photos = [_picture(photo.read_bytes()) for photo in task.paths]
            path = folder / "slides.mp4"
            slideshow(photos, task.seed + task.number).write(path)
        try:
            items = {profile: listed_clip(path, profile) for profile in task.profiles}
            items[PLAIN] = plain_clip(path)
        except (MediaError, av.FFmpegError):
            return None
        copies = []
        if task.with_copies:
            clip = read_clip(path)
            for edit in VIDEO_EDITS:
                made = folder / "copy.mp4"
                edit.made(clip, task.seed + task.number).write(made)
                hashed = {OURS: asked_clip(made), PLAIN: plain_clip(made)}
                copies.append(Copy(edit.name, hashed))
        title = " + ".join(photo.stem for photo in task.paths)
        return Original(title, items, tuple(copies))


def listed_clip(path: Path, profile: str) -> Item:
    """A video as a bank lists it."""
    return hash_video_file(path, VideoOptions.bank(FrameForms(profile)))


def asked_clip(path: Path) -> Item:
    """A video as it is asked about."""
    return hash_video_file(path)


def plain_clip(path: Path) -> Item:
    """One PDQ of a video a second, as vPDQ makes them: good ones, each value once."""
    found: dict[HashValue, Hash] = {}
    with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
        next_s = 0.0
        for frame in container.decode(video=0):
            if frame.time < next_s:
                continue
            next_s += _EVERY_S
            bits, quality = pdqhash.compute(frame.to_ndarray(format="rgb24"))
            hashed = _pdq(bits, quality, round(frame.time * 1_000))
            if quality >= MIN_QUALITY:
                found.setdefault(hashed.value, hashed)
    return Item(MediaType.VIDEO, tuple(found.values()))


def _pdq(bits: npt.NDArray[np.int64], quality: int, at_ms: int | None = None) -> Hash:
    value = HashValue(np.packbits(bits.astype(np.uint8)).tobytes())
    return Hash(HashType.PDQ, value, int(quality), at_ms)


HASHERS: Final[Mapping[str, Callable[[Task], Original | None]]] = {
    "images": hash_picture,
    "videos": hash_clip,
}
EDITS: Final[Mapping[str, Sequence[Edit | VideoEdit]]] = {
    "images": IMAGE_EDITS,
    "videos": VIDEO_EDITS,
}
