"""How many edited copies are found, and what is found that is none.

Each file of some folders is listed in a bank, in every profile, beside unrelated files and hashes.
Each is edited in every way of `bench/image_edits.py`, `bench/video_edits.py`,
`bench/document_edits.py` or `bench/page_edits.py`; the copy is hashed as a reporter's device would
hash it, and as the tools that others use would. Then each rule of `bench/quality_match.py` says
what the copy is a copy of.
"""

import multiprocessing
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from bench import quality_peer, workload
from bench.image_edits import NOT_IN_MEAN
from bench.peers import PeerError
from bench.quality_hashing import EDITS, HASHERS
from bench.quality_match import EngineRule, Rule
from bench.quality_media import (
    OURS,
    PLAIN,
    PROFILES,
    THREATEXCHANGE,
    Copy,
    Original,
    Task,
    files_of,
    sources,
)
from bench.quality_peer_match import PlainRule, TlshRule, VideohashRule, VpdqRule
from bench.quality_report import NEAR
from bench.run_file import Row, Run
from bench.running import ROOT
from firstseen.items import Hash, HashType, HashValue, Item, MediaType
from indexer.feeds.worker_environment import one_thread

KINDS: Final = tuple(HASHERS)
PHOTOS: Final = ROOT / "tests" / "data" / "photos"  # ships with the project

_UNRELATED: Final = {
    "images": (MediaType.IMAGE, HashType.PDQ),
    "videos": (MediaType.VIDEO, HashType.PDQ),
    "documents": (MediaType.DOCUMENT, HashType.MINHASH),
    "pages": (MediaType.DOCUMENT, HashType.PAGE_PDQ),
}
# Why python-threatexchange is not measured.
_NO_PEER: Final = {"videos": "has no wheel of vPDQ", "pages": "does not compare pages"}


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure.

    Attributes:
        folders: the corpus.
        distractors: a folder of unrelated files that are listed too.
        unrelated: how many seeded hashes are listed too, each an item.
        profiles: of the bank.
        limit: no more originals than these.
        jobs: processes that hash.
        seed: of edits and hashes.
        with_peer: compare python-threatexchange too.
        same: patterns of file names; files that match one show the same.
        edits: names of those to make; all by default.
    """

    folders: tuple[Path, ...]
    distractors: Path | None = None
    unrelated: int = 10_000
    profiles: tuple[str, ...] = PROFILES
    limit: int | None = None
    jobs: int = os.cpu_count() or 1
    seed: int = 20_26
    with_peer: bool = True
    same: tuple[str, ...] = ()
    edits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way of finding copies, over the bank.

    Attributes:
        name: unique.
        hasher: who hashes what is asked: `OURS`, `PLAIN`, `THREATEXCHANGE`.
        rule: what decides.
        has_near: what is near is counted too, under a name of its own.
    """

    name: str
    hasher: str
    rule: Rule
    has_near: bool


def run(kind: str, options: Options) -> Run:
    """Measures one kind of media.

    Args:
        kind: of `KINDS`.
        options: what to measure.

    Raises:
        ValueError: a folder holds none of that kind, or there is no such edit.
    """
    edits = [edit.name for edit in EDITS[kind]]
    if unknown := options.edits.difference(edits):
        told = f"no such edit: {', '.join(sorted(unknown))}; there are: {', '.join(edits)}"
        raise ValueError(told)
    options = replace(options, edits=options.edits or frozenset(edits))
    peer = _peer(kind) if options.with_peer else "left out"
    options = replace(options, with_peer=peer == "measured")
    originals = _hashed(kind, options)
    listed = originals + _distractors(kind, options)
    found = _found(kind, options, originals, listed)
    settings = {
        "corpus": " + ".join(folder.resolve().name for folder in options.folders),
        "originals": len(originals),
        "distractors": len(listed) - len(originals) - options.unrelated,
        "unrelated hashes": options.unrelated,
        "seed": options.seed,
        "python-threatexchange": peer,
    }
    return Run(f"quality {kind}", settings, _rows(kind, options.edits, found, len(originals)))


