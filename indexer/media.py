"""Pictures, videos and documents as a feed: one file, or a folder of them."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.entries import NewItem
from engine.hashes import MediaType
from firstseen.hashing.forms import BankProfile
from indexer.console import Console
from indexer.feeds.reading import Defaults, Read
from indexer.feeds.rejects import Outcome, Rejects, printable

_MAX_NAME: Final = 20


@contextmanager
def opened_media(
    options: Namespace, console: Console, defaults: Defaults, rejects: Rejects, doing: str
) -> Iterator[Iterator[Read]]:
    """The items of a file or folder, with a bar of how far it is.

    Args:
        options: of the command, `source` and those of `arguments.add_media`.
        console: where the bar is.
        defaults: labels of every item.
        rejects: takes what is passed over.
        doing: what the bar says before the name.
    """
    # The decoders are only loaded where there are files to hash.
    from indexer.feeds.folder import list_folder, read_folder  # noqa: PLC0415
    from indexer.feeds.hash_pool import HashPool  # noqa: PLC0415
    from indexer.feeds.hash_worker import WorkerOptions  # noqa: PLC0415
    from indexer.feeds.selection import EVERY_TYPE, UNWANTED, Selection  # noqa: PLC0415

    source = Path(options.source)
    types = frozenset(options.only or EVERY_TYPE)
    own = [path for path in (options.store, getattr(options, "rejects", None)) if path is not None]
    if source.is_dir():
        folder = source
        found, refused = list_folder(folder)
        chosen = Selection(types, tuple(options.exclude), options.everything, tuple(own))
        files, passed_over = chosen.split(folder, found)
    else:  # whoever names a file wants it
        file = source.resolve()  # links of those that are named are followed
        folder, files, refused, passed_over = file.parent, [file], [], []
    for place, reason in passed_over:
        rejects.add(place, Outcome.PASSED_OVER, reason)
    sizes = list(map(_size_bytes, files))
    worker = WorkerOptions(BankProfile(options.profile), options.memory_mib)

    def wanted(read: Read) -> bool:
        place, one = read
        if not isinstance(one, NewItem) or one.item.media_type in types:
            return True
        rejects.add(place, Outcome.PASSED_OVER, UNWANTED[MediaType(one.item.media_type)])
        return False

    def feed(pool: HashPool) -> Iterator[Read]:
        yield from refused
        done_bytes = 0
        hashed = read_folder(folder, files, pool, defaults)
        for count, ((_, reads), size) in enumerate(zip(hashed, sizes, strict=True), start=1):
            done_bytes += size
            report(count, done_bytes)
            yield from filter(wanted, reads)

    title = f"{doing} {printable(source.resolve().name)[:_MAX_NAME]}"
    with (
        HashPool(max(1, min(options.jobs, len(files))), options.timeout_s * 1000, worker) as pool,
        console.progress(title, sum(sizes), "files", is_bytes=True) as report,
    ):
        yield feed(pool)


def _size_bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # gone meanwhile; the process that is to hash it says so
        return 0
