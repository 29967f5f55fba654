"""How many calls of one kind may be under way at once."""

from types import TracebackType


class NoRoomError(Exception):
    """As many calls as may be are under way; another may be made later."""


class Room:
    """Room for so many calls. Used from the event loop only."""

    def __init__(self, most: int) -> None:
        self._free = most

    def __enter__(self) -> None:
        if self._free <= 0:
            raise NoRoomError
        self._free -= 1

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._free += 1
