"""A run of `python -m bench quality` as a heat map: edits down, ways of finding copies across."""

from itertools import groupby
from typing import Any, Final

import numpy as np
from matplotlib import pyplot as plt

from bench.quality_report import NEAR, false_pairs, means, names_of
from bench.run_file import Run

# Evenly bright steps, told apart without colours too (Nuñez, Anderton and Renslow 2018).
_COLOURS: Final = "cividis"
_LINE_INCH: Final = 0.19
_COLUMN_INCH: Final = 0.85
_PALE_PERCENT: Final = 55  # above it a cell is bright enough for dark figures


def heat_map(run: Run) -> Any:  # noqa: ANN401
    """Recall of every edit in every configuration, with the mean and the false pairs below.

    Args:
        run: of a kind that begins with `quality`.
    """
    names, mean, false = names_of(run.rows), means(run.rows), false_pairs(run.rows)
    lines: list[tuple[str, list[float]] | None] = []  # None is a gap
    labels: list[tuple[float, str]] = []
    for group, rows in groupby(run.rows, key=lambda row: row["group"]):
        start = len(lines)
        lines += [(row["edit"], [row["recall_percent"][name] for name in names]) for row in rows]
        labels.append(((start + len(lines) - 1) / 2, group))
        lines.append(None)
    count = sum(row["in_mean"] for row in run.rows)
    lines.append((f"mean of {count}", [mean[name] for name in names]))
    figure, axes = plt.subplots(
        figsize=(4.6 + _COLUMN_INCH * len(names), 1.8 + _LINE_INCH * len(lines))
    )
    gap = [np.nan] * len(names)
    values = np.array([gap if line is None else line[1] for line in lines])
    axes.imshow(values, cmap=_COLOURS, vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = "black" if value > _PALE_PERCENT else "white"
            is_mean = row == len(lines) - 1
            _write(axes, (column, row), f"{value:.0f}", colour, bold=is_mean)
    _label(axes, lines, names, labels)
    for column, name in enumerate(names):
        _write(axes, (column, len(lines)), f"{false[name]:,}", "0.2")
    axes.set_ylim(len(lines) + 0.5, -0.5)
    what = run.kind.removeprefix("quality ")
    title = f"Copies found, %: {run.settings['originals']} {what}, {len(run.rows)} edits of each"
    axes.set_title(title, loc="left", fontsize=11, pad=44)
    return figure


def _write(
    axes: Any,  # noqa: ANN401
    place: tuple[float, float],
    text: str,
    colour: str,
    *,
    bold: bool = False,
) -> None:
    weight = "bold" if bold else "normal"
    axes.text(*place, text, ha="center", va="center", fontsize=8, color=colour, fontweight=weight)


def _label(
    axes: Any,  # noqa: ANN401
    lines: list[tuple[str, list[float]] | None],
    names: list[str],
    groups: list[tuple[float, str]],
) -> None:
    places = [place for place, line in enumerate(lines) if line is not None]
    edits = [line[0] for line in lines if line is not None]
    axes.set_yticks([*places, len(lines)], [*edits, "false pairs"], fontsize=8)
    heads = [name.replace(NEAR, "\nor near").replace(" (", "\n(") for name in names]
    axes.set_xticks(range(len(names)), heads, fontsize=8.5)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.grid(visible=False)
    axes.grid(visible=True, which="minor", axis="x", color="white", linewidth=2)
    axes.tick_params(which="minor", top=False, bottom=False)
    for place, name in groups:
        axes.text(len(names) - 0.4, place, name, va="center", fontsize=8, color="0.35")
