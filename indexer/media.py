"""Pictures, videos and documents as a feed: of the files and folders that were named.

It loads the decoders, so it is imported only where there are files to hash.
"""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from engine.entries import NewItem
from engine.hashes import MediaType
from firstseen.hashing.forms import BankProfile
from indexer.console import Console, Report, counted
from indexer.feeds.folder import read_files
from indexer.feeds.hash_pool import HashPool
from indexer.feeds.hash_worker import WorkerOptions
from indexer.feeds.material import Material, Placed, gather
from indexer.feeds.opening import Format, ReadOptions, read_file
from indexer.feeds.reading import Defaults, Read
from indexer.feeds.regular import open_regular
from indexer.feeds.rejects import Outcome, Rejects, printable
from indexer.feeds.selection import EVERY_TYPE, UNWANTED, Selection

_MAX_NAME: Final = 20
_MAX_TEXTS: Final = 3  # on one line


@contextmanager
def opened_media(
    options: Namespace,
    sources: Sequence[str],
    console: Console,
    defaults: Defaults,
    rejects: Rejects,
    doing: str,
    *,
    reads_vpdq: bool,
) -> Iterator[Iterator[Read]]:
    """The items of files and folders, with a bar of how far it is.

    Args:
        options: of the command, those of `arguments.add_media`.
        sources: the files and folders.
        console: where the bar is.
        defaults: labels of every item.
        rejects: takes what is passed over.
        doing: what the bar says before the name.
        reads_vpdq: as `gather`.
    """
    types = frozenset(options.only or EVERY_TYPE)
    own = [path for path in (options.store, getattr(options, "rejects", None)) if path is not None]
    selection = Selection(types, tuple(options.exclude), options.everything, tuple(own))
    material = gather(sources, selection, options.format, reads_vpdq=reads_vpdq)
    for place, reason in material.passed_over:
        rejects.add(place, Outcome.PASSED_OVER, reason)
    if material.texts:
        console.note(_told(material.texts))
    worker = WorkerOptions(BankProfile(options.profile), options.memory_mib)
    files = [*material.files, *material.vpdq_lists]
    sizes = [_size_bytes(path) for _, path in files]
    name = Path(sources[0]).resolve().name if len(sources) == 1 else f"{len(sources):,} sources"

    def wanted(read: Read) -> bool:
        place, one = read
        if not isinstance(one, NewItem) or one.item.media_type in types:
            return True
        rejects.add(place, Outcome.PASSED_OVER, UNWANTED[MediaType(one.item.media_type)])
        return False

    with ExitStack() as stack:
        pool = None
        if material.files:
            jobs = min(options.jobs, len(material.files))
            pool = stack.enter_context(HashPool(jobs, options.timeout_s * 1000, worker))
        report = stack.enter_context(
            console.progress(
                f"{doing} {printable(name)[:_MAX_NAME]}", sum(sizes), "files", is_bytes=True
            )
        )
        yield filter(wanted, _reads(material, pool, defaults, sizes, report))


def _reads(
    material: Material,
    pool: HashPool | None,
    defaults: Defaults,
    sizes: Sequence[int],
    report: Report,
) -> Iterator[Read]:
    """Everything that is read, file by file; `report` is told after each."""

    def by_file() -> Iterator[list[Read]]:
        if pool is not None:
            yield from read_files(material.files, pool, defaults)
        for placed in material.vpdq_lists:
            yield _read_vpdq(placed, defaults)

    yield from material.refused
    done_bytes = 0
    for count, (reads, size) in enumerate(zip(by_file(), sizes, strict=True), start=1):
        done_bytes += size
        report(count, done_bytes)
        yield from reads


def _read_vpdq(placed: Placed, defaults: Defaults) -> list[Read]:
    """The video that a vPDQ list is of, and the lines of it that are wrong."""
    name, path = placed
    try:
        with open_regular(path) as stream:
            found = [*read_file(stream, path.name, defaults, ReadOptions(Format.VPDQ))]
    except OSError as error:
        return [(name, f"not readable: {error.strerror}")]
    return [
        (f"{name}: line {place}", one) if isinstance(one, str) else (name, one)
        for place, one in found
    ]


def _told(texts: Sequence[str]) -> str:
    """What plain texts are hashed that one might have taken for a list, or for a note."""
    shown = ", ".join(map(printable, texts[:_MAX_TEXTS]))
    more = f" and {len(texts) - _MAX_TEXTS:,} more" if len(texts) > _MAX_TEXTS else ""
    kind = counted(len(texts), "plain text", "plain texts")
    return f"hashed as {'a document' if len(texts) == 1 else 'documents'}, {kind}: {shown}{more}"


def _size_bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # gone meanwhile; the process that is to hash it says so
        return 0
