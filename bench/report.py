"""Run files as Markdown tables, for a terminal and for the documents."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from bench import quality_report
from bench.peers import FLAT, MULTI_HASH, OURS
from bench.run_file import RUNS, Row, Run

_PLACE: Final = re.compile(r"(<!-- run: ([\w.-]+) -->).*?(<!-- end -->)", re.DOTALL)
# Measured elsewhere, on 200,000 hashes (Meta's Hasher-Matcher-Actioner, its own container).
HMA: Final = {"add_s": 71.0, "delete_s": 67.0, "hashes_per_s": 250.0}


def table(run: Run) -> str:
    """The tables of a run, with a line that says what was run, and on what."""
    settings = ", ".join(_setting(*setting) for setting in run.settings.items())
    machine = f"{run.machine['cpu']}, {run.machine['cores']} cores"
    return f"`{run.command}` ({settings}; {machine})\n\n{_TABLES[run.kind](run.rows)}\n"


def filled(text: str) -> str:
    """A document with the table of each run file that it names between two comments.

    `<!-- run: load.json -->` begins such a place and `<!-- end -->` ends it; the table of
    `<!-- run: all -->` has a line or two of each. A run that is not there is named as such.
    """

    def place(found: re.Match[str]) -> str:
        if found[2] == "all":
            made = _summary()
        elif (RUNS / found[2]).exists():
            made = table(Run.read(RUNS / found[2]))
        else:
            made = f"*There is no run `{found[2]}` yet.*\n"
        return f"{found[1]}\n\n{made}\n{found[3]}"

    return _PLACE.sub(place, text)


def _summary() -> str:
    """What was measured, in five lines, beside what people use today."""
    index = Run.read(RUNS / "index.json").rows
    kind = "real" if any(row["kind"] == "real" for row in index) else "balanced"
    million = {
        row["index"]: f"{row['single']['p50_us']:,.0f} µs"
        for row in index
        if (row["size"], row["kind"]) == (1_000_000, kind) and "single" in row
    }
    ours, flat, multi = (million[name] for name in (OURS, FLAT, MULTI_HASH))
    checks = [row for row in Run.read(RUNS / "server.json").rows if "check" in row]
    fresh = {row["what"]: row for row in Run.read(RUNS / "freshness.json").rows}
    load = max(Run.read(RUNS / "load.json").rows, key=lambda row: (row["lines"], row["what"]))
    lines = [
        ["search of 1,000,000 hashes, p50", ours, f"FAISS: scan {flat}, MultiHash {multi}"],
        [
            "`Check` of one PDQ, of a photograph by the SDK, p50",
            f"{checks[0]['p50_ratio']:.2f} and {checks[2]['p50_ratio']:.2f} empty calls",
            "HMA: 5 ms",
        ],
        ["from a load to KNOWN, p99", f"{fresh['load to KNOWN']['p99_ms']:.0f} ms", "HMA: 71 s"],
        [
            "from a withdrawal to NOVEL, p99",
            f"{fresh['withdraw to NOVEL']['p99_ms']:.0f} ms",
            "HMA: 67 s",
        ],
        ["loading a CSV, durably", f"{load['hashes_per_s']:,.0f} hashes/s", "HMA: 250/s"],
    ]
    return _markdown(["", "Firstseen", "what people use today"], lines) + "\n"


def _setting(key: str, value: Any) -> str:  # noqa: ANN401
    # A seed is a name and no quantity: it is written as it is typed.
    return f"{key} {value if key == 'seed' else _plain(value)}"


def _plain(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return " and ".join(map(_plain, value))
    return str(value)


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table; every column but the first is a number."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *lines])


def _items(rows: list[Row]) -> str:
    lines = [
        [
            row["what"],
            f"{row['size']:,}",
            f"{row['hashes']:,}",
            f"{row['p50_ms']:.2f} ms",
            f"{row['p99_ms']:.2f} ms",
            f"{row['p50_ms'] / row['hashes'] * 1000:,.0f} µs",
        ]
        for row in rows
    ]
    head = ["judging a", "list", "its hashes", "p50", "p99", "p50 a hash"]
    return _markdown(head, lines)


def _load(rows: list[Row]) -> str:
    lines = [
        [
            f"{row['lines']:,} lines, {row['what']}",
            f"{row['hashes_per_s']:,.0f}",
            f"{row['elapsed_s']:.1f} s",
            f"{row['memory_mib']:.0f} MiB",
            f"{row['hashes_per_s'] / HMA['hashes_per_s']:,.0f} ×",
        ]
        for row in rows
    ]
    return _markdown(["CSV", "hashes/s", "took", "memory", "HMA's 250/s"], lines)


def _freshness(rows: list[Row]) -> str:
    peers = {"load to KNOWN": HMA["add_s"], "withdraw to NOVEL": HMA["delete_s"]}
    lines = [
        [
            row["what"],
            f"{row['p50_ms']:.0f} ms",
            f"{row['p99_ms']:.0f} ms",
            f"{row['max_ms']:.0f} ms",
            f"{row['count']:,}",
            f"{peers[row['what']]:.0f} s",
        ]
        for row in rows
        if "p50_ms" in row
    ]
    made = _markdown(["from commit to answer", "p50", "p99", "max", "changes", "HMA"], lines)
    checks = [row for row in rows if "p50_us" in row]
    others = [
        [
            row["what"],
            *(f"{row[f'{p}_us']:,.0f} µs" for p in ("p50", "p99")),
            *(f"{row[f'{p}_us'] / checks[0][f'{p}_us']:.2f} ×" for p in ("p50", "p99")),
        ]
        for row in checks
    ]
    head = ["others' checks", "p50", "p99", "against quiet p50", "p99"]
    return "\n\n".join([made, *([_markdown(head, others)] if others else [])])


def _server(rows: list[Row]) -> str:
    latencies = [
        [row["what"], *_check_cells(row)]
        for row in rows
        if "check" in row and "rate_per_s" not in row
    ]
    rates = [
        [
            row["what"],
            f"{row['items_per_s']:,.0f}",
            f"{row['empty_per_s']:,.0f}",
            f"{row['rate_ratio']:.2f} ×",
            *_loaded_cells(row),
        ]
        for row in rows
        if "items_per_s" in row
    ]
    fixed = [
        [f"{row['rate_per_s']:,.0f}/s", *_check_cells(row), _errors(row["check"])]
        for row in rows
        if "rate_per_s" in row
    ]
    columns = ["p50", "p99", "empty call p50", "p99", "ratio p50", "p99"]
    rate_head = ["items a second", "ours", "empty calls", "ratio"]
    rate_head += ["p50", "empty call p50", "hashes a second", "and core of the server"]
    tables = [
        _markdown(["`Check` of", *columns], latencies),
        _markdown(*_without_empty(rate_head, rates)),
    ]
    if fixed:
        tables.append(_markdown([f"{rows[0]['what']}, arriving at", *columns, "failed"], fixed))
    return "\n\n".join(tables)


def _check_cells(row: Row) -> list[str]:
    return [
        *(f"{row['check'][f'{p}_us']:,.0f} µs" for p in ("p50", "p99")),
        *(f"{row['empty'][f'{p}_us']:,.0f} µs" for p in ("p50", "p99")),
        f"**{row['p50_ratio']:.2f} ×**",
        f"{row['p99_ratio']:.2f} ×",
    ]


def _loaded_cells(row: Row) -> list[str]:
    """What newer runs know of a throughput: waits, and hashes by the server's processor time."""
    if "loaded" not in row:
        return [""] * 4
    return [
        f"{row['loaded']['p50_us']:,.0f} µs",
        f"{row['loaded_empty']['p50_us']:,.0f} µs",
        _number(row["hashes_per_s"]),
        _number(row["loaded"].get("hashes_per_core_s")),
    ]


