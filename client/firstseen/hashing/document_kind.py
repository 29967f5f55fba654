"""What kind of document a file is, by its content alone."""

import re
import zipfile
from enum import StrEnum
from io import BytesIO
from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.charset import decode, has_controls

# Enough of a file to tell text from pictures.
HEAD_BYTES: Final = 4_096
_OLE: Final = b"\xd0\xcf\x11\xe0"
# The stream that holds an encrypted DOCX, PPTX or XLSX ([MS-OFFCRYPTO] 2.3.4.4).
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_WEB_PAGE: Final = re.compile(r"<!doctype\s+html|<(html|head|body)[\s>]", re.IGNORECASE)
# Of a few bytes that are no UTF-8, nobody can say that they are text.
_MIN_LEGACY_BYTES: Final = 64


class DocumentKind(StrEnum):
    """The kinds that are read; each is the name of its reader."""

    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    ODF = "odf"
    EPUB = "epub"
    RTF = "rtf"
    HTML = "html"
    TXT = "txt"


def document_kind(data: bytes) -> DocumentKind | None:
    """The kind of a document; None when its content cannot be read.

    Args:
        data: the whole file.

    Raises:
        MediaError: it is encrypted, or a damaged archive.
    """
    if data.startswith(b"%PDF-"):
        return DocumentKind.PDF
    if data.startswith(b"{\\rtf"):
        return DocumentKind.RTF
    if data.startswith(b"PK\x03\x04"):
        return _archive_kind(data)
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise MediaError("encrypted document")
        return None  # Office before 2007
    return text_kind(data[:HEAD_BYTES])


def text_kind(head: bytes) -> DocumentKind | None:
    """Whether a file is plain text or a web page; None when it is neither.

    Args:
        head: its first 4,096 bytes, or all of it.
    """
    is_cut = len(head) >= HEAD_BYTES
    text = decode(head, is_cut=is_cut)
    if has_controls(text) or not any(map(str.isalnum, text)):
        return None
    if len(head) < _MIN_LEGACY_BYTES and "\ufffd" in head.decode("utf-8", "replace"):
        return None
    if _WEB_PAGE.search(text):
        return DocumentKind.HTML
    is_drawing = text.lstrip().startswith("<") and "<svg" in text
    return None if is_drawing else DocumentKind.TXT


def _archive_kind(data: bytes) -> DocumentKind | None:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = frozenset(archive.namelist())
            mimetype = b""
            if "mimetype" in names:
                with archive.open("mimetype") as stream:
                    mimetype = stream.read(100)
    # A damaged archive fails in many ways: BadZipFile, zlib.error, RuntimeError, ValueError, ...
    except Exception as error:
        raise MediaError(f"damaged document ({type(error).__name__})") from error
    if mimetype.startswith(b"application/vnd.oasis.opendocument."):
        return DocumentKind.ODF
    if mimetype.startswith(b"application/epub+zip") or "META-INF/container.xml" in names:
        return DocumentKind.EPUB
    if {"content.xml", "META-INF/manifest.xml"} <= names:
        return DocumentKind.ODF
    if "[Content_Types].xml" in names:
        for folder, kind in _OFFICE_FOLDERS.items():
            if any(name.startswith(folder) for name in names):
                return kind
    return None


_OFFICE_FOLDERS: Final = {
    "word/": DocumentKind.DOCX,
    "ppt/": DocumentKind.PPTX,
    "xl/": DocumentKind.XLSX,
}
