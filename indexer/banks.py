"""`banks`: making banks, and changing how they match."""

from argparse import Namespace
from dataclasses import replace
from types import MappingProxyType

from engine.errors import InvalidInputError
from engine.hashes import HashType
from engine.lmdb_store import LmdbReader, LmdbWriter
from engine.policy import Bank, BankPolicy
from engine.store_lock import is_load_under_way
from indexer.console import Console, took
from indexer.exit_codes import ExitCode
from indexer.stores import find_bank, note_more_coming, require_bank, writing


def run_list(options: Namespace, console: Console) -> ExitCode:
    """Lists the banks and their policies."""
    with LmdbReader(options.store) as store:
        banks = store.banks()
    if console.as_json:
        for bank in banks:
            console.put_json(bank_fields(bank))
        return ExitCode.DONE
    if not banks:
        console.say("no bank yet; make one with: banks create NAME")
        return ExitCode.DONE
    columns = ("id#", "name", "role", "enabled", "PDQ distance#", "PDQ quality#", "note")
    console.table(columns, [_row(bank) for bank in banks])
    return ExitCode.DONE


def run_create(options: Namespace, console: Console) -> ExitCode:
    """Makes a bank that is not there yet."""
    with writing(options.store, console) as store:
        if find_bank(store, options.name) is not None:
            raise InvalidInputError(options.name, "there is such a bank; `banks set` changes it")
        return _put(store, options.name, _changed(BankPolicy(), options), options.note, console)


def run_set(options: Namespace, console: Console) -> ExitCode:
    """Changes what the options say of a bank, and nothing else."""
    with writing(options.store, console) as store:
        bank = require_bank(store, options.name)
        note = bank.note if options.note is None else options.note
        return _put(store, bank.name, _changed(bank.policy, options), note, console)


def run_enable(options: Namespace, console: Console) -> ExitCode:
    """Lets a bank match, or not; `options.enabled` says which."""
    with writing(options.store, console) as store:
        bank = require_bank(store, options.name)
        policy = replace(bank.policy, enabled=options.enabled)
        return _put(store, bank.name, policy, bank.note, console)


def run_clear(options: Namespace, console: Console) -> ExitCode:
    """Takes out every item of a bank."""
    if not options.yes:
        raise InvalidInputError("--yes", f"missing: this takes every item out of {options.name}")
    started_ms = console.clock.monotonic_ms()
    with writing(options.store, console) as store:
        # A load that still has something to list cannot end while this writes.
        is_more_coming = is_load_under_way(options.store)
        bank = require_bank(store, options.name)
        with console.progress(f"clearing {bank.name}", None, "items") as report:
            result = store.clear(bank.bank_id, options.reason, lambda done: report(done, None))
    elapsed_ms = console.clock.monotonic_ms() - started_ms
    if is_more_coming:
        note_more_coming(console)
    console.summary(
        f"cleared: bank {bank.name}",
        {
            "bank": bank.name,
            "removed_items": result.removed_items,
            "removed_hashes": result.removed_entries,
            "elapsed_ms": elapsed_ms,
            "sequence": result.checkpoint.sequence,
        },
        {
            "items taken out": f"{result.removed_items:,}",
            "their hashes": f"{result.removed_entries:,}",
            "time": took(elapsed_ms),
            "checkpoint": f"{result.checkpoint.sequence:,}",
        },
        bad=False,
    )
    return ExitCode.DONE


def bank_fields(bank: Bank) -> dict[str, object]:
    """A bank as JSON."""
    return {
        "bank_id": bank.bank_id,
        "name": bank.name,
        "role": bank.policy.role.name.lower(),
        "enabled": bank.policy.enabled,
        "types": {
            hash_type.name.lower(): {
                "max_distance_bits": limits.max_distance_bits,
                "min_quality": limits.min_quality,
            }
            for hash_type, limits in bank.policy.types.items()
        },
        "note": bank.note,
    }


def _row(bank: Bank) -> tuple[str, ...]:
    policy = bank.policy
    pdq = policy.types.get(HashType.PDQ)
    return (
        str(bank.bank_id),
        bank.name,
        policy.role.name.lower(),
        "yes" if policy.enabled else "no",
        str(pdq.max_distance_bits) if pdq else "–",
        str(pdq.min_quality) if pdq else "–",
        bank.note,
    )


def _changed(policy: BankPolicy, options: Namespace) -> BankPolicy:
    if options.role is not None:
        policy = replace(policy, role=options.role)
    changes = {
        "max_distance_bits": options.pdq_max_distance,
        "min_quality": options.pdq_min_quality,
    }
    told = {name: value for name, value in changes.items() if value is not None}
    if not told:
        return policy
    limits = policy.types.get(HashType.PDQ)
    if limits is None:
        raise InvalidInputError(options.name, "the bank lists no PDQ")
    types = {**policy.types, HashType.PDQ: replace(limits, **told)}
    return replace(policy, types=MappingProxyType(types))


def _put(
    store: LmdbWriter, name: str, policy: BankPolicy, note: str | None, console: Console
) -> ExitCode:
    bank = store.put_bank(name, policy, note or "")
    if console.as_json:
        console.put_json({**bank_fields(bank), "sequence": store.head().sequence})
    else:
        enabled = "enabled" if bank.policy.enabled else "disabled"
        console.say(f"bank {bank.name}: {bank.policy.role.name.lower()}, {enabled}")
    return ExitCode.DONE
