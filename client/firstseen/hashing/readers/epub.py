"""EPUB. A page is a chapter."""

import posixpath
from itertools import islice
from urllib.parse import unquote

from firstseen.errors import MediaError
from firstseen.hashing.archive import Archive
from firstseen.hashing.content import Content
from firstseen.hashing.readers import html
from firstseen.hashing.readers.markup import xml_tree

_CONTAINER = "META-INF/container.xml"


def read(data: bytes, content: Content) -> None:
    """Takes the chapters in the order of reading, then the pictures in the order they are listed.

    Raises:
        MediaError: it is damaged, encrypted or over a limit.
    """
    archive = Archive(data, content.limits)
    if "META-INF/encryption.xml" in archive and "META-INF/rights.xml" in archive:
        raise MediaError("encrypted document")
    root = next(xml_tree(archive.read(_CONTAINER)).iter("{*}rootfile"), None)
    if root is None:
        raise MediaError("damaged document (no contents)")
    contents = root.get("full-path", "")
    tree = xml_tree(archive.read(contents))
    folder = posixpath.dirname(contents)
    files = {}
    pictures = []
    for item in tree.iter("{*}item"):
        name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        if name in archive:
            files[item.get("id", "")] = name
            if item.get("media-type", "").startswith("image/"):
                pictures.append(name)
    chapters = (
        files[r.get("idref", "")] for r in tree.iter("{*}itemref") if r.get("idref") in files
    )
    for name in islice(chapters, content.limits.max_pages):
        content.check_time()
        if content.is_full:
            break
        html.read(archive.read(name), content)
    for name in pictures:
        archive.add_picture(name, content)
