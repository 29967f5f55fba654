"""A ZIP archive that is safe to read: its sizes are checked before anything is unpacked."""

import re
import zipfile
from io import BytesIO
from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.content import Content
from firstseen.hashing.document_limits import DocumentLimits

# What OOXML, ODF and EPUB allow (ISO/IEC 21320-1); others need more memory to unpack.
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_CENTRAL_ENTRY: Final = b"PK\x01\x02"
_FREE_RATIO_BYTES: Final = 16 << 20
_PEEK_BYTES: Final = 1_024
_MARKUP_NAMES: Final = (".xml", ".rels", ".opf", ".ncx", ".xhtml", ".vml")
_ENCODING: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"']*)[\"']")
# An entity could hide from the search below in UTF-7 or EBCDIC, which libxml2 reads too.
_ENCODINGS: Final = re.compile(
    rb"utf-?8|utf-?16(le|be)?|(us-)?ascii|iso-8859-\d+|windows-125\d", re.IGNORECASE
)


class Archive:
    """The checked archive of a document.

    No file of it holds entity declarations, so no parser can be made to read other files, or to
    multiply text; no file unpacks to more than it declares.

    Raises:
        MediaError: it is damaged, encrypted or over a limit.
    """

    def __init__(self, data: bytes, limits: DocumentLimits) -> None:
        self._zip: Final = open_zip(data, limits)
        self._infos: Final = {info.filename: info for info in self._zip.infolist()}
        self._shown: Final[set[str]] = set()
        self._check_sizes(limits)
        self._check_markup(limits)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its files."""
        return tuple(self._infos)

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises:
            MediaError: it is damaged or not there.
        """
        info = self._infos.get(name)
        if info is None:
            raise MediaError("damaged document (a part is missing)")
        try:
            # Told how much to read: without, Python unpacks all there is, two gigabytes and more.
            with self._zip.open(info) as stream:
                return stream.read(info.file_size)
        # Damaged archives raise BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, ...
        except Exception:  # noqa: BLE001
            raise MediaError("damaged document") from None

    def add_picture(self, name: str, content: Content, page_index: int | None = None) -> None:
        """Hashes a picture of the archive, if it is one; each is unpacked once.

        Args:
            name: of the file.
            content: what collects the hashes, and says how large a picture may be.
            page_index: the first page that it is on, where that is known.

        Raises:
            MediaError: it is damaged or not there.
        """
        if name in self._shown or not content.wants_pictures:
            return
        self._shown.add(name)
        info = self._infos.get(name)
        if info is not None and info.file_size > content.limits.max_picture_bytes:
            content.leave_out_picture()
            return
        content.add_picture(self.read(name), page_index)

    def _check_sizes(self, limits: DocumentLimits) -> None:
        infos = self._zip.infolist()
        for info in infos:
            _check_method(info)
        unpacked = sum(info.file_size for info in infos)
        packed = sum(info.compress_size for info in infos)
        if unpacked > limits.max_unpacked_bytes:
            raise MediaError(f"unpacks to over {limits.max_unpacked_bytes:,} bytes")
        if unpacked > max(_FREE_RATIO_BYTES, packed * limits.max_ratio):
            raise MediaError(f"unpacks to over {limits.max_ratio} times its size")

    def _check_markup(self, limits: DocumentLimits) -> None:
        size = tags = 0
        for name, info in self._infos.items():
            if not self._is_markup(name):
                continue
            size += info.file_size
            if size > limits.max_markup_bytes:
                raise MediaError(f"over {limits.max_markup_bytes:,} bytes of markup")
            plain = self.read(name).replace(b"\0", b"")  # UTF-16 as if it were ASCII
            tags += plain.count(b"<")
            if tags > limits.max_tags:
                raise MediaError(f"over {limits.max_tags:,} tags")
            if b"<!ENTITY" in plain:
                raise MediaError("the document declares entities")
            declared = _ENCODING.search(plain[:_PEEK_BYTES])
            if declared and not _ENCODINGS.fullmatch(declared[1]):
                raise MediaError("markup in an unknown encoding")

    def _is_markup(self, name: str) -> bool:
        head = peek(self._zip, name, _PEEK_BYTES)
        # Behind a byte order mark and spaces, in UTF-8 or UTF-16.
        starts = head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")
        if head and not starts and name.lower().endswith(_MARKUP_NAMES):
            raise MediaError("markup in an unknown encoding")
        return starts


def open_zip(data: bytes, limits: DocumentLimits) -> zipfile.ZipFile:
    """Opens a ZIP file of not too many files; of their sizes nothing is known yet.

    Raises:
        MediaError: it is damaged, encrypted or has too many files.
    """
    # Python makes an object for each entry, so their number is bounded before that.
    if data.count(_CENTRAL_ENTRY) > limits.max_entries:
        raise MediaError(f"over {limits.max_entries:,} files in the document")
    try:
        opened = zipfile.ZipFile(BytesIO(data))
    except Exception:  # noqa: BLE001 - as `Archive.read`
        raise MediaError("damaged document") from None
    if any(info.flag_bits & 0x1 for info in opened.infolist()):
        raise MediaError("encrypted document")
    return opened


def peek(opened: zipfile.ZipFile, name: str, size_bytes: int) -> bytes:
    """The beginning of one file; empty when it is not there.

    Raises:
        MediaError: it is damaged, or packed by a method that is not allowed.
    """
    try:
        info = opened.getinfo(name)
    except KeyError:
        return b""
    _check_method(info)
    try:
        with opened.open(info) as stream:
            return stream.read(size_bytes)
    except Exception:  # noqa: BLE001 - as `Archive.read`
        raise MediaError("damaged document") from None


def _check_method(info: zipfile.ZipInfo) -> None:
    if info.compress_type not in _METHODS:
        raise MediaError("damaged document (packed by an unknown method)")
