"""Meta's vPDQ files, read and written: the PDQ of a video's frames, as text or as JSON.

Text has a line for each frame, `frame,quality,hash,seconds`, as ThreatExchange's `vpdq` command
writes it. JSON is a list of `"hash,quality,seconds"`, as its Python package does.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from firstseen.hashing.video_limits import MAX_OFFSET_MS, Sampling
from firstseen.items import Hash, HashType, HashValue, Item, MediaType

_MAX_QUALITY: Final = 100
_NUMBER: Final = re.compile(r"\d{1,9}")
_SECONDS: Final = re.compile(r"\d{1,9}(\.\d{1,9})?")
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_LINE: Final = re.compile(r"\d{1,9},\d{1,3},[0-9a-fA-F]{64},[0-9.]{1,20}")


class VpdqError(ValueError):
    """A frame is not as vPDQ writes one; says the field and the shape, never the value.

    Attributes:
        field: of the frame.
        problem: what is wrong with it.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class VpdqFrame(NamedTuple):
    """One frame.

    Attributes:
        value: 32 bytes.
        quality: 0 to 100.
        offset_ms: from the start of the video.
    """

    value: HashValue
    quality: int
    offset_ms: int


def looks_like_vpdq(line: str) -> bool:
    """Whether a line is of a vPDQ text file; no other list has four fields of this kind."""
    return _LINE.fullmatch(line.strip()) is not None


def parse_line(line: str) -> VpdqFrame:
    """One line of a text file.

    Raises:
        VpdqError: it is no such line.
    """
    fields = line.strip().split(",")
    if len(fields) != 4:
        raise VpdqError("line", f"{len(fields)} fields, want frame,quality,hash,seconds")
    number, quality, value, seconds = fields
    if not _NUMBER.fullmatch(number):
        raise VpdqError("frame", "want a whole number")
    return _frame(value, quality, seconds)


def parse_json(text: str) -> list[VpdqFrame]:
    """The frames of a JSON file.

    Raises:
        VpdqError: it is not a list of frames.
    """
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        raise VpdqError("file", "not JSON") from None
    if not isinstance(listed, list):
        raise VpdqError("file", "want a list")
    return [_json_frame(index, entry) for index, entry in enumerate(listed)]


def _json_frame(index: int, entry: object) -> VpdqFrame:
    fields = entry.split(",") if isinstance(entry, str) else []
    if len(fields) != 3:
        raise VpdqError(f"[{index}]", 'want "hash,quality,seconds"')
    try:
        return _frame(*fields)
    except VpdqError as error:
        raise VpdqError(f"[{index}].{error.field}", error.problem) from None


def _frame(value: str, quality: str, seconds: str) -> VpdqFrame:
    if not _HASH.fullmatch(value):
        raise VpdqError("hash", f"{len(value)} characters, want 64 of hex")
    if not _NUMBER.fullmatch(quality) or int(quality) > _MAX_QUALITY:
        raise VpdqError("quality", f"want 0 to {_MAX_QUALITY}")
    if not _SECONDS.fullmatch(seconds):
        raise VpdqError("seconds", "want a number from 0")
    offset_ms = round(float(seconds) * 1000)
    if offset_ms > MAX_OFFSET_MS:
        raise VpdqError("seconds", f"want at most {MAX_OFFSET_MS // 1000}")
    return VpdqFrame(HashValue.fromhex(value), int(quality), offset_ms)


def to_item(frames: Iterable[VpdqFrame]) -> Item:
    """The video that these frames are of."""
    return Item(
        MediaType.VIDEO,
        tuple(Hash(HashType.PDQ, value, quality, offset) for value, quality, offset in frames),
    )


def frames_of(item: Item) -> Iterator[VpdqFrame]:
    """The frames of a video; of each its first PDQ hash.

    That is of the whole frame, or, where that is not telling, of the picture inside its bars:
    an item does not say which.
    """
    last_ms: int | None = None
    for hash_ in item.hashes:
        offset_ms = hash_.frame_offset_ms
        if hash_.type is HashType.PDQ and offset_ms is not None and offset_ms != last_ms:
            last_ms = offset_ms
            yield VpdqFrame(hash_.value, hash_.quality or 0, offset_ms)


def by_the_clock(frames: Iterable[VpdqFrame]) -> Iterator[VpdqFrame]:
    """As many frames as are listed of a video: two a second of the first twenty, then one.

    Files of others hold every frame, and a question also holds some in between.
    """
    sampling = Sampling()
    next_ms = 0
    for frame in frames:
        if frame.offset_ms < next_ms:
            continue
        step_ms = sampling.step_at(frame.offset_ms, None)
        next_ms = (frame.offset_ms // step_ms + 1) * step_ms
        yield frame


def write_text(item: Item) -> str:
    """An item as a text file; see `text_of`."""
    return text_of(frames_of(item))


def text_of(frames: Iterable[tuple[bytes, int, int]]) -> str:
    """Frames as a text file.

    They are numbered from 0 as they come: an item does not know the number that a frame has
    in the video.

    Args:
        frames: value, quality and milliseconds from the start, as `VpdqFrame`.
    """
    return "".join(
        f"{number},{quality},{value.hex()},{offset_ms / 1000:.3f}\n"
        for number, (value, quality, offset_ms) in enumerate(frames)
    )


def write_json(item: Item) -> str:
    """An item as a JSON file."""
    listed = [
        f"{frame.value.hex()},{frame.quality},{frame.offset_ms / 1000:.3f}"
        for frame in frames_of(item)
    ]
    return json.dumps(listed)
