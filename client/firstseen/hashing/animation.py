"""Frames of animated pictures: GIF, WebP, AVIF and PNG, through Pillow.

FFmpeg reads only GIF of these well. Transparency is on white, as in pictures.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from firstseen.errors import MediaError
from firstseen.hashing.frames import Frame
from firstseen.hashing.opening import open_picture
from firstseen.hashing.quiet import Quiet
from firstseen.hashing.video_limits import Budget, Progress, Sampling, VideoLimits, check_frame

FORMATS: Final = ("GIF", "WEBP", "AVIF", "PNG")
# Browsers show frames that claim less than 20 ms for 100 ms (as Chromium and Firefox do).
_LEAST_MS: Final = 20
_USUAL_MS: Final = 100
_MIN_SIDE: Final = 5
# Pillow looks for the end of a GIF frame by frame; more than this is no sticker.
_MAX_FRAMES: Final = 20_000

_quiet: Final = Quiet()


def is_animation(stream: BinaryIO, limits: VideoLimits) -> bool:
    """Whether a file is an animated picture with more than one frame.

    One of frames over the limit is none: to look for its second would decode its first. It is
    a picture, which may be larger.

    Args:
        stream: the file, which can seek; it is left where it was.
        limits: how large a frame may be.
    """
    place = stream.tell()
    try:
        with _opened(stream, limits) as picture:
            if getattr(picture, "is_animated", False):
                picture.seek(1)  # a file may claim frames that it does not have
                return True
            return False
    except MediaError:
        return False
    finally:
        stream.seek(place)


def animation_frames(
    stream: BinaryIO,
    sampling: Sampling,
    limits: VideoLimits,
    progress: Progress | None = None,
) -> Iterator[Frame]:
    """The sampled frames of an animated picture.

    Args:
        stream: the file, which can seek.
        sampling: which frames.
        limits: what it may cost.
        progress: told at every sampled frame.

    Raises:
        MediaError: not an animated picture of an allowed format, damaged before its second
            frame, or over a limit.
    """
    budget = Budget(limits)
    offset_ms = next_ms = count = 0
    with _opened(stream, limits) as picture:
        for index in range(_MAX_FRAMES):
            try:
                picture.seek(index)
                budget.spend(*picture.size)
                shown = _on_white(picture)
            except EOFError:
                return
            except (OSError, ValueError, SyntaxError):
                if count:  # cut off on its way: what there is counts, as in a video
                    return
                raise
            # Pillow knows how long a frame is shown only after it is decoded.
            claimed_ms = picture.info.get("duration", 0)
            if offset_ms >= next_ms:
                if count == limits.frames:
                    raise MediaError(f"over {limits.frames:,} sampled frames")
                count += 1
                step_ms = sampling.step_at(offset_ms, None)
                next_ms = (offset_ms // step_ms + 1) * step_ms
                yield Frame(offset_ms, np.asarray(shown, np.uint8))
                if progress is not None:
                    progress(offset_ms, None)
            offset_ms += round(claimed_ms) if claimed_ms >= _LEAST_MS else _USUAL_MS
            if offset_ms > limits.duration_ms:
                return


@contextmanager
def _opened(stream: BinaryIO, limits: VideoLimits) -> Iterator[Image.Image]:
    try:
        with _quiet, open_picture(stream, FORMATS) as picture:
            width, height = picture.size
            check_frame(width, height, limits)
            if min(width, height) < _MIN_SIDE:
                raise MediaError(f"{width} x {height} pixels, at least {_MIN_SIDE} a side")
            yield picture
    except (MediaError, GeneratorExit):
        raise
    except UnidentifiedImageError:
        raise MediaError("not an animated picture of a known format") from None
    # Decoders raise what they like on damaged files: OSError, SyntaxError, struct.error, ...
    except Exception:  # noqa: BLE001
        raise MediaError("damaged picture") from None


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    coloured = picture.convert("RGBA")
    white = Image.new("RGBA", coloured.size, "white")
    return Image.alpha_composite(white, coloured).convert("RGB")
