"""Run files as pictures for the documents: what a search costs, and how calls are spread."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")  # before pyplot: a machine that measures has no screen

from matplotlib import pyplot as plt

from bench import quality_plot
from bench.run_file import Row, Run

# Told apart by those who do not see colours too (Okabe and Ito), and by their marks.
_STYLES: Final = (("#D55E00", "o"), ("#0072B2", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
_PERCENTILES: Final = ("p50", "p90", "p99", "p99.9")
# The same picture from the same run: no date, no random ids.
_METADATA: Final = {"Date": None, "Creator": None}


def draw(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Draws what there is to draw of some runs.

    Args:
        runs: of any kind; those of `index` go into one picture, of `server` the last.
        folder: where the pictures go.
    """
    mpl.rcParams.update({"svg.hashsalt": "firstseen", "font.size": 11, "svg.fonttype": "none"})
    drawn = []
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for run in runs if run.kind == "index" for row in run.rows]
    if rows:
        drawn.append(_saved(_index(rows), folder / "index.svg"))
    drawn += [
        _saved(quality_plot.heat_map(run), folder / f"{run.file_stem}.svg")
        for run in runs
        if run.kind.startswith("quality ")
    ]
    server = [run.rows for run in runs if run.kind == "server"]
    return drawn + [_saved(_server(rows), folder / "server.svg") for rows in server[-1:]]


def _saved(figure: Any, path: Path) -> Path:  # noqa: ANN401
    figure.savefig(path, metadata=_METADATA, bbox_inches="tight")
    plt.close(figure)
    return path


def _index(rows: list[Row]) -> Any:  # noqa: ANN401
    """Time of one query against length of the list, both in powers of ten."""
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    balanced = [row for row in rows if row["kind"] == "balanced"]
    names = list(dict.fromkeys(row["index"] for row in balanced))
    for name, (colour, mark) in zip(names, _STYLES, strict=False):
        own = sorted((row for row in balanced if row["index"] == name), key=lambda r: r["size"])
        sizes = [row["size"] for row in own]
        middle = [row["single"]["p50_us"] for row in own]
        high = [row["single"]["p99_us"] for row in own]
        axes.plot(sizes, middle, color=colour, marker=mark, label=name)
        axes.fill_between(sizes, middle, high, color=colour, alpha=0.15, linewidth=0)
    axes.set(xscale="log", yscale="log", xlabel="hashes in the list", ylabel="one query, µs")
    axes.set_title("Everything within 31 bits, one thread: p50, shaded up to p99", loc="left")
    axes.grid(visible=True, which="major", color="0.9")
    axes.legend(frameon=False)
    return figure


def _server(rows: list[Row]) -> Any:  # noqa: ANN401
    """Percentiles of each kind of check, and of the empty call."""
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    latencies = [row for row in rows if "check" in row]
    places = range(len(_PERCENTILES))
    for row, (colour, mark) in zip(latencies, _STYLES, strict=False):
        values = [row["check"][f"{p}_us"] / 1000 for p in _PERCENTILES]
        axes.plot(places, values, color=colour, marker=mark, label=row["what"])
    empty = [latencies[0]["empty"][f"{p}_us"] / 1000 for p in _PERCENTILES]
    axes.plot(places, empty, color="0.4", linestyle="--", marker=".", label="empty call")
    axes.set_xticks(places, _PERCENTILES)
    axes.set(ylabel="ms", ylim=(0, None))
    axes.set_title("A check over gRPC beside an empty call", loc="left")
    axes.grid(visible=True, axis="y", color="0.9")
    axes.legend(frameon=False)
    return figure