def _peer(kind: str) -> str:
    """Whether python-threatexchange can be measured; a reason when it cannot."""
    if kind not in quality_peer.PEERS:
        return _NO_PEER[kind]
    try:
        quality_peer.prepare(kind)
    except PeerError as error:
        return f"not measured: {error}"
    return "measured"


def _hashed(kind: str, options: Options) -> list[Original]:
    """The originals with their copies; files that are of no use are named and left out."""
    files = sources(kind, options.folders, options.limit)
    return _in_processes(kind, options, files)


def _distractors(kind: str, options: Options) -> list[Original]:
    found = []
    if options.distractors is not None:
        files = [(path,) for path in files_of(kind, options.distractors)]
        found = _in_processes(kind, replace(options, edits=frozenset()), files)
    media_type, hash_type = _UNRELATED[kind]
    quality = 100 if hash_type is HashType.PDQ else None
    at_ms = 0 if media_type is MediaType.VIDEO else None
    for value in workload.hashes(options.unrelated, options.seed):
        made = Hash(hash_type, HashValue(value.tobytes()), quality, at_ms)
        names = (*options.profiles, PLAIN, THREATEXCHANGE)
        found.append(Original("", dict.fromkeys(names, Item(media_type, (made,)))))
    return found


def _in_processes(kind: str, options: Options, files: Sequence[tuple[Path, ...]]) -> list[Original]:
    tasks = [
        Task(number, paths, options.profiles, options.seed, options.edits, options.with_peer)
        for number, paths in enumerate(files)
    ]
    console = Console(stderr=True)
    found = []
    # Started anew and not forked: FAISS and FFmpeg have threads.
    context = multiprocessing.get_context("spawn")
    with one_thread(), _ending(ProcessPoolExecutor(options.jobs, mp_context=context)) as pool:
        # A process is started as tasks come in, and takes over that Ctrl-C does not reach it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            results = pool.map(HASHERS[kind], tasks)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        title = f"hashing {kind}" if options.edits else f"hashing unrelated {kind}"
        for task, original in zip(
            tasks,
            track(results, title, len(tasks), console=console, disable=not console.is_terminal),
            strict=True,
        ):
            if original is None:
                text = f"left out, unreadable or too short: {task.paths[0].name}"
                console.print(text, style="yellow", markup=False)
            else:
                found.append(original)
    return found


