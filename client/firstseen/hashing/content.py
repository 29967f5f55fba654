"""What a reader found in a document: its text, and the hashes of its pictures and pages."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from firstseen.errors import MediaError
from firstseen.hashing.document_limits import DocumentLimits
from firstseen.hashing.pdq import MIN_QUALITY, pdq_hash
from firstseen.hashing.picture import open_luma, size_of
from firstseen.items import Hash, HashType

# Bullets, rules and icons are smaller; they are the same in many documents.
_MIN_SIDE: Final = 64
# Hashing takes 30 bytes a pixel. Halving 25 photographs moved their hashes by 2.6 bits on
# average, 6 at most.
_WHOLE_PIXELS: Final = 8 << 20


class Content:
    """Collects what a reader finds, and holds it to the limits.

    Attributes:
        limits: the bounds of this document.
    """

    def __init__(
        self, limits: DocumentLimits, now_s: Callable[[], float] = time.thread_time
    ) -> None:
        self.limits: Final = limits
        self._now_s: Final = now_s
        self._until_s: Final = now_s() + limits.max_seconds
        self._texts: Final[list[str]] = []
        self._room = limits.max_characters
        self._pictures: Final[dict[bytes, Hash]] = {}
        self._pages: Final[dict[bytes, Hash]] = {}
        self._pictures_left = limits.max_pictures
        self._pages_left = limits.max_rendered_pages
        self._faint_page: Hash | None = None
        self._best_picture: Hash | None = None

    @property
    def text(self) -> str:
        """All text so far, in the order of reading."""
        return "\n".join(self._texts)

    @property
    def hashes(self) -> tuple[Hash, ...]:
        """Of pages, then of pictures, none twice."""
        return (*self._pages.values(), *self._pictures.values())

    @property
    def unjudged(self) -> Hash | None:
        """For a question that has nothing to be judged by: a page hash that says so.

        Of pages that show too little, the best one's, with its low quality. Without pages, the best
        picture's, with quality 0: pictures in a document decide nothing, and of its page nothing
        else is known.
        """
        if self._faint_page is not None or self._best_picture is None:
            return self._faint_page
        return replace(self._best_picture, type=HashType.PAGE_PDQ, quality=0)

    @property
    def is_full(self) -> bool:
        """Whether no more text is taken."""
        return self._room <= 0

    @property
    def wants_pictures(self) -> bool:
        """Whether another picture would be looked at."""
        return self._pictures_left > 0

    @property
    def wants_pages(self) -> bool:
        """Whether another page without text would be looked at."""
        return self._pages_left > 0

    def check_time(self) -> None:
        """Called before each page, sheet, chapter or picture.

        It is this thread's own time: a busy device must not change what is found.

        Raises:
            MediaError: it has taken too long.
        """
        if self._now_s() > self._until_s:
            raise MediaError(f"reading takes over {self.limits.max_seconds:g} seconds")

    def add_text(self, text: str) -> None:
        """Takes the next piece of text, or as much of it as there is room for."""
        if text and self._room > 0:
            self._texts.append(text[: self._room])
            self._room -= len(text)

    def add_picture(self, data: bytes, page_index: int | None = None) -> None:
        """Hashes a picture of the document, if it is one.

        What cannot be decoded or is too large is left out: it is a part, and others remain.
        Pictures that no phone sends (EMF, WMF, SVG) are among these.

        Args:
            data: the whole file of the picture.
            page_index: which page it is on, where that is known.
        """
        if not self.wants_pictures:
            return
        self.check_time()
        try:
            if self.is_worth(*size_of(data)):
                self._add(open_luma(data).pdq().hash(), page_index)
        except MediaError:
            self.leave_out_picture()

    def leave_out_picture(self) -> None:
        """Counts a picture that is not hashed: trying costs time as well."""
        self._pictures_left -= 1

    def is_worth(self, width: int, height: int) -> bool:
        """Whether a picture of this size is hashed."""
        return min(width, height) >= _MIN_SIDE and width * height <= self.limits.max_picture_pixels

    def add_pixels(self, pixels: npt.NDArray[np.uint8], page_index: int | None = None) -> None:
        """Hashes a decoded picture of the document.

        Args:
            pixels: uint8, shape (height, width, 3), RGB.
            page_index: as `add_picture`.
        """
        height, width = pixels.shape[:2]
        if not self.wants_pictures or not self.is_worth(width, height):
            return
        if height * width > _WHOLE_PIXELS:
            pixels = np.asarray(Image.fromarray(pixels).reduce(2))
        self._add(pdq_hash(pixels), page_index)

    def _add(self, picture: Hash, page_index: int | None) -> None:
        self._pictures_left -= 1
        made = replace(picture, page_index=page_index)
        _keep(self._pictures, made)
        self._best_picture = _better(self._best_picture, made)

    def add_page(self, pixels: npt.NDArray[np.uint8], page_index: int) -> None:
        """Hashes a rendered page.

        Args:
            pixels: uint8, shape (height, width, 3), RGB.
            page_index: 0 is the first.
        """
        self._pages_left -= 1
        made = replace(pdq_hash(pixels), type=HashType.PAGE_PDQ, page_index=page_index)
        _keep(self._pages, made)
        if not _is_worth_a_hash(made):
            self._faint_page = _better(self._faint_page, made)


def _is_worth_a_hash(made: Hash) -> bool:
    """A picture is asked about whatever its quality; one in a document must be worth it."""
    return made.quality is not None and made.quality >= MIN_QUALITY


def _keep(kept: dict[bytes, Hash], made: Hash) -> None:
    if _is_worth_a_hash(made):
        kept.setdefault(bytes(made.value), made)


def _better(best: Hash | None, made: Hash) -> Hash:
    """The one of higher quality, of equals the first."""
    return made if best is None or (made.quality or 0) > (best.quality or 0) else best
