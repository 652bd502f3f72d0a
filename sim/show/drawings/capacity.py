"""Draws how many replicas there were over time, and what each hour of a run brought and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sim.interface import FloatArray
from sim.show.answers.events import read_events
from sim.show.figures import colours, legend_at_right, look, panels
from sim.show.timelines.marks import Mark, marks, name_marks, shade
from sim.study.output.archive import HOURS, REPLICAS
from sim.study.output.records import read_requests
from sim.study.record.hours import HOUR_S, between

N_BINS = 240
LEAST_H = 0.25  # a last hour that is shorter says little of an hour
STATES = {"serving": "0.35", "starting": "#de8f05", "spare": "#56b4e9"}
BY_HOUR = {
    "queries": "queries an hour",
    "replicas": "replicas open, mean",
    "cost_usd": "rent and tokens (USD an hour)",
}


def capacity_figures(folder: Path, policies: Sequence[str]) -> Iterator[tuple[str, str, Figure]]:
    """Yield name, caption and figure of what replication 0 shows of replicas and hours, where there is anything.

    Parameters
    ----------
    folder : Path
        Has the tables of all runs.
    policies : sequence of str
        In the order of the figures.
    """
    if (folder / REPLICAS).is_file():
        table = pd.read_csv(folder / REPLICAS, dtype={"policy": str})
        first = table[table["replication"] == 0]
        end_s = float(read_requests(folder, 0, ["ended_at_s"])["ended_at_s"].max())
        if end_s > 0:
            edges_s = np.linspace(0.0, end_s, N_BINS + 1)
            series = {policy: means(first[first["policy"] == policy], edges_s) for policy in policies}
            events, n_deployments = read_events(folder), table["deployment"].nunique()
            marked = {policy: marks(events, n_deployments, policy) for policy in policies}
            caption = "Replicas of all deployments over time, means of bins."
            yield "replicas", caption, replicas(series, edges_s, marked)
    if (folder / HOURS).is_file():
        table = pd.read_csv(folder / HOURS, dtype={"policy": str})
        yield "hours", "What each hour brought and cost.", hours(table[table["replication"] == 0], policies)


def means(table: pd.DataFrame, edges_s: FloatArray) -> dict[str, FloatArray]:
    """Return the mean number of replicas in each state in each bin of time (n_bins,), over all deployments together.

    Parameters
    ----------
    table : DataFrame
        Of one run, see ``sim.world.record.replicas.REPLICA_COLUMNS``.
    edges_s : array (n_bins + 1,)
        From 0 on.
    """
    found = {}
    for state in STATES:
        total = np.zeros(len(edges_s) - 1)
        for _, rows in table.groupby("deployment"):
            total += between(rows["from_s"].to_numpy(np.float64), rows[state].to_numpy(np.float64), edges_s)
        found[state] = total / np.diff(edges_s)
    return found


def replicas(
    series: dict[str, dict[str, FloatArray]], edges_s: FloatArray, marked: Mapping[str, Sequence[Mark]]
) -> Figure:
    """Draw a panel per policy: replicas that serve, that start and that are spare, one upon the other.

    What happened, ``marked`` for each policy in seconds, is a strip above its panel.
    """
    figure, grid = panels(len(series), 3.4, 2.4, margin_in=(1.8, 0.9))
    shown = {state: colour for state, colour in STATES.items() if any(one[state].any() for one in series.values())}
    is_long = edges_s[-1] > 2 * HOUR_S
    edges = edges_s / HOUR_S if is_long else edges_s
    for (policy, one), axes in zip(series.items(), grid, strict=True):
        base = np.zeros(len(edges) - 1)
        for state, colour in shown.items():
            axes.stairs(base + one[state], edges, baseline=base, fill=True, color=colour, label=state)
            base = base + one[state]
        shade(axes, [in_hours(mark) if is_long else mark for mark in marked[policy]], edges[0], edges[-1], is_map=True)
        axes.set_title(policy, fontsize="medium", pad=6 + 9 * len(marked[policy]))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    highest = max(float(sum(one.values(), np.zeros(1)).max()) for one in series.values())
    grid[0].set(ylabel="replicas", ylim=(0, 1.05 * highest))
    figure.supxlabel(f"simulated time ({'h' if is_long else 's'}), replication 0", fontsize="medium")
    legend_at_right(figure, grid[0])
    name_marks(figure, next((shown for shown in marked.values() if shown), ()))
    return figure


def in_hours(mark: Mark) -> Mark:
    """Return a mark with its spans in hours, named as before."""
    return replace(mark, spans=tuple((from_s / HOUR_S, until_s / HOUR_S) for from_s, until_s in mark.spans))


def hours(table: pd.DataFrame, policies: Sequence[str]) -> Figure:
    """Draw what came in each hour, how many replicas were open and what that cost; all policies in one panel each."""
    each = table["lasts_s"] / HOUR_S
    table = table.assign(cost_usd=(table["rent_usd"] + table["tokens_usd"]) / each, queries=table["queries"] / each)
    whole = table[(each >= LEAST_H) | (table["hour"] == 0)]  # the last hour is a part of one
    shown = {column: title for column, title in BY_HOUR.items() if whole[column].any()}
    figure, grid = panels(len(shown), 3.6, 2.6, margin_in=(1.8, 0.6), sharey=False)
    colour = colours(policies)
    for (column, title), axes in zip(shown.items(), grid, strict=True):
        for number, policy in enumerate(policies):
            rows = whole[whole["policy"] == policy]
            style = look(number) if len(policies) > 1 else {"marker": "o", "linestyle": "-"}
            axes.plot(rows["hour"], rows[column], color=colour[policy], label=policy, markersize=3.5, **style)
        axes.set_title(title, fontsize="medium")
        axes.set_ylim(0, 1.08 * float(whole[column].max()))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 3, 6, 10]))
    figure.supxlabel("hours since the first arrival, replication 0", fontsize="medium")
    legend_at_right(figure, grid[0])
    return figure
