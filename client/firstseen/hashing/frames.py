"""The sampled frames of a video, as a person sees them: turned as the file says.

Decoded by FFmpeg inside PyAV, held to what videos of phones and messengers are: an allow-list
of containers and codecs, one file, no network. PyAV throws FFmpeg's own messages away, and
`av.logging.set_level` must never be called: it routes them through Python, where a decoder
thread waits for the interpreter's lock while the thread that closes the decoder holds it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NoReturn

import av
import av.container
import av.error
import av.video
import numpy as np

from firstseen.errors import MediaError
from firstseen.hashing.pdq import Pixels
from firstseen.hashing.video_limits import (
    MAX_OFFSET_MS,
    Budget,
    Progress,
    Sampling,
    VideoLimits,
    check_frame,
)

Watch = Callable[[av.VideoFrame, float], None]
"""Shown a decoded frame and its seconds since the start of the file."""

# What phones, cameras, messengers and old archives hold. Playlists (HLS, DASH, concat) and
# pictures as videos are left out: they open other files, or are not ours to decode.
FORMATS: Final = ("mov", "matroska", "webm", "avi", "mpeg", "mpegts", "flv", "asf", "ogg", "3gp")
CODECS: Final = (
    *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9"),
    *("mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "h263", "h263p", "flv", "flv1", "prores"),
    *("wmv1", "wmv2", "wmv3", "vc1", "msmpeg4", "msmpeg4v2", "theora", "vp6", "vp6f"),
)
# A frame beyond full HD is halved until it fits: hashing sees 64 x 64 cells.
_WHOLE_PIXELS: Final = 1_920 * 1_088
# Anything smaller has nothing to see; as for pictures.
_MIN_SIDE: Final = 5
# What is made of every frame would take memory by the hour.
_WATCHED_MS: Final = 3_600 * 1_000
# Copies cut out of a stream begin with packets that cannot be decoded yet; files of nothing
# but such packets are not worth the time.
_MAX_BAD_PACKETS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Frame:
    """A sampled frame.

    Attributes:
        offset_ms: from the start of the video.
        pixels: what it shows.
    """

    offset_ms: int
    pixels: Pixels


def video_frames(
    stream: BinaryIO,
    sampling: Sampling,
    limits: VideoLimits,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Iterator[Frame]:
    """The sampled frames of a video.

    Args:
        stream: the file, which can seek.
        sampling: which frames.
        limits: what it may cost.
        progress: told at every sampled frame.
        watch: shown every frame, when all are decoded and of no more than an hour.

    Raises:
        MediaError: not a video of an allowed format, without a frame that can be decoded, or
            over a limit.
    """
    size_bytes = stream.seek(0, 2)
    stream.seek(0)
    if size_bytes > limits.size_bytes:
        raise MediaError(f"{size_bytes:,} bytes, at most {limits.size_bytes:,}")
    budget = Budget(limits)
    found = False
    with refusing_damage(), open_video(stream, limits) as container:
        for frame in _sampled(container, sampling, limits, budget, progress, watch):
            found = True
            yield frame
    if not found:
        # A probe that finds frames over the limit leaves their size open, so both reasons are told.
        raise MediaError(f"no frame that can be decoded of at most {limits.frame_pixels:,} pixels")


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Makes what a decoder raises on a damaged file a MediaError."""
    try:
        yield
    # PyAV raises its own kinds, and others on numbers that no file has.
    except (av.error.FFmpegError, ValueError, OverflowError, IndexError, MemoryError):
        raise MediaError("damaged video") from None


def open_video(stream: BinaryIO, limits: VideoLimits) -> av.container.InputContainer:
    """Opens a video of an allowed format; whoever asks closes it.

    Raises:
        MediaError: it is none.
    """
    options = {
        # A file object needs no protocol; nothing that the file names is opened.
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(FORMATS),
        "codec_whitelist": ",".join((*CODECS, *_OTHER_STREAMS)),
        "max_pixels": str(limits.frame_pixels),
        "max_streams": "64",
    }
    try:
        return av.open(stream, "r", options=options, io_open=_refused, metadata_errors="replace")
    except av.error.FFmpegError:
        raise MediaError("not a video of a known format") from None


