"""`load`: what it opens, in which order, and what it tells at the end."""

import gc
import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from engine.entries import Labels
from engine.errors import InvalidInputError
from engine.hashes import MediaType
from engine.lmdb_store import LmdbWriter
from engine.policy import Bank, BankId, BankPolicy
from indexer.console import Console, Report, took
from indexer.exit_codes import ExitCode
from indexer.feeds.opening import STDIN, ReadOptions, is_media_source, opened, read_file
from indexer.feeds.reading import Defaults, Read
from indexer.feeds.rejects import Outcome, Rejects, printable, reporting
from indexer.load import Loader, LoadTotals
from indexer.media import opened_media
from indexer.preview import Preview
from indexer.stores import find_bank, require_bank

_COLLECT_AFTER: Final = 200_000
_MAX_NAME: Final = 200
_MAX_TITLE_NAME: Final = 24
_PLURALS: Final = {
    MediaType.IMAGE: "pictures",
    MediaType.VIDEO: "videos",
    MediaType.DOCUMENT: "documents",
}
_UNMADE: Final = BankId(1)  # for the policy of a bank that a dry run would make


def run_load(options: Namespace, console: Console) -> ExitCode:
    """Loads a file, stdin or a folder."""
    source: str = options.source
    if source != STDIN and not Path(source).exists():
        raise InvalidInputError("source", "no such file or folder")
    _refuse_overwriting(source, options.rejects)
    labels = Labels(options.category, options.severity, options.list_source, options.reference)
    defaults = Defaults(options.media_type, labels)
    of_media = source != STDIN and is_media_source(Path(source), options.format)
    # A batch is many small objects without a cycle: looking for some costs a tenth of the time.
    gc.set_threshold(_COLLECT_AFTER)
    started_ms = console.clock.monotonic_ms()
    with ExitStack() as stack:
        store = stack.enter_context(LmdbWriter(options.store))
        bank, is_new = _bank(store, options)
        rejects = stack.enter_context(reporting(options.rejects))
        preview = Preview(store, None if is_new else bank.bank_id) if options.dry_run else None
        reason = options.reason or f"load {_name(source)}"
        loader = Loader(
            bank,
            preview.load if preview else lambda batch: store.load(bank.bank_id, batch, reason),
            rejects,
            console.clock,
            options.batch_size,
            is_slow=of_media,
        )
        opening = _media if of_media else _list
        try:
            with opening(options, console, defaults, rejects) as (feed, report, position):
                loader.load(feed, report, position)
        except KeyboardInterrupt:
            if not options.dry_run:
                console.note(
                    f"{loader.totals.added_items:,} new items are listed; "
                    "run the same command again to go on"
                )
            raise
        if loader.totals.checkpoint is None:
            loader.totals.checkpoint = store.head()
        elapsed_ms = console.clock.monotonic_ms() - started_ms
        exact = preview is None or preview.is_exact
        return _tell(console, loader, rejects, options, elapsed_ms, exact=exact, of_media=of_media)


def _refuse_overwriting(source: str, rejects: Path | None) -> None:
    if rejects is None or source == STDIN or not rejects.exists():
        return
    if Path(source).samefile(rejects):
        raise InvalidInputError("--rejects", "is the file to load")


def _bank(store: LmdbWriter, options: Namespace) -> tuple[Bank, bool]:
    """The bank to load into, and whether a dry run only pretends that it is there."""
    if not options.create_bank:
        return require_bank(store, options.bank), False
    found = find_bank(store, options.bank)
    if found is not None:
        return found, False
    if options.dry_run:
        return Bank(_UNMADE, options.bank), True
    return store.put_bank(options.bank, BankPolicy()), False


_Opened = tuple[Iterator[Read], Report, Callable[[], int | None]]


@contextmanager
def _list(
    options: Namespace, console: Console, defaults: Defaults, _: Rejects
) -> Iterator[_Opened]:
    source: str = options.source
    read_options = ReadOptions(options.format, options.ignore_unknown, options.hash_type)
    with opened(source) as stream:
        feed = read_file(stream, source, defaults, read_options)
        total = os.fstat(stream.fileno()).st_size if stream.seekable() else None
        with console.progress(_title(options), total, "items") as report:
            yield iter(feed), report, stream.tell if total is not None else lambda: None


@contextmanager
def _media(
    options: Namespace, console: Console, defaults: Defaults, rejects: Rejects
) -> Iterator[_Opened]:
    with opened_media(options, console, defaults, rejects, _doing(options)) as feed:
        yield feed, lambda _count, _done: None, lambda: None


def _title(options: Namespace) -> str:
    return f"{_doing(options)} {_name(options.source)[:_MAX_TITLE_NAME]}"


def _doing(options: Namespace) -> str:
    return "checking" if options.dry_run else "loading"


def _name(source: str) -> str:
    """What a source is called in the log, in Unicode and not too long."""
    if source == STDIN:
        return "stdin"
    return printable(Path(source).resolve().name)[:_MAX_NAME]


def _tell(
    console: Console,
    loader: Loader,
    rejects: Rejects,
    options: Namespace,
    elapsed_ms: int,
    *,
    exact: bool,
    of_media: bool,
) -> ExitCode:
    totals, counts = loader.totals, rejects.counts
    sequence = totals.checkpoint.sequence if totals.checkpoint else 0
    rate = round(totals.read * 1000 / max(elapsed_ms, 1))
    rejected, left_out = counts[Outcome.REJECTED], counts[Outcome.LEFT_OUT]
    passed_over = counts[Outcome.PASSED_OVER]
    console.rejects(rejects, "" if options.rejects else "; --rejects FILE keeps them all")
    if not of_media and rejected == totals.read > 0:
        console.note("none of it is a hash: a list is told in docs/formats.md")
    if not exact:
        console.note("too many items to remember: repeats within the file may count as added")
    by_type = {type_: totals.added_by_type[type_] for type_ in MediaType}
    console.summary(
        f"{_outcome(totals, options)}: bank {options.bank}",
        {
            "bank": options.bank,
            "dry_run": options.dry_run,
            "exact": exact,
            "read": totals.read,
            "added_items": totals.added_items,
            "added_by_media_type": {type_.name.lower(): n for type_, n in by_type.items()},
            "added_hashes": totals.added_hashes,
            "duplicates": totals.duplicates,
            "rejected": rejected,
            "hashes_left_out": left_out,
            "passed_over": passed_over,
            "elapsed_ms": elapsed_ms,
            "items_per_s": rate,
            "sequence": sequence,
        },
        {
            "items read": f"{totals.read:,}",
            "rejected": f"{rejected:,}",
            "duplicates": f"{totals.duplicates:,}",
            "would be added" if options.dry_run else "added": f"{totals.added_items:,}",
            **{f"  {_PLURALS[type_]}": f"{n:,}" for type_, n in by_type.items() if n},
            "with hashes": f"{totals.added_hashes:,}",
            "hashes left out": f"{left_out:,}",
            **({"files passed over": f"{passed_over:,}"} if passed_over else {}),
            "time": took(elapsed_ms),
            "rate": f"{rate:,} items/s",
            "checkpoint": f"{sequence:,}",
        },
        bad=bool(rejected),
    )
    return ExitCode.REJECTS if rejected else ExitCode.DONE


def _outcome(totals: LoadTotals, options: Namespace) -> str:
    if options.dry_run:
        return "dry run, nothing changed"
    if totals.added_items:
        return "loaded"
    if totals.duplicates == totals.read > 0:
        return "nothing added, all is listed already"
    return "nothing added"
