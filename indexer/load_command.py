"""`load`: what it opens, in which order, and what it tells at the end."""

import gc
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from engine.entries import Labels
from engine.errors import InvalidInputError, WriterBusyError
from engine.hashes import MediaType
from engine.lmdb_store import LmdbReader
from engine.policy import Bank, BankId, BankPolicy
from engine.store import LoadResult
from engine.store_lock import load_under_way
from indexer.console import Console, counted, took
from indexer.exit_codes import ExitCode
from indexer.feeds.opening import STDIN, ReadOptions, is_media_source, opened, read_file
from indexer.feeds.reading import Defaults
from indexer.feeds.rejects import Outcome, Rejects, printable, reporting
from indexer.load import Admit, Commit, Loader, LoadTotals
from indexer.preview import Preview
from indexer.stores import find_bank, require_bank, writing

_COLLECT_AFTER: Final = 200_000
_MAX_NAME: Final = 200
_MAX_TITLE_NAME: Final = 24
_LEAST_TIMED_MS: Final = 1_000  # of a shorter load, the start is most of it
_PLURALS: Final = {
    MediaType.IMAGE: "pictures",
    MediaType.VIDEO: "videos",
    MediaType.DOCUMENT: "documents",
}
_UNMADE: Final = BankId(1)  # for the policy of a bank that a dry run would make


def run_load(options: Namespace, console: Console) -> ExitCode:
    """Loads files, stdin and folders."""
    sources: list[str] = options.sources
    for source in sources:
        if source != STDIN and not Path(source).exists():
            raise InvalidInputError(source, "no such file or folder")
    _refuse_overwriting(sources, options.rejects)
    labels = Labels(options.category, options.severity, options.list_source, options.reference)
    defaults = Defaults(options.media_type, labels)
    media = [s for s in sources if s != STDIN and is_media_source(Path(s), options.format)]
    # A batch is many small objects without a cycle: looking for some costs a tenth of the time.
    gc.set_threshold(_COLLECT_AFTER)
    started_ms = console.clock.monotonic_ms()
    with ExitStack() as stack:
        preview = None
        if options.dry_run:
            reader = stack.enter_context(LmdbReader(options.store))
            bank, preview = _previewed(reader, options)
            commit = _previewing(bank, preview)
        else:
            bank = _opened_bank(options, console)
            stack.enter_context(load_under_way(options.store))
            commit = _listing(options, console)
        rejects = stack.enter_context(reporting(options.rejects))
        loader = Loader(
            bank, commit, rejects, console.clock, options.batch_size, is_slow=bool(media)
        )
        try:
            for source in (source for source in sources if source not in media):
                _load_list(source, loader, options, console, defaults)
            if media:
                _load_media(media, loader, options, console, defaults, rejects)
        except (KeyboardInterrupt, WriterBusyError):
            if not options.dry_run:
                new = counted(loader.totals.added_items, "new item is", "new items are")
                console.note(f"{new} listed; run the same command again to go on")
            raise
    if loader.totals.checkpoint is None:
        with LmdbReader(options.store) as reader:
            loader.totals.checkpoint = reader.head()
    elapsed_ms = console.clock.monotonic_ms() - started_ms
    exact = preview is None or preview.is_exact
    return _tell(console, loader, rejects, options, elapsed_ms, exact=exact, of_media=bool(media))


def _refuse_overwriting(sources: list[str], rejects: Path | None) -> None:
    if rejects is None or not rejects.exists():
        return
    if any(source != STDIN and Path(source).samefile(rejects) for source in sources):
        raise InvalidInputError("--rejects", f"{rejects} is the file to load")


def _previewed(reader: LmdbReader, options: Namespace) -> tuple[Bank, Preview]:
    """The bank that a dry run compares with, which may have to be made first."""
    if options.create_bank and find_bank(reader, options.bank) is None:
        with _named_bank():
            return Bank(_UNMADE, options.bank), Preview(reader, None)
    bank = require_bank(reader, options.bank)
    return bank, Preview(reader, bank.bank_id)