@contextmanager
def _ending(pool: ProcessPoolExecutor) -> Iterator[ProcessPoolExecutor]:
    """Ends the processes at once when Ctrl-C ends the block, whatever they are at."""
    try:
        yield pool
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def configurations(
    kind: str, profiles: Sequence[str], listed: Sequence[Original]
) -> list[Configuration]:
    """Everything that is compared, over one bank.

    Args:
        kind: of `KINDS`.
        profiles: those that every one of `listed` has.
        listed: the bank.
    """
    banks = {name: [original.items[name] for original in listed] for name in listed[0].items}
    first = banks[profiles[0]]
    found: list[Configuration] = []

    def add(name: str, hasher: str, rule: Rule, *, has_near: bool = False) -> None:
        found.append(Configuration(name, hasher, rule, has_near))

    if kind == "images":
        add("PDQ", PLAIN, PlainRule(banks[PLAIN]))
        if THREATEXCHANGE in banks:
            add("PDQ (threatexchange)", THREATEXCHANGE, PlainRule(banks[THREATEXCHANGE]))
    elif kind == "videos":
        add("vPDQ rule", PLAIN, VpdqRule(banks[PLAIN]))
        add("videohash", OURS, VideohashRule(first))
    elif kind == "pages":
        add("PDQ of the picture", OURS, PlainRule(first))
        add("page PDQ", OURS, EngineRule(first, {HashType.PAGE_PDQ}))
        add("Firstseen", OURS, EngineRule(first), has_near=True)
        return found
    else:
        if THREATEXCHANGE in banks:
            add("TLSH (threatexchange)", THREATEXCHANGE, TlshRule(banks[THREATEXCHANGE]))
        add("SimHash", OURS, EngineRule(first, {HashType.SIMHASH}))
        add("chunks", OURS, EngineRule(first, {HashType.MINHASH}), has_near=True)
        add("Firstseen", OURS, EngineRule(first), has_near=True)
        return found
    for profile in profiles:
        add(profile, OURS, EngineRule(banks[profile]), has_near=True)
    return found


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one configuration says of one copy.

    Attributes:
        edit: of the copy.
        configuration: its name, of `Configuration`, with `NEAR` when that counts.
        is_found: the original is among what it found.
        false: what else it found that is not in the copy.
    """

    edit: str
    configuration: str
    is_found: bool
    false: frozenset[int]


def _found(
    kind: str, options: Options, originals: Sequence[Original], listed: Sequence[Original]
) -> list[_Finding]:
    made = configurations(kind, options.profiles, listed)
    findings = []
    console = Console(stderr=True)
    pairs = [(n, copy) for n, original in enumerate(originals) for copy in original.copies]
    numbers = {original.name: number for number, original in enumerate(originals)}
    alike = _alike(originals, options.same)
    for number, copy in track(pairs, "matching", console=console, disable=not console.is_terminal):
        true = alike[number] | alike[numbers.get(copy.holds, number)]
        findings += [found for one in made for found in _findings(one, number, copy, true)]
    _name_false(findings, listed, console)
    return findings


def _alike(originals: Sequence[Original], patterns: Sequence[str]) -> list[frozenset[int]]:
    """The numbers of the originals that show what each shows, its own among them."""
    names = [Path(original.name).name for original in originals]
    groups = [
        frozenset(number for number, name in enumerate(names) if fnmatchcase(name, pattern))
        for pattern in patterns
    ]
    return [
        frozenset({number}).union(*(group for group in groups if number in group))
        for number in range(len(names))
    ]


def _findings(
    one: Configuration, number: int, copy: Copy, true: frozenset[int]
) -> Iterator[_Finding]:
    said = one.rule.find(copy.items[one.hasher])
    yield _Finding(copy.edit, one.name, number in said.match, said.match - true)
    if one.has_near:
        both = said.match | said.near
        yield _Finding(copy.edit, one.name + NEAR, number in both, both - true)


def _name_false(findings: Sequence[_Finding], listed: Sequence[Original], console: Console) -> None:
    """Says which false pairs there are, so that a person can look at them."""
    pairs = Counter(
        (finding.configuration, finding.edit, Path(listed[other].name).name)
        for finding in findings
        for other in finding.false
    )
    for (configuration, edit, other), count in pairs.most_common(20):
        text = f"false pair: {configuration}, {edit}: {other} ({count})"
        console.print(text, style="yellow", markup=False)


def _rows(kind: str, edits: frozenset[str], findings: Sequence[_Finding], copies: int) -> list[Row]:
    """One row for each edit: recall in percent and false pairs by configuration."""
    by_edit: dict[str, list[_Finding]] = defaultdict(list)
    for finding in findings:
        by_edit[finding.edit].append(finding)
    rows = []
    for edit in EDITS[kind]:
        if edit.name not in edits:
            continue
        hits: Counter[str] = Counter()
        false: Counter[str] = Counter()
        for finding in by_edit[edit.name]:
            hits[finding.configuration] += finding.is_found
            false[finding.configuration] += len(finding.false)
        rows.append(
            {
                "edit": edit.name,
                "group": edit.group,
                "copies": copies,
                "in_mean": edit.name not in NOT_IN_MEAN,
                "recall_percent": {name: 100 * count / copies for name, count in hits.items()},
                "false_pairs": dict(false),
            }
        )
    return rows
