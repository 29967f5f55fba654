"""From files to items and edited copies' items, one file at a time: what worker processes do.

Every copy is hashed by Firstseen's query side and, from the same file, as its peers would.
"""

import io
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import av
import numpy as np
import numpy.typing as npt
import pdqhash
from PIL import Image

from bench import quality_peer
from bench.document_edits import EDITS as TEXT_EDITS
from bench.document_edits import MAX_CHARACTERS, MIN_CHARACTERS, paged
from bench.image_edits import IMAGE_EDITS
from bench.page_edits import PAGE_EDITS, page_picture, scan
from bench.quality_match import MIN_QUALITY
from bench.quality_media import OURS, PLAIN, THREATEXCHANGE, Copy, Original, Task
from bench.video_edits import VIDEO_EDITS, read_clip, slideshow
from firstseen.errors import MediaError
from firstseen.hashing.document import document_text, hash_document
from firstseen.hashing.forms import BankProfile
from firstseen.hashing.image import hash_image, hash_listed_image
from firstseen.hashing.item_limits import BANK_HASHES
from firstseen.hashing.video import bank_options, hash_video_file
from firstseen.items import Hash, HashType, HashValue, Item, MediaType

# Copies are made from no more than what messengers send.
_MAX_SIDE: Final = 1_280
_EVERY_S: Final = 1.0  # vPDQ's own default
# Of one photograph of a clip. Clips of three are 9 to 24 s: sampled at either rate, and of one
# length only by fours.
_SLIDES_S: Final = (3, 4, 5, 8)


class Named(Protocol):
    """An edit, as tables show it."""

    @property
    def name(self) -> str:
        """What it does."""

    @property
    def group(self) -> str:
        """The kind of edit."""


_Edit = TypeVar("_Edit", bound=Named)


def _wanted(edits: Sequence[_Edit], task: Task) -> list[_Edit]:
    return [edit for edit in edits if edit.name in task.edits]


def hash_picture(task: Task) -> Original | None:
    """Hashes a picture and its edited copies; None when it cannot be decoded."""
    path = task.paths[0]
    data = path.read_bytes()
    try:
        items = {profile: listed_picture(data, profile) for profile in task.profiles}
        picture = _picture(data)
    except (MediaError, OSError):
        return None
    items |= _by_peers(data, task)
    copies = []
    if task.edits:
        picture.thumbnail((_MAX_SIDE, _MAX_SIDE), Image.Resampling.LANCZOS)
        for edit in _wanted(IMAGE_EDITS, task):
            made = edit.file(picture, task.seed + task.number)
            copies.append(Copy(edit.name, {OURS: hash_image(made), **_by_peers(made, task)}))
    return Original(str(path), items, tuple(copies))


def _by_peers(data: bytes, task: Task) -> dict[str, Item]:
    items = {PLAIN: plain_picture(data)}
    if task.with_peer:
        items[THREATEXCHANGE] = quality_peer.picture(data)
    return items


def listed_picture(data: bytes, profile: str) -> Item:
    """A picture as a bank lists it."""
    return hash_listed_image(data, profile=BankProfile[profile.upper()])


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
            slide_s = _SLIDES_S[task.number % len(_SLIDES_S)]
            slideshow(photos, task.seed + task.number, slide_s).write(path)
        try:
            items = {profile: listed_clip(path, profile) for profile in task.profiles}
            items[PLAIN] = plain_clip(path)
            clip = read_clip(path) if task.edits else None
        except (MediaError, av.FFmpegError):
            return None
        copies = []
        if clip is not None:
            for edit in _wanted(VIDEO_EDITS, task):
                made = folder / "copy.mp4"
                edit.made(clip, task.seed + task.number).write(made)
                hashed = {OURS: hash_video_file(made), PLAIN: plain_clip(made)}
                copies.append(Copy(edit.name, hashed))
        title = " + ".join(map(str, task.paths))
        return Original(title, items, tuple(copies))


def listed_clip(path: Path, profile: str) -> Item:
    """A video as a bank lists it."""
    return hash_video_file(path, bank_options(BankProfile[profile.upper()]))


def plain_clip(path: Path) -> Item:
    """One PDQ of a video a second, as vPDQ makes them: good ones, each value once."""
    found: dict[HashValue, Hash] = {}
    with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
        next_s = 0.0
        for frame in container.decode(video=0):
            if frame.pts is None or frame.time < next_s:
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


def hash_text(task: Task) -> Original | None:
    """Hashes a document and its text, edited; None when it cannot be read or is too short."""
    path = task.paths[0]
    try:
        item = listed_document(path.read_bytes())
    except MediaError:
        return None
    text = _long_text(path)
    if text is None:
        return None
    items = dict.fromkeys(task.profiles, item)
    if task.with_peer:
        items[THREATEXCHANGE] = quality_peer.text(text)
    copies = []
    if task.edits:
        others = ((str(other), _long_text(other)) for other in task.paths[1:])
        other, foreign = next(((name, found) for name, found in others if found), ("", text))
        document = paged([text, foreign], 0, random.Random(f"{task.seed}/{task.number}"))  # noqa: S311
        for name, edit in TEXT_EDITS.items():
            if name not in task.edits:
                continue
            seeded = random.Random(f"{task.seed}/{name}/{task.number}")  # noqa: S311
            made = edit(document, seeded)
            # Some PDFs give controls for letters without a code; no text file holds any.
            shown = "".join(c if c.isprintable() else " " for c in made)
            data = shown.encode("utf-8", "replace")
            hashed = {OURS: hash_document(data, exact_when_undecodable=True)}
            if task.with_peer:
                hashed[THREATEXCHANGE] = quality_peer.text(made)
            copies.append(Copy(name, hashed, other))
    return Original(str(path), items, tuple(copies))


def hash_page(task: Task) -> Original | None:
    """Hashes a scan of one page of a PDF, and edited scans of it; None when no page has much."""
    path = task.paths[0]
    page = page_picture(path.read_bytes(), f"{task.seed}/{task.number}")
    if page is None:
        return None
    items = dict.fromkeys(task.profiles, listed_document(scan(page)))
    copies = []
    for edit in _wanted(PAGE_EDITS, task):
        with Image.open(io.BytesIO(edit.file(page, task.seed + task.number))) as made:
            copies.append(Copy(edit.name, {OURS: hash_document(scan(made))}))
    return Original(str(path), items, tuple(copies))


def listed_document(data: bytes) -> Item:
    """A document as a bank lists it.

    Raises:
        MediaError: it is damaged, encrypted or over a limit.
    """
    return hash_document(data, is_listed=True, max_hashes=BANK_HASHES)


def _long_text(path: Path) -> str | None:
    """The text of a document; None when it cannot be read or is too short to be edited."""
    try:
        text = document_text(path.read_bytes())[:MAX_CHARACTERS]
    except MediaError:
        return None
    return text if len(text) >= MIN_CHARACTERS else None


@dataclass(frozen=True, slots=True)
class _TextEdit:
    name: str
    group: str = "text"


HASHERS: Final[Mapping[str, Callable[[Task], Original | None]]] = {
    "images": hash_picture,
    "videos": hash_clip,
    "documents": hash_text,
    "pages": hash_page,
}
EDITS: Final[Mapping[str, Sequence[Named]]] = {
    "images": IMAGE_EDITS,
    "videos": VIDEO_EDITS,
    "documents": [_TextEdit(name) for name in TEXT_EDITS],
    "pages": PAGE_EDITS,
}
