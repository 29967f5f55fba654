"""`withdraw`: takes items out of the list, in one change.

Hashes come from a file or from stdin and never from the command line, which every
process of the machine can read. A picture, a video, a document or a folder of them is hashed
here, and what was loaded from the same files goes.
"""

from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.entries import ItemId, Labels
from engine.errors import InvalidInputError
from engine.hashes import HashType, Item, MediaType
from engine.lmdb_store import LmdbReader
from engine.policy import BankId
from engine.store import RemoveResult, StoreReader
from engine.store_lock import is_load_under_way
from indexer.console import Console, took
from indexer.exit_codes import ExitCode
from indexer.feeds.opening import STDIN, ReadOptions, is_media_source, opened, read_file
from indexer.feeds.reading import Defaults, Read
from indexer.feeds.rejects import Outcome, Rejects
from indexer.load_command import source_name
from indexer.stores import note_more_coming, require_bank, writing

MAX_DESCRIBED: Final = 1_000  # in JSON
_MAX_SHOWN: Final = 15  # fits a screen of 24 lines with the summary
_MAX_LABEL: Final = 40
_MAX_IDS: Final = 10
_LABELS: Final = ("category", "severity", "source", "reference")
_REPORT_EVERY: Final = 1_000
# Of these, equal means the same file, or a document of the same words.
_OF_FILE: Final = frozenset({HashType.SHA256, HashType.MD5, HashType.TEXT_SHA256})
_ONLY_SAME: Final = (
    "what is not listed by itself may still match an edited copy that is: "
    "`firstseen explain FILE` names the items, and --item takes them out"
)


class Selection:
    """The items to take out, and what was asked for and is not listed."""

    def __init__(self) -> None:
        self.item_ids: dict[ItemId, None] = {}  # a set that keeps its order
        self.asked = 0
        self.not_listed = 0
        self.rejects = Rejects()

    def add(self, read: Read, find: Callable[[Item], Iterable[ItemId]]) -> None:
        """Takes the listed items that `find` gives for what was read; notes what was not."""
        place, found = read
        if isinstance(found, str):
            self.rejects.add(place, Outcome.REJECTED, found)
            return
        self.asked += 1
        listed = dict.fromkeys(find(found.item))
        self.not_listed += not listed
        self.item_ids.update(listed)


def run_withdraw(options: Namespace, console: Console) -> ExitCode:
    """Withdraws by hashes, by item ids, or by labels."""
    by_labels = options.reference is not None or options.list_source is not None
    if sum([options.source is not None, bool(options.item), by_labels]) != 1:
        raise InvalidInputError(
            "", "withdraw wants one of: FILE, --item, or --reference and --source"
        )
    started_ms = console.clock.monotonic_ms()
    of_media = _is_media(options)
    with LmdbReader(options.store) as store:
        bank_id = require_bank(store, options.bank).bank_id if options.bank else None
        seen = store.head()
        with _selecting(console) as selection:
            if of_media:
                _by_media(store, bank_id, options, selection, console)
            elif options.source is not None:
                _by_hashes(store, bank_id, options, selection, console)
            elif options.item:
                _by_ids(store, bank_id, options.item, selection)
            else:
                _by_labels(store, bank_id, options, selection)
    item_ids = list(selection.item_ids)
    has_moved = is_load_under_way(options.store)
    if item_ids and not options.dry_run:
        # An id is never given out again: what was selected is the same item, or gone by now.
        with writing(options.store, console) as writer:
            has_moved |= writer.head() != seen
            going = _described(writer, item_ids)
            result = writer.withdraw(item_ids, options.reason or _reason(options))
    else:
        with LmdbReader(options.store) as store:
            going, result = _described(store, item_ids), _foreseen(store, item_ids)
    elapsed_ms = console.clock.monotonic_ms() - started_ms
    if of_media and selection.not_listed:
        console.note(_ONLY_SAME)
    if has_moved and not options.item:  # what is listed anew has another id
        note_more_coming(console)
    if going and not console.as_json:
        _show(console, going, result.removed_items)
    return _tell(console, options, selection, going, result, elapsed_ms)


def _reason(options: Namespace) -> str:
    """What the log says of a withdrawal of which nobody said why."""
    if options.source is not None:
        return f"withdraw {source_name([options.source])}"
    if options.item:
        shown = ", ".join(map(str, options.item[:_MAX_IDS]))
        more = f" and {len(options.item) - _MAX_IDS:,} more" if len(options.item) > _MAX_IDS else ""
        return f"withdraw item {shown}{more}"
    labels = {"reference": options.reference, "source": options.list_source}
    told = " and ".join(f"{name} {_shortened(text)}" for name, text in labels.items() if text)
    return f"withdraw {told}"


def _foreseen(store: StoreReader, item_ids: Sequence[ItemId]) -> RemoveResult:
    """What withdrawing the items would do."""
    listed = store.items(item_ids).values()
    entries = sum(len(one.item.hashes) for one in listed)
    return RemoveResult(store.head(), len(listed), entries)


def _described(store: StoreReader, item_ids: Sequence[ItemId]) -> list[dict[str, object]]:
    """The first of the items as their bank lists them, without their hashes."""
    names = {bank.bank_id: bank.name for bank in store.banks()}
    found = store.items(item_ids[:MAX_DESCRIBED])
    return [
        {
            "item_id": one.item_id,
            "bank": names[one.bank_id],
            "media_type": one.item.media_type.name.lower(),
            "hashes": len(one.item.hashes),
            "category": one.labels.category,
            "severity": one.labels.severity,
            "source": one.labels.source,
            "reference": one.labels.reference,
        }
        for one in found.values()
    ]


