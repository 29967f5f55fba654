"""Web pages: what a browser shows, and pictures that are within the page itself."""

import base64
import re
from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.charset import decode
from firstseen.hashing.content import Content
from firstseen.hashing.readers.markup import Grammar, html_text

_PEEK_BYTES: Final = 1_024  # where a page must name its encoding (HTML Standard, 4.2.5.4)
_CHARSET: Final = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w-]{1,40})", re.IGNORECASE)
_HIDDEN: Final = frozenset({"head", "noscript", "script", "style", "template", "textarea"})
_BLOCKS: Final = frozenset(
    {"address", "article", "blockquote", "br", "dd", "div", "dt", "figcaption", "footer"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "nav", "p", "pre"}
    | {"section", "table", "td", "th", "title", "tr"}
)
_INLINE_PICTURE: Final = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)


def read(data: bytes, content: Content) -> None:
    """Takes the text of the page's body.

    Raises:
        MediaError: over the limit of bytes, tags or time.
    """
    if len(data) > content.limits.max_markup_bytes:
        raise MediaError(f"over {content.limits.max_markup_bytes:,} bytes of markup")
    if data.count(b"<") > content.limits.max_tags:
        raise MediaError(f"over {content.limits.max_tags:,} tags")

    def take_picture(name: str, attributes: dict[str, str]) -> None:
        source = attributes.get("src", "") if name == "img" else ""
        start = _INLINE_PICTURE.match(source)
        if start and content.wants_pictures:
            try:
                picture = base64.b64decode(source[start.end() :])
            except ValueError:  # also of letters that are no ASCII
                return  # no picture, as in a browser
            content.add_picture(picture)

    declared = _CHARSET.search(data[:_PEEK_BYTES])
    page = decode(data, declared[1].decode() if declared else "")
    content.add_text(
        html_text(page, Grammar(skipped=_HIDDEN, breaks=_BLOCKS, on_start=take_picture))
    )
