"""Draws the figures of sweep: lines along each axis, boxes over orders, and heat maps over each pair of axes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.show.figures import colours, heat_map, legend_at_right, look, panels
from sim.show.sweeps.measures import LATENCIES, boxed, drawn, possible, with_served, without_optima
from sim.show.words import heading, several
from sim.show.words import value as words
from sim.study.sweep import averages, best, cells

AXIS_LABELS = {"n_queries": "arriving queries", "workload.n_queries": "arriving queries", "fleet.size": "deployments"}
BOX_IN, MOST_WIDTH_IN = 0.08, 6.0  # of a policy's box with its gap, and of a panel
MOST_PANELS = 6  # of the other axes' combinations; more of them are averaged


def figures(table: pd.DataFrame, axes: Sequence[str], time: str | None = None) -> Iterator[tuple[str, str, Figure]]:
    """Yield name, caption and figure of ``by_AXIS`` for each axis and ``AXIS_by_AXIS`` for each pair of them.

    Parameters
    ----------
    table : DataFrame
        As ``sim.study.sweep.tidy`` makes it.
    axes : sequence of str
    time : str or None
        The column of the latency that is asked for; None if quality is.
    """
    table = with_served(without_optima(table, time))
    what = "Quality, efficiency and queries served" if time is None else "Latency and queries served"
    varied = [axis for axis in axes if table[axis].nunique() > 1]
    for axis in varied:
        others = [other for other in varied if other != axis]
        if axis == "order" and table["replication"].nunique() > 1:
            in_boxes = "Quality per query and efficiency" if time is None else "Latency and cost"
            yield "by_order", f"{in_boxes} in each order, a box per policy.", boxes(table, others, boxed(table, time))
        else:
            yield f"by_{plain(axis)}", f"{what}, along {axis}.", lines(table, axis, others, drawn(table, time))
    for across, down in itertools.combinations(varied, 2):
        of = "Mean quality per query" if time is None else LATENCIES[time].replace("\n", " ").capitalize()
        yield (
            f"{plain(across)}_by_{plain(down)}",
            f"{of} over {across} and {down}.",
            heat_maps(table, across, down, time),
        )


def apart_from(table: pd.DataFrame, others: Sequence[str]) -> list[str]:
    """Return the other axes if each of their combinations gets a panel; none if they are averaged over."""
    return list(others) if table[list(others)].drop_duplicates().shape[0] <= MOST_PANELS else []


def lines(table: pd.DataFrame, axis: str, others: Sequence[str], labels: Mapping[str, str]) -> Figure:
    """Draw measures against an axis, mean and 95% band per policy: a column per other values, else side by side."""
    apart = apart_from(table, others)
    means = cells(table, [axis, *apart], list(labels))
    figure, grid, columns = grid_of(means, apart, len(labels), 2.7)
    for column, chosen in enumerate(columns):
        for row, measure in enumerate(labels):
            bands(grid[row, column], chosen, axis, measure)
    for row, (measure, label) in enumerate(labels.items()):
        bottom = min(0.0, float(means[measure].min(skipna=True)))
        grid[row, 0].set(ylabel=label, ylim=(bottom, None))
    figure.supxlabel(f"{AXIS_LABELS[axis]} ({axis})" if axis in AXIS_LABELS else axis, fontsize="medium")
    averaged = f", over all of {', '.join(others)}" if others and not apart else ""
    n = several(table["replication"].nunique(), "replication")
    figure.suptitle(f"mean and 95% band of {n}{averaged}", fontsize="small")
    legend_at_right(figure, grid[0, 0])
    return figure


def grid_of(
    means: pd.DataFrame, apart: Sequence[str], n_rows: int, width_in: float
) -> tuple[Figure, Any, list[pd.DataFrame]]:
    """Return a figure, its grid of panels, and what each column of them is to show, with its title set."""
    values = [tuple(row) for row in means[list(apart)].drop_duplicates().itertuples(index=False)] if apart else []
    if not apart:  # wide, as slides are
        columns_of = 2 if n_rows == 4 else 3
        figure, side_by_side = panels(
            n_rows, max(width_in, 3.0), 2.5, columns=columns_of, margin_in=(1.9, 0.9), sharey=False
        )
        return figure, np.array(side_by_side, dtype=object)[:, None], [means]
    figure, grid = plt.subplots(
        n_rows,
        len(values),
        figsize=(2.6 + width_in * len(values), 1.0 + 2.1 * n_rows),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    columns = []
    for column, combination in enumerate(values):
        chosen = means
        for other, value in zip(apart, combination, strict=True):
            chosen = chosen[chosen[other] == value]
        columns.append(chosen)
        named = [f"{other} = {words(value)}" for other, value in zip(apart, combination, strict=True)]
        grid[0, column].set_title("\n".join(named), fontsize="medium")
    return figure, grid, columns


def boxes(table: pd.DataFrame, others: Sequence[str], labels: Mapping[str, str]) -> Figure:
    """Draw a box over replications for each order and policy, a column of panels per other values."""
    apart = apart_from(table, others)
    values = averages(table, ["order", *apart], list(labels))
    orders, policies = values["order"].unique().tolist(), values["policy"].unique().tolist()
    width_in = min(max(2.7, 0.4 + len(orders) * (0.3 + BOX_IN * len(policies))), MOST_WIDTH_IN)
    figure, grid, columns = grid_of(values, apart, len(labels), width_in)
    step = 0.84 / len(policies)
    for column, chosen in enumerate(columns):
        for row, measure in enumerate(labels):
            panel = grid[row, column]
            for number, (policy, colour) in enumerate(colours(policies).items()):
                of_policy = chosen[chosen["policy"] == policy]
                samples = [of_policy.loc[of_policy["order"] == order, measure].dropna().to_numpy() for order in orders]
                places = np.arange(len(orders)) + (number - (len(policies) - 1) / 2) * step
                boxed = panel.boxplot(
                    samples,
                    positions=places,
                    widths=0.8 * step,
                    patch_artist=True,
                    manage_ticks=False,
                    boxprops={"facecolor": colour, "linewidth": 0.7},
                    medianprops={"color": "black", "linewidth": 1.3},
                    whiskerprops={"linewidth": 0.7},
                    capprops={"linewidth": 0.7},
                    flierprops={"marker": ".", "markersize": 3},
                )
                boxed["boxes"][0].set_label(policy)
            panel.set_xticks(range(len(orders)), [heading(str(order)) for order in orders], rotation=20, ha="right")
            panel.grid(visible=False, axis="x")
            for between in range(len(orders) - 1):
                panel.axvline(between + 0.5, color="0.85", linewidth=0.8)
            panel.set_xlim(-0.5, len(orders) - 0.5)
    for row, label in enumerate(labels.values()):
        grid[row, 0].set_ylabel(label)
    averaged = f"; means over all of {', '.join(others)}" if others and not apart else ""
    n = several(table["replication"].nunique(), "replication")
    figure.suptitle(
        f"quartiles of {n}, whiskers to the last within 1.5 box lengths, policies in the order of the legend{averaged}",
        fontsize="small",
    )
    figure.supxlabel("order of arrival", fontsize="medium")
    legend_at_right(figure, grid[0, 0])
    return figure


def bands(panel: Axes, means: pd.DataFrame, axis: str, measure: str) -> None:
    """Draw one measure of every policy; values of an axis that are no numbers stand side by side, unconnected."""
    policies = means["policy"].unique().tolist()
    values = means[axis].drop_duplicates().tolist()
    low, high = possible(measure, means[measure].dropna().tolist())
    is_number = pd.api.types.is_numeric_dtype(means[axis]) and not pd.api.types.is_bool_dtype(means[axis])
    for number, (policy, colour) in enumerate(colours(policies).items()):
        points = means[means["policy"] == policy]
        points = points.sort_values(axis) if is_number else points
        x = points[axis].to_numpy(dtype=np.float64) if is_number else np.array([values.index(v) for v in points[axis]])
        aside = 0.0 if is_number else (number - (len(policies) - 1) / 2) * 0.06
        y, half_width = points[measure].to_numpy(), points[f"{measure}_half_width"].fillna(0.0).to_numpy()
        ends = np.maximum(y - half_width, low), np.minimum(y + half_width, high)
        marker, style = look(number)["marker"], look(number)["linestyle"] if is_number else ""
        panel.plot(
            x + aside, y, marker=marker, linestyle=style, color=colour, markersize=5, linewidth=1.3, label=policy
        )
        if is_number:
            panel.fill_between(x, *ends, color=colour, alpha=0.1, linewidth=0)
        else:
            around = np.abs(np.array(ends) - y)
            panel.errorbar(x + aside, y, around, fmt="none", ecolor=colour, capsize=2, elinewidth=1)
    if is_number:
        panel.set_xticks(sorted(values)[:: -(-len(values) // 6)])
    else:
        panel.set_xticks(range(len(values)), [words(value) for value in values], rotation=20, ha="right")
        panel.margins(x=0.15)


def heat_maps(table: pd.DataFrame, across: str, down: str, time: str | None = None) -> Figure:
    """Draw mean quality per query, or a latency, over two axes, a panel per policy, and in the last which is best."""
    means = cells(table, [across, down])
    winners = best(means, [across, down], time)
    measure = time or "quality_per_query"
    policies = means["policy"].unique().tolist()
    columns, lines_of = (in_order(means[axis]) for axis in (across, down))
    size = (0.9 + 0.62 * len(columns), 0.8 + 0.45 * len(lines_of))
    figure, grid = panels(len(policies) + 1, *size, margin_in=(1.2, 1.0), sharex=False, layout=None)
    low, high = float(means[measure].min()), float(means[measure].max())
    number = {policy: str(place) for place, policy in enumerate(policies, start=1)}
    titles = {policy: f"{number[policy]}. {policy}" for policy in policies}
    for panel, policy in zip(grid, [*policies, None], strict=True):
        chosen = winners if policy is None else means[means["policy"] == policy]
        numbered = chosen.assign(number=chosen["policy"].map(number))
        shown, named = (
            numbered.pivot(index=down, columns=across, values=column).reindex(index=lines_of, columns=columns)
            for column in (measure, "number")
        )
        notes = named if policy is None else shown.map("{:.2f}".format if time is None else "{:.3g}".format)
        heat_map(shown, notes, panel, ends=(low, high))
        panel.set_title("best policy, by its number" if policy is None else titles[policy], fontsize="medium")
        panel.tick_params(axis="y", labelrotation=0)
    figure.set_layout_engine("constrained")  # not before, as every heat map draws the whole figure
    label = "quality per arriving query (mean score)" if time is None else LATENCIES[time].replace("\n", " ")
    figure.colorbar(grid[0].collections[0], ax=grid, label=label, shrink=0.8)
    figure.supxlabel(f"{AXIS_LABELS[across]} ({across})" if across in AXIS_LABELS else across, fontsize="medium")
    figure.supylabel(f"{AXIS_LABELS[down]} ({down})" if down in AXIS_LABELS else down, fontsize="medium")
    return figure


def in_order(values: pd.Series[Any]) -> list[Any]:
    """Return the distinct values of an axis: numbers ascending, words as they were given."""
    distinct = values.drop_duplicates().tolist()
    return sorted(distinct) if pd.api.types.is_numeric_dtype(values) else distinct


def plain(axis: str) -> str:
    """Return an axis's name for a file."""
    return axis.replace(".", "_")
