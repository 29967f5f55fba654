"""`verify`: recomputes the store and says what is wrong with it."""

from argparse import Namespace

from engine.lmdb_store import LmdbReader
from engine.store_check import check_store
from indexer.console import Console, counted, took
from indexer.exit_codes import ExitCode

MAX_SHOWN = 100


def run_verify(options: Namespace, console: Console) -> ExitCode:
    """Checks log, items, reverse map and digest, beside whoever is writing."""
    started_ms = console.clock.monotonic_ms()
    count = 0
    findings: list[str] = []
    with LmdbReader(options.store) as store:
        head = store.head()
        with console.progress("verifying", head.entry_count, "hashes") as report:
            for finding in check_store(store, lambda done, _total: report(done, done)):
                count += 1
                if len(findings) < MAX_SHOWN:
                    findings.append(finding)
    elapsed_ms = console.clock.monotonic_ms() - started_ms
    for finding in findings:
        console.say(finding)
    if count > len(findings):
        console.say(f"and {count - len(findings):,} more")
    console.summary(
        f"damaged: {counted(count, 'finding', 'findings')}; restore a backup" if count else "clean",
        {
            "clean": count == 0,
            "finding_count": count,
            "findings": findings,
            "entry_count": head.entry_count,
            "sequence": head.sequence,
            "digest": head.digest_bytes().hex(),
            "elapsed_ms": elapsed_ms,
        },
        {
            "hashes": f"{head.entry_count:,}",
            "checkpoint": f"{head.sequence:,}",
            "digest": f"{head.digest_bytes()[:8].hex()}…",
            "time": took(elapsed_ms),
        },
        bad=count > 0,
    )
    return ExitCode.STORE_DAMAGED if count else ExitCode.DONE
