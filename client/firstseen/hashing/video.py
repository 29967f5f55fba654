"""From a video or an animated picture to an item: PDQ of its frames, SHA-256 and MD5 of it.

Frames are sampled, bars cut off, frames that show what the one before showed or too little
dropped, the rest hashed in several forms, and as many sent as the server takes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from firstseen.errors import MediaError
from firstseen.hashing.animation import animation_frames, is_animation
from firstseen.hashing.bars import picture_inside
from firstseen.hashing.black_bars import find_crop
from firstseen.hashing.blurred_pad import picture_before_blur
from firstseen.hashing.exact import exact_hashes, read_blocks
from firstseen.hashing.forms import BankProfile
from firstseen.hashing.frame_forms import HashedFrame, asked_frame, listed_frame, of_frame
from firstseen.hashing.frames import Frame, Watch, video_frames
from firstseen.hashing.item_limits import BANK_HASHES, QUERY_HASHES
from firstseen.hashing.luma import Box, Luma
from firstseen.hashing.motion import Motion
from firstseen.hashing.pdq import Pdq, Pixels, luma_of
from firstseen.hashing.video_limits import Progress, Sampling, VideoLimits
from firstseen.hashing.videohash import Collage
from firstseen.items import Hash, Item, MediaType

# Encoding again moves a good frame by 0 to 8 bits, so frames that close say the same thing,
# and ten minutes of a still picture are one frame and not the share that decides.
_SAME_BITS: Final = 8
# Bars are looked for in so many frames at once: enough for the picture to move, and a film
# may change its shape. Memory bounds it: 96 MiB are 15 frames of full HD, 110 of a messenger.
_BLOCK_FRAMES: Final = 32
_BLOCK_BYTES: Final = 96 << 20
# A seam is in each of them; four tell a moving picture's own lines from it.
_BLUR_FRAMES: Final = 4
_OTHER_HASHES: Final = 3  # videohash, SHA-256, MD5


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """How a video is hashed.

    Attributes:
        profile: of the bank that will list it; None for a question.
        mirrored: in a question, the mirror image of each frame as well.
        max_hashes: of the item, the exact ones counted too.
        sampling: which frames are looked at.
        limits: what one file may cost.
        videohash: add the 64 bits of the `videohash` package.
        exact_when_undecodable: give the exact hashes alone for a video that cannot be decoded,
            instead of an error. An answer to those is no answer to what it shows.
    """

    profile: BankProfile | None = None
    mirrored: bool = True
    max_hashes: int = QUERY_HASHES
    sampling: Sampling = field(default_factory=Sampling)
    limits: VideoLimits = field(default_factory=VideoLimits)
    videohash: bool = True
    exact_when_undecodable: bool = False


def bank_options(profile: BankProfile = BankProfile.STANDARD) -> VideoOptions:
    """How a video is hashed that is to be listed."""
    return VideoOptions(profile, max_hashes=BANK_HASHES)


_QUERY: Final = VideoOptions()


def hash_video_file(
    path: Path, options: VideoOptions = _QUERY, progress: Progress | None = None
) -> Item:
    """Hashes the video or animated picture at a path; see `hash_video`.

    Raises:
        MediaError: as `hash_video`.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hash_video(stream, options, progress)


def hash_video(
    stream: BinaryIO, options: VideoOptions = _QUERY, progress: Progress | None = None
) -> Item:
    """Hashes a video or an animated picture.

    Args:
        stream: the file, which can seek.
        options: how.
        progress: told how far it is.

    Raises:
        MediaError: it cannot be decoded, or is over a limit.
        OSError: it cannot be read.
    """
    try:
        seen = seen_hashes(stream, options, progress)
    except MediaError:
        if not options.exact_when_undecodable:
            raise
        seen = ()
    stream.seek(0)
    return Item(MediaType.VIDEO, (*seen, *exact_hashes(read_blocks(stream))))


def seen_hashes(
    stream: BinaryIO, options: VideoOptions = _QUERY, progress: Progress | None = None
) -> tuple[Hash, ...]:
    """The hashes of what a video shows: of its frames in their order, then its videohash.

    A question whose frames all show too little holds the best of them, so that the server
    answers UNSURE and not NOVEL; what is listed holds none then.

    Args:
        stream: the file, which can seek.
        options: how.
        progress: told how far it is.

    Raises:
        MediaError: it cannot be decoded, or is over a limit.
        OSError: it cannot be read.
    """
    stream.seek(0)
    sampling, limits = options.sampling, options.limits
    collage: Collage | None = None
    if is_animation(stream, limits):
        sampled = animation_frames(stream, sampling, limits, progress)
    else:
        watch: Watch | None = None
        if options.videohash:
            collage = Collage(find_crop(stream, limits))
            watch = collage.see
        motion = Motion() if options.profile is None else None
        sampled = video_frames(stream, sampling, limits, progress, watch, motion)
    kept, best = _hashed(sampled, options)
    whole = collage.hash() if collage is not None else None
    hashes: tuple[Hash, ...] = ()
    if kept:
        hashes = _chosen(kept, options.max_hashes - _OTHER_HASHES)
    elif best is not None and options.profile is None:
        hashes = (best,)
    return hashes if whole is None else (*hashes, whole)


