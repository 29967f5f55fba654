"""How far something long is, told to whoever wants to know."""

from collections.abc import Callable

Stage = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is: of entries, or of
bytes for `write`."""


def untold(_stage: str, _done: int, _total: int) -> None:
    """Tells nobody."""
