"""Plain text."""

from firstseen.hashing.charset import decode
from firstseen.hashing.content import Content


def read(data: bytes, content: Content) -> None:
    """Takes all of it; see `firstseen.hashing.charset.decode` for encodings."""
    content.add_text(decode(data))
