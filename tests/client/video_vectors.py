"""The clips of tests/data/video_vectors.json, and what they hash to.

`python -m tests.client.video_vectors` writes that file anew.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from firstseen.hashing.video import VideoOptions, bank_options, hash_video_file, seen_hashes
from firstseen.items import Hash, HashType, Item

PATH: Final = Path(__file__).parents[1] / "data" / "video_vectors.json"
CLIPS: Final = PATH.parent / "clips"
FILES: Final = ("short.mp4", "turned.mp4")
# Milliseconds of each frame, and its t; None is plain grey. The second shows what the first does.
_SHOWN: Final = (
    *((500, 0), (500, 0), (500, 5), (500, None)),
    *((700, 9), (300, 14), (500, 20)),
)
_SIZE: Final = (128, 96)
_BARS: Final = {"waves": 0, "waves-letterboxed": 16}
_GREY: Final = 128
_ABOUT: Final = (
    "What another implementation of our video hashing must give; see docs/hashing.md.",
    "made: frames of 128 x 96 pixels, each shown for the milliseconds given, by a formula of t.",
    "With integers, wave(n) = |n mod 510 - 255| (mod as in mathematics, never negative): red = ",
    "wave(3x + 2y + 40t), green = wave(floor((x + 9t)y / 16)), blue = wave(5y - 2x + 25t); x to ",
    "the right and y down from 0. t null: all 128. bars: black lines above and below each frame.",
    "asked: the hashes of the frames of a question, in order; listed: those of a bank of profile ",
    "standard. Milliseconds, type, quality, value: equal within 2 bits, since sums are rounded.",
    "files: of tests/data/clips, the upright whole of each frame; within 8 bits, since they are ",
    "in H.264 and decoders differ in how they make RGB of it.",
)


def frame(t: int | None, bars: int) -> npt.NDArray[np.uint8]:
    """One frame by the formula."""
    width, height = _SIZE
    y, x = np.mgrid[:height, :width]

    def wave(at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.abs(at % 510 - 255)

    if t is None:
        shown = np.full((height, width, 3), _GREY)
    else:
        reds, greens = wave(3 * x + 2 * y + 40 * t), wave((x + 9 * t) * y // 16)
        shown = np.dstack((reds, greens, wave(5 * y - 2 * x + 25 * t)))
    return np.pad(shown.astype(np.uint8), ((bars, bars), (0, 0), (0, 0)))


def clip(vector: dict[str, Any]) -> BytesIO:
    """A clip of the file's, without loss: an animated PNG."""
    pictures = [Image.fromarray(frame(t, vector["bars"])) for _, t in vector["shown"]]
    durations = [shown_ms for shown_ms, _ in vector["shown"]]
    stream = BytesIO()
    pictures[0].save(
        stream, "PNG", save_all=True, append_images=pictures[1:], duration=durations, loop=0
    )
    return stream


def rows(hashes: tuple[Hash, ...]) -> list[list[object]]:
    """Hashes of frames as the file has them."""
    return [[h.frame_offset_ms, h.type.name.lower(), h.quality, h.value.hex()] for h in hashes]


def first_of_frames(item: Item) -> Iterator[Hash]:
    """The upright whole of each frame."""
    seen = set()
    for hash_ in item.hashes:
        if hash_.type is HashType.PDQ and hash_.frame_offset_ms not in seen:
            seen.add(hash_.frame_offset_ms)
            yield hash_


def _write() -> None:
    made = []
    for name, bars in _BARS.items():
        vector: dict[str, Any] = {"name": name, "bars": bars, "shown": [*map(list, _SHOWN)]}
        stream = clip(vector)
        vector["asked"] = rows(seen_hashes(stream, VideoOptions()))
        vector["listed"] = rows(seen_hashes(stream, bank_options()))
        made.append(vector)
    files = {}
    for name in FILES:
        files[name] = rows(tuple(first_of_frames(hash_video_file(CLIPS / name, bank_options()))))
    text = json.dumps({"about": _ABOUT, "made": made, "files": files}, indent=1)
    PATH.write_text(_short(text) + "\n", encoding="ascii")


def _short(text: str) -> str:
    """The same JSON, its innermost lists a line each."""
    lines: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if lines and lines[-1].endswith("[") and not bare.startswith(("[", "{")):
            lines[-1] += bare
        elif (
            lines and "[" in lines[-1] and "]" not in lines[-1] and not bare.startswith(("[", "{"))
        ):
            lines[-1] += bare if bare.startswith("]") else f" {bare}"
        else:
            lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    _write()
