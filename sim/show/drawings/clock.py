"""Draws the figures of run and compare that speak of time: latencies, utilisation and queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from sim.interface import FloatArray
from sim.show.answers.events import read_events
from sim.show.answers.findings import of_latency
from sim.show.figures import colours, headline, legend_at_right, look, panels
from sim.show.timelines.maps import over_time as drawn
from sim.show.timelines.marks import marks
from sim.study.metrics.latency import first_token_s, latency_s, lookup_s, percentile
from sim.study.oracles import ORACLES
from sim.study.output.records import of_each_policy, read_requests, work_by_policy
from sim.study.record.series import even_edges, over_time

N_BINS = 80
OF_QUERIES = ("policy", "fate", "arrived_at_s", "decided_at_s", "first_token_at_s", "finished_at_s", "ended_at_s")
OF_WORK = (
    *("fate", "deployment", "arrived_at_s", "offered_at_s", "started_at_s", "first_token_at_s", "finished_at_s"),
    *("ended_at_s", "preempted_s", "input_tokens", "output_tokens", "cost_usd"),
)
GUIDES = (50, 90, 95, 99)
MAX_POINTS = 2000


def clock_figures(folder: Path, fleet: pd.DataFrame, policies: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure of what replication 0 shows of time; nothing if every query finished as it arrived.

    Parameters
    ----------
    folder : Path
        Has the tables of all runs.
    fleet : DataFrame
        A row per replication and deployment.
    policies : sequence of str
        In the order of the figures.
    """
    table = read_requests(folder, 0, OF_QUERIES)
    if not (table["finished_at_s"] > table["arrived_at_s"]).any():
        return
    runs = of_each_policy(table)
    runs = {policy: runs[policy] for policy in policies}
    fleet = fleet[fleet["replication"] == 0].drop(columns="replication").reset_index(drop=True)
    names = fleet["deployment"].tolist()
    yield "latency", latency(runs)
    edges_s = even_edges(table, N_BINS)
    work, events = work_by_policy(folder, 0, OF_WORK), read_events(folder)
    marked = {policy: marks(events, len(fleet), policy) for policy in policies}
    series = {policy: over_time(work[policy], fleet, edges_s) for policy in policies}
    rows, busy = in_use(series, names)
    if rows:
        label = "slots and KV cache in use (%)" if any(kind for _, kind in rows) else "slots in use (%)"
        title = of_peak(busy, rows, "the busiest is {0} under {1}: {2:.0f}% in use on average", np.nanmean)
        yield "utilisation", drawn(busy, rows, edges_s, f"{label}, bin mean", marked, most=100, title=title)
    queued = {policy: matrix(rows, "queued", len(fleet)) for policy, rows in series.items()}
    if any(numbers.any() for numbers in queued.values()):
        # Queues of 1 and of 1,000 on one scale; what is below a tenth of a query counts as none.
        of_queues = [(name, "") for name in names]
        title = of_peak(queued, of_queues, "the longest queue is of {2:,.0f}, at {0} under {1}", np.nanmax)
        label = "queries waiting, bin mean"
        yield "queue", drawn(queued, of_queues, edges_s, label, marked, is_logarithmic=True, title=title)


def of_peak(
    numbers: Mapping[str, FloatArray],
    rows: Sequence[tuple[str, str]],
    words: str,
    of: Callable[[FloatArray], float],
) -> str:
    """Return a sentence on the deployment (0), the policy (1) and the number (2) of the row that has the most.

    >>> numbers = {"a": np.array([[1.0, 3.0], [0.0, 1.0]]), "b": np.array([[5.0, 0.0], [0.0, 0.0]])}
    >>> of_peak(numbers, [("gpt", ""), ("yi", "")], "at most {2:g}, at {0} under {1}", np.max)
    'At most 5, at gpt under b'
    """
    every = [
        (of(values), policy, place)
        for policy, of_rows in numbers.items()
        for place, values in enumerate(of_rows)
        if np.isfinite(values).any()
    ]
    most, policy, place = max(every, key=lambda each: each[0])
    deployment, kind = rows[place]
    said = words.format(f"{deployment}, {kind}" if kind else deployment, policy, most)
    return said[:1].upper() + said[1:]