def _previewing(bank: Bank, preview: Preview) -> Commit:
    return lambda admit, _: preview.load(admit(bank))


def _opened_bank(options: Namespace, console: Console) -> Bank:
    """The bank to load into, made if need be; that nobody may write shows here, before the work."""
    with writing(options.store, console) as store:
        if not options.create_bank:
            return require_bank(store, options.bank)
        with _named_bank():
            return find_bank(store, options.bank) or store.put_bank(options.bank, BankPolicy())


@contextmanager
def _named_bank() -> Iterator[None]:
    """Lets what is wrong with a bank's name tell the option."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError("--bank", error.problem) from None


def _listing(options: Namespace, console: Console) -> Commit:
    """Lists each batch as the store's writer, and lets others write before the next.

    What they did to the bank meanwhile counts: it is looked up again.
    """
    reason = options.reason or f"load {source_name(options.sources)}"

    def commit(admit: Admit, may_wait: bool) -> LoadResult:
        with writing(options.store, console, may_wait=may_wait) as store:
            bank = require_bank(store, options.bank)
            return store.load(bank.bank_id, admit(bank), reason)

    return commit


def _load_list(
    source: str, loader: Loader, options: Namespace, console: Console, defaults: Defaults
) -> None:
    """Loads one list; of several, one that is none costs only itself."""
    read_options = ReadOptions(options.format, options.ignore_unknown, options.hash_type)
    is_one = len(options.sources) == 1
    with opened(source) as stream:
        try:
            feed = read_file(stream, source, defaults, read_options)
        except InvalidInputError as error:
            if is_one:
                raise InvalidInputError(source, str(error)) from None
            loader.load([(source, str(error))], _untold, _nowhere)
            return
        total = os.fstat(stream.fileno()).st_size if stream.seekable() else None
        title = f"{_doing(options)} {source_name([source])[:_MAX_TITLE_NAME]}"
        with console.progress(title, total, "items") as report:
            name = source_name([source]) if source == STDIN else source
            reads = feed if is_one else ((f"{name}: line {place}", one) for place, one in feed)
            loader.load(reads, report, stream.tell if total is not None else _nowhere)


def _load_media(
    sources: list[str],
    loader: Loader,
    options: Namespace,
    console: Console,
    defaults: Defaults,
    rejects: Rejects,
) -> None:
    from indexer.media import opened_media  # noqa: PLC0415  loads the decoders

    with opened_media(
        options, sources, console, defaults, rejects, _doing(options), reads_vpdq=True
    ) as feed:
        loader.load(feed, _untold, _nowhere)


def _untold(_count: int, _done: int | None) -> None:
    """Of what tells its progress by itself."""


def _nowhere() -> None:
    """Of what has no length."""


def _doing(options: Namespace) -> str:
    return "checking" if options.dry_run else "loading"


def source_name(sources: list[str]) -> str:
    """What sources are called in the log, in Unicode and not too long."""
    first = sources[0]
    name = "stdin" if first == STDIN else printable(Path(first).resolve().name)[:_MAX_NAME]
    return name if len(sources) == 1 else f"{name} and {len(sources) - 1:,} more"


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
    tells_speed = not of_media and elapsed_ms >= _LEAST_TIMED_MS
    rejected, left_out = counts[Outcome.REJECTED], counts[Outcome.LEFT_OUT]
    passed_over = counts[Outcome.PASSED_OVER]
    console.rejects(rejects, "" if options.rejects else "; --rejects FILE keeps them all")
    if not of_media and rejected == totals.read > 0:
        console.note(
            "none of it is a hash: a list is told in docs/formats.md; "
            "--format document hashes it as a document"
        )
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
            "their hashes": f"{totals.added_hashes:,}",
            "hashes left out": f"{left_out:,}",
            **({"files passed over": f"{passed_over:,}"} if passed_over else {}),
            "time": took(elapsed_ms),
            **({"speed": f"{rate:,} items/s"} if tells_speed else {}),
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