def _errors(load: Row) -> str:
    return f"{sum(load['errors'].values()):,}"


def _index(rows: list[Row]) -> str:
    lines = [
        [f"{row['size']:,} {row['kind']}", row["index"], *_index_cells(row)]
        for row in rows
        if "missing" not in row
    ]
    head = ["list", "index", "p50", "p99", "in batches of 64", "1 thread", "2 threads", "build"]
    head += ["bytes a hash", "recall", "against FAISS' best"]
    made = _markdown(*_without_empty(head, lines))
    missing = [
        f"- {row['size']:,} {row['kind']}, {row['index']}: {row['missing']}"
        for row in rows
        if "missing" in row
    ]
    return "\n\n".join([made, *(["Not measured:", "\n".join(missing)] if missing else [])])


def _index_cells(row: Row) -> list[str]:
    return [
        f"{row['single']['p50_us']:,.1f} µs",
        f"{row['single']['p99_us']:,.1f} µs",
        f"{row['batch_us']:,.1f} µs",
        *(_number(row.get(f"per_s_{threads}"), "/s") for threads in (1, 2)),
        f"{row['build_s']:.1f} s",
        _number(row.get("bytes_per_hash")),
        f"{row['recall']:.1%}" if "recall" in row else "",
        f"**{row['speedup']:.1f} ×**",
    ]


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:,.0f}{unit}"


def _without_empty(
    head: Sequence[str], lines: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """A table without the columns in which no line says anything: older runs have fewer."""
    kept = [n for n in range(len(head)) if any(line[n] for line in lines)]
    return [head[n] for n in kept], [[line[n] for n in kept] for line in lines]


def _kill(rows: list[Row]) -> str:
    lines = [
        [
            row["what"],
            f"{row['calls']:,}",
            *(
                [
                    f"{row['retried']:,} ({row['retried'] / row['calls']:.2%})",
                    f"{row['failed']:,}",
                    f"{row['wrong']:,}",
                    *(f"{row['latency'][f'{p}_ms']:,.1f} ms" for p in ("p50", "p99", "max")),
                ]
                if row["calls"]
                else [""] * 6
            ),
        ]
        for row in rows
    ]
    head = ["", "calls", "tried again", "failed", "wrong", "p50", "p99", "max"]
    return _markdown(head, lines)


_TABLES: Final[dict[str, Callable[[list[Row]], str]]] = {
    "load": _load,
    "items": _items,
    "freshness": _freshness,
    "kill": _kill,
    "server": _server,
    "index": _index,
    "quality images": quality_report.table,
    "quality videos": quality_report.table,
    "quality documents": quality_report.table,
    "quality pages": quality_report.table,
}
