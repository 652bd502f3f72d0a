"""Figures of sweep: lines along each axis, and heat maps over each pair of axes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.show.figures import colours, heat_map, legend_at_right, look, panels
from sim.show.words import several
from sim.show.words import value as words
from sim.study.sweep import best, cells

DRAWN = {
    "quality": "total quality\n(sum of scores)",
    "quality_per_usd": "efficiency\n(quality per USD)",
    "served": "served\n(queries)",
}
AXIS_LABELS = {"n_queries": "arriving queries", "workload.n_queries": "arriving queries", "fleet.size": "deployments"}
MOST_PANELS = 6  # of the other axes' combinations; more of them are averaged


def figures(table: pd.DataFrame, axes: Sequence[str]) -> Iterator[tuple[str, str, Figure]]:
    """Yield name, caption and figure of ``by_AXIS`` for each axis and ``AXIS_by_AXIS`` for each pair of them.

    Parameters
    ----------
    table : DataFrame
        As ``sim.study.sweep.tidy`` makes it.
    axes : sequence of str
    """
    varied = [axis for axis in axes if table[axis].nunique() > 1]
    for axis in varied:
        drawn = lines(table, axis, [other for other in varied if other != axis])
        yield f"by_{plain(axis)}", f"Quality, efficiency and queries served, along {axis}.", drawn
    for across, down in itertools.combinations(varied, 2):
        drawn = heat_maps(table, across, down)
        yield f"{plain(across)}_by_{plain(down)}", f"Mean quality per query over {across} and {down}.", drawn


def lines(table: pd.DataFrame, axis: str, others: Sequence[str]) -> Figure:
    """Draw quality, efficiency and served against an axis, mean and 95% band per policy, a column per other values."""
    few = table[list(others)].drop_duplicates().shape[0] <= MOST_PANELS
    apart = list(others) if few else []
    means = cells(table, [axis, *apart])
    panels = [tuple(row) for row in means[apart].drop_duplicates().itertuples(index=False)] if apart else [()]
    figure, grid = plt.subplots(
        len(DRAWN),
        len(panels),
        figsize=(2.6 + 2.7 * len(panels), 1.0 + 2.1 * len(DRAWN)),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for column, values in enumerate(panels):
        chosen = means
        for other, value in zip(apart, values, strict=True):
            chosen = chosen[chosen[other] == value]
        for row, measure in enumerate(DRAWN):
            bands(grid[row, column], chosen, axis, measure)
        if apart:
            named = [f"{other} = {words(value)}" for other, value in zip(apart, values, strict=True)]
            grid[0, column].set_title("\n".join(named), fontsize="medium")
    for row, (measure, label) in enumerate(DRAWN.items()):
        bottom = min(0.0, float(means[measure].min(skipna=True)))
        grid[row, 0].set(ylabel=label, ylim=(bottom, None))
    figure.supxlabel(f"{AXIS_LABELS[axis]} ({axis})" if axis in AXIS_LABELS else axis, fontsize="medium")
    averaged = f", over all of {', '.join(others)}" if others and not apart else ""
    n = several(table["replication"].nunique(), "replication")
    figure.suptitle(f"mean and 95% band of {n}{averaged}", fontsize="small")
    legend_at_right(figure, grid[0, 0])
    return figure


def bands(panel: Axes, means: pd.DataFrame, axis: str, measure: str) -> None:
    """Draw one measure of every policy; values of an axis that are no numbers stand side by side, unconnected."""
    policies = means["policy"].unique().tolist()
    values = means[axis].drop_duplicates().tolist()
    is_number = pd.api.types.is_numeric_dtype(means[axis]) and not pd.api.types.is_bool_dtype(means[axis])
    for number, (policy, colour) in enumerate(colours(policies).items()):
        points = means[means["policy"] == policy]
        points = points.sort_values(axis) if is_number else points
        x = points[axis].to_numpy(dtype=np.float64) if is_number else np.array([values.index(v) for v in points[axis]])
        aside = 0.0 if is_number else (number - (len(policies) - 1) / 2) * 0.06
        y, half_width = points[measure].to_numpy(), points[f"{measure}_half_width"].fillna(0.0).to_numpy()
        marker, style = look(number)["marker"], look(number)["linestyle"] if is_number else ""
        panel.plot(
            x + aside, y, marker=marker, linestyle=style, color=colour, markersize=5, linewidth=1.3, label=policy
        )
        if is_number:
            panel.fill_between(x, y - half_width, y + half_width, color=colour, alpha=0.1, linewidth=0)
        else:
            panel.errorbar(x + aside, y, half_width, fmt="none", ecolor=colour, capsize=2, elinewidth=1)
    if is_number:
        panel.set_xticks(sorted(values)[:: -(-len(values) // 6)])
    else:
        panel.set_xticks(range(len(values)), [words(value) for value in values], rotation=20, ha="right")
        panel.margins(x=0.15)


def heat_maps(table: pd.DataFrame, across: str, down: str) -> Figure:
    """Draw mean quality per arriving query over two axes, a panel per policy, and in the last one which is best."""
    means = cells(table, [across, down])
    winners = best(means, [across, down])
    policies = means["policy"].unique().tolist()
    n_across, n_down = means[across].nunique(), means[down].nunique()
    size = (0.9 + 0.62 * n_across, 0.8 + 0.45 * n_down)
    figure, grid = panels(len(policies) + 1, *size, margin_in=(1.2, 1.0), sharex=False, layout=None)
    low, high = float(means["quality_per_query"].min()), float(means["quality_per_query"].max())
    number = {policy: str(place) for place, policy in enumerate(policies, start=1)}
    titles = {policy: f"{number[policy]}. {policy}" for policy in policies}
    for panel, policy in zip(grid, [*policies, None], strict=True):
        chosen = winners if policy is None else means[means["policy"] == policy]
        shown = chosen.pivot(index=down, columns=across, values="quality_per_query")
        named = chosen.assign(number=chosen["policy"].map(number)).pivot(index=down, columns=across, values="number")
        notes = named if policy is None else shown.map("{:.2f}".format)
        heat_map(shown, notes, panel, ends=(low, high))
        panel.set_title("best policy, by its number" if policy is None else titles[policy], fontsize="medium")
        panel.tick_params(axis="y", labelrotation=0)
    figure.set_layout_engine("constrained")  # not before, as every heat map draws the whole figure
    figure.colorbar(grid[0].collections[0], ax=grid, label="quality per arriving query (mean score)", shrink=0.8)
    figure.supxlabel(f"{AXIS_LABELS[across]} ({across})" if across in AXIS_LABELS else across, fontsize="medium")
    figure.supylabel(f"{AXIS_LABELS[down]} ({down})" if down in AXIS_LABELS else down, fontsize="medium")
    return figure


def plain(axis: str) -> str:
    """Return an axis's name for a file."""
    return axis.replace(".", "_")
