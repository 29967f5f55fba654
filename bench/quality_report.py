"""A run of `python -m bench quality` as a Markdown table, and its means."""

from collections.abc import Mapping, Sequence
from typing import Final

from bench.run_file import Row

NEAR: Final = " or near"  # ends the name of a configuration that counts those too


def names_of(rows: Sequence[Row]) -> list[str]:
    """The configurations, in the order they were measured in."""
    return list(rows[0]["recall_percent"])


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Mean recall over the edits that count, in percent, by configuration."""
    counted = [row["recall_percent"] for row in rows if row["in_mean"]]
    return {name: sum(row[name] for row in counted) / len(counted) for name in names_of(rows)}


def false_pairs(rows: Sequence[Row]) -> dict[str, int]:
    """Pairs of a copy and an item it is no copy of, by configuration."""
    return {name: sum(row["false_pairs"][name] for row in rows) for name in names_of(rows)}


def table(rows: list[Row]) -> str:
    """One line for each edit; in brackets, what is found when near counts too."""
    heads = [name for name in names_of(rows) if not name.endswith(NEAR)]
    lines = [["recall, % of copies", *heads], ["---", *["---:"] * len(heads)]]
    for group in dict.fromkeys(row["group"] for row in rows):
        lines.append([f"**{group}**", *[""] * len(heads)])
        lines += [
            [row["edit"], *_cells(row["recall_percent"], heads, "{:.0f}")]
            for row in rows
            if row["group"] == group
        ]
    count = sum(row["in_mean"] for row in rows)
    lines.append([f"**mean of {count} edits**", *_cells(means(rows), heads, "{:.1f}")])
    lines.append(["**false pairs**", *_cells(false_pairs(rows), heads, "{:,}")])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(values: Mapping[str, float], heads: Sequence[str], form: str) -> list[str]:
    cells = []
    for name in heads:
        cell = form.format(values[name])
        if name + NEAR in values:
            cell += f" ({form.format(values[name + NEAR])})"
        cells.append(cell)
    return cells
