"""Run files as pictures for the documents, wide enough for two columns of a paper.

index.svg    what a search costs against the length of the list, and in memory
server.svg   every percentile of checks beside an empty call
load.svg     how long an answer takes against how many checks arrive
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")  # before pyplot: a machine that measures has no screen

import numpy as np
from matplotlib import pyplot as plt

from bench import quality_plot
from bench.histogram import Histogram
from bench.peers import FIELD, FLAT, OURS
from bench.run_file import PERCENTILES, Row, Run

# Told apart by those who do not see colours too (Okabe and Ito), and by their marks.
_STYLES: Final = (
    ("#D55E00", "o"),
    ("#0072B2", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
)
_EMPTY: Final[dict[str, Any]] = {"color": "0.4", "linestyle": "--"}
# The same picture from the same run: no date, no random ids.
_METADATA: Final = {"Date": None, "Creator": None}
_LOOK: Final[Any] = {
    "svg.hashsalt": "firstseen",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.markersize": 5,
}
_PLAIN: Final = mpl.ticker.StrMethodFormatter("{x:,g}")  # 1,000 and not ten to the third
_NINES: Final = (50.0, 90.0, 99.0, 99.9, 99.99)
_SMALLEST_TAIL: Final = 10  # calls beyond the last percentile that is drawn: fewer are chance


def draw(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Draws what there is to draw of some runs.

    Args:
        runs: of any kind; those of `index` go into one picture, of `server` the largest list's.
        folder: where the pictures go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with mpl.rc_context(_LOOK):
        rows = [row for run in runs if run.kind == "index" for row in run.rows]
        if rows:
            drawn.append(_saved(_index(rows), folder / "index.svg"))
        servers = [run for run in runs if run.kind == "server"]
        if servers:
            largest = max(servers, key=lambda run: run.settings["entry_count"])
            drawn.append(_saved(_server(largest), folder / "server.svg"))
            if any("rate_per_s" in row for row in largest.rows):
                drawn.append(_saved(_load(largest), folder / "load.svg"))
        drawn += [
            _saved(quality_plot.heat_map(run), folder / f"{run.file_stem}.svg")
            for run in runs
            if run.kind.startswith("quality ")
        ]
    return drawn


def _saved(figure: Any, path: Path) -> Path:  # noqa: ANN401
    figure.savefig(path, metadata=_METADATA, bbox_inches="tight")
    plt.close(figure)
    return path


def _index(rows: list[Row]) -> Any:  # noqa: ANN401
    """Time of one query, and memory, against length of the list, in powers of ten."""
    kind = "real" if any(row["kind"] == "real" for row in rows) else "balanced"
    measured = [row for row in rows if row["kind"] == kind and "single" in row]
    with_memory = any("bytes_per_hash" in row for row in measured)
    figure, panels = plt.subplots(
        1, 1 + with_memory, figsize=(9.5 if with_memory else 7.0, 3.8), squeeze=False
    )
    time, approximate = panels[0, 0], {peer.name for peer in FIELD if not peer.exact}
    names = list(dict.fromkeys(row["index"] for row in measured))
    for name, (colour, mark) in zip(names, _STYLES, strict=False):
        own = sorted((row for row in measured if row["index"] == name), key=lambda r: r["size"])
        sizes = [row["size"] for row in own]
        middle = [row["single"]["p50_us"] for row in own]
        high = [row["single"]["p99_us"] for row in own]
        line = ":" if name in approximate else "-"
        label = f"{name}, approximate" if name in approximate else name
        time.plot(sizes, middle, line, color=colour, marker=mark, label=label)
        if name in {OURS, FLAT}:  # five would hide one another
            time.fill_between(sizes, middle, high, color=colour, alpha=0.13, linewidth=0)
        if name == FLAT:
            batch = [row["batch_us"] for row in own]
            time.plot(sizes, batch, "--", color=colour, linewidth=1, label="… in batches of 64")
        kept = [row for row in own if "bytes_per_hash" in row]
        if kept:
            memory = [row["bytes_per_hash"] for row in kept]
            places = [row["size"] for row in kept]
            panels[0, 1].plot(places, memory, line, color=colour, marker=mark)
    time.set(xscale="log", yscale="log", xlabel="hashes in the list", ylabel="one query, µs")
    time.set_title(f"{'(a) ' * with_memory}Within 31 bits, one thread: p50, shaded to p99")
    time.yaxis.set_major_formatter(_PLAIN)
    if with_memory:
        panels[0, 1].set(xscale="log", xlabel="hashes in the list", ylabel="bytes a hash")
        panels[0, 1].set(ylim=(0, None))
        panels[0, 1].set_title("(b) Memory")
    return _explained(figure)


def _explained(figure: Any) -> Any:  # noqa: ANN401
    """The figure with its legend below, where no line runs through it."""
    figure.tight_layout()
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2)
    return figure


def _in_ms(axis: Any) -> None:  # noqa: ANN401
    """A logarithmic axis with three figures to a power of ten."""
    axis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(_PLAIN)
    axis.set_minor_formatter(mpl.ticker.NullFormatter())


def _server(run: Run) -> Any:  # noqa: ANN401
    """Every percentile of each kind of check, and of the empty call."""
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    latencies = [row for row in run.rows if "check" in row and "rate_per_s" not in row]
    for row, (colour, mark) in zip(latencies, _STYLES, strict=False):
        _percentiles(axes, row["check"], color=colour, marker=mark, label=row["what"])
    _percentiles(axes, latencies[0]["empty"], **_EMPTY, marker=".", label="empty call")
    nines = [place for place in _NINES if 1 / (1 - place / 100) < axes.get_xlim()[1]]
    axes.set(xscale="log", yscale="log", xlabel="percentile", ylabel="answered within, ms")
    axes.set_xticks([1 / (1 - nine / 100) for nine in nines], [f"{nine:g}" for nine in nines])
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    _in_ms(axes.yaxis)
    entry_count = run.settings["entry_count"]
    axes.set_title(f"Checks against {entry_count:,} hashes, one client that waits for each")
    return _explained(figure)


def _percentiles(axes: Any, load: Row, **style: Any) -> None:  # noqa: ANN401
    """A line over 1 / (1 - q), on which each further nine is as wide as the last."""
    if "histogram" in load:
        found = Histogram.merged([load["histogram"]])
        last = max(found.count / _SMALLEST_TAIL, 4.0)
        places = np.geomspace(2.0, last, 60)
        times_ms = [found.at_us(100 * (1 - 1 / place)) / 1000 for place in places]
        axes.plot(places, times_ms, markevery=10, **style)
        return
    places = np.array([1 / (1 - percentile / 100) for percentile in PERCENTILES])
    axes.plot(places, [load[f"p{percentile:g}_us"] / 1000 for percentile in PERCENTILES], **style)


def _load(run: Run) -> Any:  # noqa: ANN401
    """How long answers take while so many checks arrive."""
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    rows = [row for row in run.rows if "rate_per_s" in row]
    for key, name, style in (
        ("check", "Check", {"color": _STYLES[0][0]}),
        ("empty", "empty call", _EMPTY),
    ):
        for percentile, mark in (("p50", "o"), ("p99", "^")):
            answered = [row[key]["per_s"] for row in rows]
            times_ms = [row[key][f"{percentile}_us"] / 1000 for row in rows]
            axes.plot(answered, times_ms, marker=mark, label=f"{name}, {percentile}", **style)
    axes.set(yscale="log", xlabel="answered in a second", ylabel="from due to answered, ms")
    axes.set(xlim=(0, None))
    _in_ms(axes.yaxis)
    workers, entry_count = run.settings.get("workers", 1), run.settings["entry_count"]
    axes.set_title(
        f"Open loop: {rows[0]['what']} at fixed rates, {entry_count:,} hashes,"
        f" {workers} worker{'s' * (workers > 1)}"
    )
    return _explained(figure)