def _show(console: Console, going: Sequence[Mapping[str, object]], count: int) -> None:
    rows = [
        [*(str(one[name]) for name in ("item_id", "bank", "media_type", "hashes")), _labels(one)]
        for one in going[:_MAX_SHOWN]
    ]
    console.table(("item#", "bank", "kind", "hashes#", "labels"), rows)
    if count > len(rows):
        console.say(f"and {count - len(rows):,} more")


def _labels(one: Mapping[str, object]) -> str:
    told = ((name, str(one[name] or "")) for name in _LABELS)
    return ", ".join(f"{name} {_shortened(text)}" for name, text in told if text)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_LABEL else f"{text[: _MAX_LABEL - 1]}…"


def _is_media(options: Namespace) -> bool:
    if options.source in (None, STDIN):
        return False
    path = Path(options.source)
    if not path.exists():
        raise InvalidInputError(options.source, "no such file or folder")
    return is_media_source(path, options.format)


@contextmanager
def _selecting(console: Console) -> Iterator[Selection]:
    selection = Selection()
    yield selection
    console.rejects(selection.rejects)


def _by_hashes(
    store: StoreReader,
    bank_id: BankId | None,
    options: Namespace,
    selection: Selection,
    console: Console,
) -> None:
    """Every item that lists any of the hashes of the file."""
    read_options = ReadOptions(options.format, options.ignore_unknown, options.hash_type)
    with (
        opened(options.source) as stream,
        console.progress("looking them up", None, "items") as report,
    ):
        try:
            feed = read_file(stream, options.source, Defaults(), read_options)
        except InvalidInputError as error:
            raise InvalidInputError(options.source, str(error)) from None
        for count, read in enumerate(feed, 1):
            if count % _REPORT_EVERY == 0:
                report(count, None)
            selection.add(read, lambda item: items_with_any(store, bank_id, item))


def _by_media(
    store: StoreReader,
    bank_id: BankId | None,
    options: Namespace,
    selection: Selection,
    console: Console,
) -> None:
    """Every item that was loaded from one of the files.

    That is one that lists the same file, the same text or, as a picture, the same PDQ hash.
    Frames do not count: videos that share an introduction are not the same, and a picture
    that a video shows goes on being a part of it.
    """
    from indexer.media import opened_media  # noqa: PLC0415  loads the decoders

    with opened_media(
        options,
        [options.source],
        console,
        Defaults(),
        selection.rejects,
        "looking up",
        reads_vpdq=False,
    ) as feed:
        for read in feed:
            selection.add(read, lambda item: sorted(same_items(store, bank_id, item)))


def items_with_any(store: StoreReader, bank_id: BankId | None, item: Item) -> Iterator[ItemId]:
    """The items that list any of the hashes; some more than once."""
    for hash_ in item.hashes:
        yield from store.find(hash_.type, hash_.value, bank_id)


def same_items(store: StoreReader, bank_id: BankId | None, item: Item) -> Iterator[ItemId]:
    """The items that list the same file, text or picture; some more than once."""
    for hash_ in item.hashes:
        if hash_.type in _OF_FILE:
            yield from store.find(hash_.type, hash_.value, bank_id)
        elif item.media_type is MediaType.IMAGE and hash_.type is HashType.PDQ:
            ids = store.find(hash_.type, hash_.value, bank_id)
            for listed in store.items(ids).values():
                if listed.item.media_type is MediaType.IMAGE:
                    yield listed.item_id


def _by_ids(
    store: StoreReader, bank_id: BankId | None, numbers: list[int], selection: Selection
) -> None:
    asked = [ItemId(number) for number in dict.fromkeys(numbers)]
    found = {
        item_id: None
        for item_id, listed in store.items(asked).items()
        if bank_id is None or listed.bank_id == bank_id
    }
    selection.asked, selection.not_listed = len(asked), len(asked) - len(found)
    selection.item_ids.update(found)


def _by_labels(
    store: StoreReader, bank_id: BankId | None, options: Namespace, selection: Selection
) -> None:
    def fits(labels: Labels) -> bool:
        return options.reference in (None, labels.reference) and options.list_source in (
            None,
            labels.source,
        )

    for listed in store.iter_items(bank_id):
        if fits(listed.labels):
            selection.item_ids[listed.item_id] = None
    selection.asked = len(selection.item_ids)


def _tell(
    console: Console,
    options: Namespace,
    selection: Selection,
    going: Sequence[Mapping[str, object]],
    result: RemoveResult,
    elapsed_ms: int,
) -> ExitCode:
    rejected = selection.rejects.total
    items, entries = result.removed_items, result.removed_entries
    sequence = result.checkpoint.sequence
    title = "withdrawn" if items else "nothing withdrawn"
    console.summary(
        "dry run, nothing changed" if options.dry_run else title,
        {
            "dry_run": options.dry_run,
            "asked": selection.asked,
            "removed_items": items,
            "items": going,
            "removed_hashes": entries,
            "not_listed": selection.not_listed,
            "rejected": rejected,
            "elapsed_ms": elapsed_ms,
            "sequence": sequence,
        },
        {
            "asked for": f"{selection.asked:,}",
            "items that would go" if options.dry_run else "items taken out": f"{items:,}",
            "their hashes": f"{entries:,}",
            "not listed": f"{selection.not_listed:,}",
            "rejected": f"{rejected:,}",
            "time": took(elapsed_ms),
            "checkpoint": f"{sequence:,}",
        },
        bad=bool(rejected or selection.not_listed),
    )
    return ExitCode.REJECTS if rejected else ExitCode.DONE
