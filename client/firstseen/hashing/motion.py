"""Whether a video has moved on since the last frame that was taken.

A copy that begins elsewhere is sampled at other moments than its original. Where the picture moves
fast, none of two frames a second is near one that is listed; so in between, frames are taken
whenever the picture has become another.
"""

from typing import Final

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from firstseen.hashing.pdq import pdq_of

# From the last frame taken. Encoding again moves a good frame by up to 8 bits, so that each
# moment of a copy is then within 28 of a frame that was taken, and 31 is a match.
_MOVED_BITS: Final = 20
# A small copy is enough to tell, and is compared with such alone.
_SIDE: Final = 128


class Motion:
    """Compares the frames of one video with the last one that was taken."""

    def __init__(self) -> None:
        self._scaler: Final = VideoReformatter()
        self._taken: int | None = None

    def has_moved(self, frame: av.VideoFrame) -> bool:
        """Whether a frame shows something else; it is then the last one taken."""
        shown = self._hash(frame)
        if self._taken is not None and (shown ^ self._taken).bit_count() <= _MOVED_BITS:
            return False
        self._taken = shown
        return True

    def take(self, frame: av.VideoFrame) -> None:
        """Makes a frame the last one taken."""
        self._taken = self._hash(frame)

    def _hash(self, frame: av.VideoFrame) -> int:
        small = self._scaler.reformat(frame, _SIDE, _SIDE, "gray", interpolation="AREA")
        return int.from_bytes(pdq_of(small.to_ndarray().astype(np.float32)).hash().value)