def _hashed(
    sampled: Iterable[Frame], options: VideoOptions
) -> tuple[list[HashedFrame], Hash | None]:
    """The frames worth keeping, and the best hash of all."""
    kept: list[HashedFrame] = []
    last: dict[bool, Hash] = {}  # kept: False by the clock, True of any kind
    best: Hash | None = None
    for block in _blocks(sampled):
        box = _inside([frame.pixels for frame in block])
        for frame in block:
            luma = Luma(luma_of(frame.pixels))
            pdq = luma.pdq()
            whole = of_frame(pdq.hash(), frame.offset_ms)
            if best is None or (whole.quality or 0) > (best.quality or 0):
                best = whole
            before = last.get(frame.is_between)
            if before is not None and _bits_apart(whole, before) <= _SAME_BITS:
                continue
            hashed = _hashed_frame(luma, pdq, box or luma.whole, frame, options)
            if hashed is not None:
                kept.append(hashed)
                last[True] = whole
                if not frame.is_between:
                    last[False] = whole
    return kept, best


def _inside(frames: Sequence[Pixels]) -> Box | None:
    """The picture inside the bars of some frames, still or blurred; None when there are none."""
    still = picture_inside(frames)
    if still is not None:
        return still
    some = frames[:: -(-len(frames) // _BLUR_FRAMES)]
    return picture_before_blur([frame[..., 1] for frame in some])  # green is brightness enough


def _hashed_frame(
    luma: Luma, pdq: Pdq, inside: Box, frame: Frame, options: VideoOptions
) -> HashedFrame | None:
    if options.profile is not None:
        return listed_frame(luma, pdq, inside, frame, options.profile)
    return asked_frame(luma, pdq, inside, frame, mirrored=options.mirrored)


def _blocks(sampled: Iterable[Frame]) -> Iterator[list[Frame]]:
    """Frames in blocks of one shape and bounded memory."""
    block: list[Frame] = []
    for frame in sampled:
        if block and (
            frame.pixels.shape != block[0].pixels.shape
            or len(block) == _BLOCK_FRAMES
            or (len(block) + 1) * frame.pixels.nbytes > _BLOCK_BYTES
        ):
            yield block
            block = []
        block.append(frame)
    if block:
        yield block


def _chosen(kept: Sequence[HashedFrame], max_hashes: int) -> tuple[Hash, ...]:
    """As many hashes as may be sent, frames by the clock before those between.

    Those between are there for their pictures alone, spread evenly over the video.
    """
    by_clock = [frame for frame in kept if not frame.is_between]
    between = [frame for frame in kept if frame.is_between]
    chosen = _of_clock(by_clock, max_hashes) if by_clock else ()
    if between:
        per_frame = max(len(frame.hashes) for frame in between)
        more = _evenly(between, (max_hashes - len(chosen)) // per_frame)
        hashes = [*chosen, *(hash_ for frame in more for hash_ in frame.hashes)]
        chosen = tuple(sorted(hashes, key=lambda hash_: hash_.frame_offset_ms or 0))
    return chosen


def _of_clock(kept: Sequence[HashedFrame], max_hashes: int) -> tuple[Hash, ...]:
    """As many hashes as may be sent: frames before parts, both spread evenly over the video.

    Every second of a film may be the one that was cut out, so a list gives up parts before
    it gives up frames. A question gives up frames when their pictures alone are too many.
    """
    per_frame = max(len(frame.hashes) for frame in kept)
    frames = _evenly(kept, max(max_hashes // per_frame, 1))
    left = max_hashes - sum(len(frame.hashes) for frame in frames)
    most_parts = max(len(frame.parts) for frame in frames)
    whole_count = len(frames) if most_parts == 0 else min(left // most_parts, len(frames))
    with_parts = {frame.offset_ms for frame in _evenly(frames, whole_count)}
    chosen: list[Hash] = []
    for frame in frames:
        chosen += frame.hashes
        if frame.offset_ms in with_parts:
            chosen += frame.parts
    return tuple(chosen)


def _evenly(frames: Sequence[HashedFrame], count: int) -> list[HashedFrame]:
    if count >= len(frames):
        return list(frames)
    return [frames[index * len(frames) // count] for index in range(count)]


def _bits_apart(one: Hash, other: Hash) -> int:
    return (int.from_bytes(one.value) ^ int.from_bytes(other.value)).bit_count()
