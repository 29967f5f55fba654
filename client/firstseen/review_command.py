"""`firstseen explain` and `firstseen prioritise`: what the unit's own service says of files.

What it sends and what comes back is the business of `review`; here are words and order.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from firstseen.asking import ATTENTION
from firstseen.errors import InvalidItemError, MediaError
from firstseen.hashing.file import FileOptions, hash_items
from firstseen.items import Item
from firstseen.progress import STYLES, Bars, printable
from firstseen.review import Explanation, Match, Priority, ReviewClient, Strength

# What one call takes: a hash is 40 bytes on the way, and a message has 512 KiB.
_MAX_ITEMS: Final = 100
_MAX_HASHES: Final = 8_000

Failed = tuple[Path, MediaError | OSError | InvalidItemError]
"""A file of which nothing can be said, and why."""


def run_explain(options: Namespace, client: ReviewClient) -> Iterator[Failed]:
    """Writes what each file matches to stdout; gives the files of which that cannot be said."""
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    with Bars(len(options.files)) as bars:
        for path in bars.each(options.files):
            try:
                items = _hashed(path, options, bars)
                found = [(item, client.explain(item, options.max_matches)) for item in items]
            except (MediaError, OSError, InvalidItemError) as error:
                with bars.aside():
                    yield path, error
                continue
            with bars.aside():
                for item, explanation in found:
                    if options.json:
                        sys.stdout.write(json.dumps(_as_json(path, item, explanation)) + "\n")
                    else:
                        _tell(console, path, item, explanation)
                sys.stdout.flush()


def run_prioritise(options: Namespace, client: ReviewClient) -> Iterator[Failed]:
    """Writes the files to stdout, first what wants looking at first; gives those left out."""
    items: list[tuple[Path, Item]] = []
    with Bars(len(options.files)) as bars:
        for path in bars.each(options.files):
            try:
                items += [(path, item) for item in _hashed(path, options, bars)]
            except (MediaError, OSError) as error:
                with bars.aside():
                    yield path, error
    ranked = [
        (part[priority.index][0], priority)
        for part in _parts(items)
        for priority in client.prioritise([item for _, item in part])
    ]
    ranked.sort(key=lambda entry: _key(entry[1]))
    # Of a Motion Photo, picture or clip: the one that comes first decides.
    first = dict(reversed(ranked))
    files = sorted(first.items(), key=lambda entry: _key(entry[1]))
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    for rank, (path, priority) in enumerate(files, 1):
        if options.json:
            sys.stdout.write(json.dumps({"rank": rank, **_priority_json(path, priority)}) + "\n")
            continue
        line = Text(f"{rank:>4}  ", "dim")
        line.append(f"{priority.verdict.name:<11}", STYLES[priority.verdict])
        line.append(f"  {_about(priority):<16}  {printable(path)}", "none")
        console.print(line)
    sys.stdout.flush()


def _hashed(path: Path, options: Namespace, bars: Bars) -> tuple[Item, ...]:
    files = FileOptions(
        dihedral=not options.no_dihedral, exact_when_undecodable=options.exact_when_undecodable
    )
    return hash_items(path, files, partial(bars.video, path))


def _parts(items: Sequence[tuple[Path, Item]]) -> Iterator[list[tuple[Path, Item]]]:
    """As many items at a time as one call takes."""
    part: list[tuple[Path, Item]] = []
    hashes = 0
    for path, item in items:
        hashes += len(item.hashes)
        if part and (len(part) == _MAX_ITEMS or hashes > _MAX_HASHES):
            yield part
            part, hashes = [], len(item.hashes)
        part.append((path, item))
    if part:
        yield part


def _key(priority: Priority) -> tuple[int, bool, int]:
    """What the service sorts by, so that answers of several calls fit together."""
    return -ATTENTION.index(priority.verdict), priority.is_near, -priority.severity


def _about(priority: Priority) -> str:
    told = ["near"] if priority.is_near else []
    return ", ".join([*told, *([f"severity {priority.severity}"] if priority.severity else [])])


def _priority_json(path: Path, priority: Priority) -> dict[str, object]:
    return {
        "file": str(path),
        "verdict": priority.verdict.name,
        "is_near": priority.is_near,
        "severity": priority.severity,
    }


def _as_json(path: Path, item: Item, explanation: Explanation) -> dict[str, object]:
    names = [name for name in Match.__slots__ if name not in {"type", "strength"}]
    return {
        "file": str(path),
        "media_type": item.media_type.name.lower(),
        "verdict": explanation.verdict.name,
        "sequence": explanation.checkpoint.sequence,
        "match_count": explanation.match_count,
        "matches": [
            {
                "type": match.type.name.lower(),
                "strength": match.strength.name.lower(),
                **{name: getattr(match, name) for name in names},
            }
            for match in explanation.matches
        ],
    }


def _tell(console: Console, path: Path, item: Item, explanation: Explanation) -> None:
    """The verdict, and a line for each listed item: by its nearest hash, matches first."""
    line = Text(f"{printable(path)}: {item.media_type.name.lower()} ")
    line.append(explanation.verdict.name, STYLES[explanation.verdict])
    console.print(line)
    by_item = sorted(explanation.matches, key=lambda m: (m.item_id, m.strength, m.distance_bits))
    best = [next(group) for _, group in groupby(by_item, key=lambda match: match.item_id)]
    for match in sorted(best, key=lambda m: (m.strength, m.distance_bits, m.item_id)):
        console.print(Text(f"  {_line(match)}"))
    if (more := explanation.match_count - len(explanation.matches)) > 0:
        console.print(f"  and {more:,} more hashes (--max-matches)")
    if not explanation.matches:
        console.print("  nothing listed is near it")


def _line(match: Match) -> str:
    word = "near" if match.strength is Strength.NEAR else "match"
    name = match.type.name.lower()
    how = f"{name} {match.distance_bits} bits apart" if match.distance_bits else f"same {name}"
    told = [f"item {match.item_id} of {match.bank}{' (cleared)' if match.cleared else ''}", how]
    if (match.query_percent, match.listed_percent) != (100, 100):
        told.append(f"{match.query_percent} % of it, {match.listed_percent} % of the listed")
    if match.severity:
        told.append(f"severity {match.severity}")
    said = {name: getattr(match, name) for name in ("category", "source", "reference")}
    told += [f"{name} {printable(text)}" for name, text in said.items() if text]
    return f"{word:<6} {', '.join(told)}"