# The list holds for all streams of a file, and sound that is not on it fails the whole file.
_OTHER_STREAMS: Final = (
    *("aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "ac3", "eac3", "opus", "libopus"),
    *("vorbis", "flac", "alac", "amrnb", "amrwb", "wmav1", "wmav2", "pcm_s16le", "pcm_s16be"),
    *("pcm_u8", "pcm_s24le", "pcm_mulaw", "pcm_alaw", "adpcm_ms", "adpcm_ima_wav", "speex"),
)


def _refused(_url: str, _flags: int, _options: dict[str, str]) -> NoReturn:
    """Refuses every file that a video refers to."""
    raise MediaError("a video that refers to another file")


def _sampled(
    container: av.container.InputContainer,
    sampling: Sampling,
    limits: VideoLimits,
    budget: Budget,
    progress: Progress | None,
    watch: Watch | None,
) -> Iterator[Frame]:
    stream = video_stream(container, limits)
    duration_ms = _duration_ms(container, stream)
    context = stream.codec_context
    context.thread_type = "AUTO"
    context.thread_count = limits.threads
    if sampling.only_key_frames(duration_ms):
        context.skip_frame = "NONKEY"
        watch = None
    if (duration_ms or 0) > _WATCHED_MS:
        watch = None
    file_start_s = (container.start_time or 0) / av.time_base
    start_s: float | None = None
    next_ms = 0
    count = 0
    for frame in _decoded(container, stream, budget):
        if frame.pts is None:
            continue
        if watch is not None:
            watch(frame, frame.time - file_start_s)
        # Copies cut without encoding begin at any time; the first frame is at zero.
        start_s = frame.time if start_s is None else start_s
        offset_ms = round((frame.time - start_s) * 1000)
        if offset_ms > min(limits.duration_ms, MAX_OFFSET_MS):
            return
        if offset_ms < next_ms:
            continue
        if count == limits.frames:
            raise MediaError(f"over {limits.frames:,} sampled frames")
        count += 1
        step_ms = sampling.step_at(offset_ms, duration_ms)
        next_ms = (offset_ms // step_ms + 1) * step_ms
        yield Frame(offset_ms, _pixels(frame))
        if progress is not None:
            progress(offset_ms, duration_ms)


def video_stream(
    container: av.container.InputContainer, limits: VideoLimits
) -> av.video.VideoStream:
    """The stream that a player shows; covers of songs and thumbnails are none.

    Its decoder refuses frames over the limit before it makes room for them, also when they
    are larger than the file says.

    Raises:
        MediaError: there is none, not of an allowed codec, or of frames over the limit.
    """
    found = [
        stream
        for stream in container.streams.video
        # A stream of a codec that FFmpeg does not know has no context, whatever the types say.
        if getattr(stream, "codec_context", None) is not None
        and not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not found:
        raise MediaError("a file without a video in it")
    best = max(found, key=lambda stream: stream.codec_context.width * stream.codec_context.height)
    if best.codec_context.name not in CODECS:
        raise MediaError("a video of a codec that is not decoded here")
    check_frame(best.codec_context.width, best.codec_context.height, limits)
    # The container's option of this name holds only while its beginning is probed.
    best.codec_context.options = {"max_pixels": str(limits.frame_pixels)}
    return best


def _duration_ms(
    container: av.container.InputContainer, stream: av.video.VideoStream
) -> int | None:
    if stream.duration is not None and stream.time_base is not None:
        length_ms = round(float(stream.duration * stream.time_base) * 1000)
    else:
        length_ms = (container.duration or 0) * 1000 // av.time_base
    return length_ms if length_ms > 0 else None


def _decoded(
    container: av.container.InputContainer, stream: av.video.VideoStream, budget: Budget
) -> Iterator[av.VideoFrame]:
    """Every frame that can be decoded; packets that cannot are passed over."""
    bad_packets = 0
    for packet in container.demux(stream):
        budget.check_time()
        try:
            frames = packet.decode()
        except MemoryError:  # FFmpeg's own is one as well; what comes after would be a guess
            raise
        except av.error.FFmpegError:
            bad_packets += 1
            if bad_packets > _MAX_BAD_PACKETS:
                raise
            continue
        for frame in frames:
            budget.spend(frame.width, frame.height)
            yield frame


def _pixels(frame: av.VideoFrame) -> Pixels:
    width, height = frame.width, frame.height
    if min(width, height) < _MIN_SIDE:
        raise MediaError(f"{width} x {height} pixels, at least {_MIN_SIDE} a side")
    options: dict[str, Any] = {}
    if width * height > _WHOLE_PIXELS:
        factor = 2
        while width * height > _WHOLE_PIXELS * factor * factor:
            factor += 1
        options = {
            "width": max(width // factor, _MIN_SIDE),
            "height": max(height // factor, _MIN_SIDE),
            "interpolation": "AREA",
        }
    pixels = np.asarray(frame.to_ndarray(format="rgb24", **options), np.uint8)
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns))