def in_use(
    series: Mapping[str, pd.DataFrame], names: Sequence[str]
) -> tuple[list[tuple[str, str]], dict[str, FloatArray]]:
    """Return which shares are known, slots and key-value cache of each deployment, and each policy's in per cent."""
    columns = {"utilisation": "slots", "kv_share": "KV cache"}
    shares = {
        column: {policy: 100 * matrix(rows, column, len(names)) for policy, rows in series.items()}
        for column in columns
    }
    has_kv = any(np.isfinite(values).any() for values in shares["kv_share"].values())
    rows: list[tuple[str, str]] = []
    found: list[dict[str, FloatArray]] = []
    for number, name in enumerate(names):
        for column, kind in columns.items():
            of_one = {policy: values[number] for policy, values in shares[column].items()}
            if any(np.isfinite(values).any() for values in of_one.values()):
                rows.append((name, kind if has_kv else ""))
                found.append(of_one)
    return rows, {policy: np.minimum([of_one[policy] for of_one in found], 100) for policy in series}


def matrix(rows: pd.DataFrame, column: str, n_deployments: int) -> FloatArray:
    """Return a column of a series as an array (n_deployments, n_bins)."""
    return rows[column].to_numpy(dtype=np.float64).reshape(n_deployments, -1)


def latency(runs: dict[str, pd.DataFrame]) -> Figure:
    """Draw which share of all arrivals had its first and its last token within a time; refused queries never do.

    What a cache answered had both when its look-up ended; on a logarithmic axis a look-up of 0 s is left of its edge.
    """
    figure, grid = panels(2, 5.5, 4.3, margin_in=(0.0, 0.5), sharex=False)
    colour = colours(list(runs))
    for axes, measure, title in zip(
        grid, (first_token_s, latency_s), ("time to first token", "end to end"), strict=True
    ):
        served = {policy: measure(run) for policy, run in runs.items()}
        values = {policy: np.sort(np.append(served[policy], lookup_s(run))) for policy, run in runs.items()}
        smallest = min((float(times.min()) for times in served.values() if len(times)), default=0.0)
        largest = max((float(times[-1]) for times in values.values() if len(times)), default=0.0)
        for number, (policy, run) in enumerate(runs.items()):
            curve(axes, values[policy], len(run), largest, number, policy, colour[policy])
        if smallest > 0:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if largest < 1000 * smallest else (1,)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel=f"{title} (s)", ylim=(0, 104))
        axes.set_title(title, fontsize="medium")
        for percent in GUIDES:
            axes.axhline(percent, color="black", linewidth=0.6, linestyle=(0, (2, 3)), zorder=1)
        axes.set_yticks([0, 25, *GUIDES], ["0", "25", "50", "90", "", "99"])
    grid[0].set_ylabel("arrivals answered within that time (%)")
    grid[0].tick_params(axis="y", labelsize="small")
    if len(runs) > 1:
        legend_at_right(figure, grid[0])
    of = f"{next(iter(runs))}, " if len(runs) == 1 else ""
    figure.supxlabel(
        f"{of}replication 0; dotted lines: the 50th, 90th, 95th and 99th percentile of all arrivals", fontsize="small"
    )
    medians_s = {policy: percentile(times, 50, len(runs[policy]) - len(times)) for policy, times in values.items()}
    medians_s = {policy: time_s for policy, time_s in medians_s.items() if policy not in ORACLES} or medians_s
    headline(figure, of_latency(medians_s))
    return figure


def curve(
    axes: Axes, times_s: FloatArray, n_arrivals: int, until_s: float, number: int, label: str, colour: Any
) -> None:
    """Draw one distribution of sorted times (n_answered,); colour, dash and marker all depend on its number."""
    share = np.arange(1, len(times_s) + 1) / n_arrivals * 100
    shown = np.unique(np.linspace(0, len(times_s) - 1, MAX_POINTS).astype(int)) if len(times_s) else np.arange(0)
    axes.step(
        np.append(times_s[shown], until_s),
        np.append(share[shown], share[-1] if len(share) else 0.0),
        where="post",
        label=label,
        color=colour,
        linewidth=1.6,
        **look(number),
        markersize=5,
        markeredgecolor="black",
        markeredgewidth=0.4,
        markevery=(0.03 + 0.017 * (number % 6), 0.16),
    )
