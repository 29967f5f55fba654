"""How long after a commit the server answers by it, end to end over gRPC.

A change is committed and from that moment `Check` is called without pause until the verdict
is the new one. The moments of the commits are spread over the server's polling.
"""

import random
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import workload
from bench.run_file import Row, Run, percentiles
from bench.running import running_server
from engine.clock import SystemClock
from engine.entries import ItemId, NewItem
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from engine.lmdb_store import LmdbWriter, create_store
from engine.policy import BankPolicy
from firstseen import Client, Plaintext, Verdict
from firstseen import Hash as SentHash
from firstseen import HashType as SentType
from firstseen import HashValue as SentValue
from firstseen import Item as SentItem
from firstseen import MediaType as SentMedia

LIMIT_S = 60.0
_PHASE_S = 0.1  # longer than the server's polling interval


def new_items(values: workload.Values) -> list[NewItem]:
    """Pictures to list, one for each value."""
    return [
        NewItem(Item(MediaType.IMAGE, (Hash(HashType.PDQ, HashValue(value.tobytes()), 100),)))
        for value in values
    ]


def sent_item(value: workload.Values) -> SentItem:
    """A picture as the app sends it."""
    return SentItem(SentMedia.IMAGE, (SentHash(SentType.PDQ, SentValue(value.tobytes()), 100),))


def make_store(path: Path, values: workload.Values) -> None:
    """A store with one bank that lists `values`."""
    create_store(path)
    with LmdbWriter(path, SystemClock()) as writer:
        bank = writer.put_bank("REMOVED", BankPolicy())
        for start in range(0, len(values), 10_000):
            writer.load(bank.bank_id, new_items(values[start : start + 10_000]))


def run(entry_count: int, changes: int, seed: int) -> Run:
    """Lists and withdraws one picture at a time.

    Args:
        entry_count: hashes listed beforehand.
        changes: how many loads, and as many withdrawals.
        seed: of the hashes and of the moments.

    Raises:
        TimeoutError: a change was not served within a minute.
    """
    values = workload.hashes(entry_count + changes, seed)
    chance = random.Random(seed)  # noqa: S311
    waits_ms: dict[Verdict, list[float]] = {Verdict.KNOWN: [], Verdict.NOVEL: []}
    with tempfile.TemporaryDirectory(prefix="firstseen-freshness-") as name:
        store = Path(name) / "store"
        make_store(store, values[:entry_count])
        with (
            running_server(store) as server,
            Client(server.match, Plaintext()) as client,
            LmdbWriter(store, SystemClock()) as writer,
        ):
            bank_id = writer.banks()[0].bank_id
            for value in values[entry_count:]:
                item = sent_item(value)
                time.sleep(chance.random() * _PHASE_S)
                writer.load(bank_id, new_items(value[np.newaxis]))
                waits_ms[Verdict.KNOWN].append(_wait_ms(client, item, Verdict.KNOWN))
                (item_id,) = writer.find(HashType.PDQ, HashValue(value.tobytes()))
                time.sleep(chance.random() * _PHASE_S)
                writer.withdraw([ItemId(item_id)])
                waits_ms[Verdict.NOVEL].append(_wait_ms(client, item, Verdict.NOVEL))
    names = {Verdict.KNOWN: "load to KNOWN", Verdict.NOVEL: "withdraw to NOVEL"}
    rows: list[Row] = [
        {"what": names[verdict], **percentiles(np.array(found), "ms")}
        for verdict, found in waits_ms.items()
    ]
    settings = {"entry_count": entry_count, "changes": changes, "seed": seed}
    return Run("freshness", settings, rows)


def _wait_ms(client: Client, item: SentItem, verdict: Verdict) -> float:
    start_s = time.perf_counter()
    while client.check(item).verdict is not verdict:
        if time.perf_counter() - start_s > LIMIT_S:
            raise TimeoutError(f"not {verdict.name} within {LIMIT_S:.0f} s")
    return (time.perf_counter() - start_s) * 1000
