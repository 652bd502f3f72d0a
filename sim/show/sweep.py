"""A sweep for the eye: the best policies, a line figure per axis, a heat map per pair of axes, from its table only."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from sim.show.ratio import EQUAL_CONTRAST, LINES, MARKERS
from sim.study.experiment import ORACLES
from sim.study.sweep import best, cells

DRAWN = {
    "quality": "total quality\n(sum of scores)",
    "quality_per_usd": "efficiency\n(quality per USD)",
    "served": "served\n(queries)",
}
AXIS_LABELS = {"n_queries": "arriving queries", "workload.n_queries": "arriving queries", "fleet.size": "deployments"}
MOST_PANELS = 6  # of the other axes' combinations; more of them are averaged
MOST_ROWS = 40


def best_table(winners: pd.DataFrame, axes: Sequence[str]) -> Table:
    """Return the best policy of each point, as ``sim.study.sweep.best`` finds it."""
    replications = int(winners["replications"].iloc[0])
    title = f"the policy of most mean quality at each point, of {replications} replications, +- 95%"
    if len(winners) > MOST_ROWS:
        title += f"; the first {MOST_ROWS} of {len(winners)} points, all are in cells.csv"
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in (*axes, "policy"):
        table.add_column(column, no_wrap=True)
    for column in ("quality", "quality_per_query", "quality_per_usd", "served"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in winners.head(MOST_ROWS).to_dict("records"):
        spread = f" +- {row['quality_half_width']:.1f}" if row["quality_half_width"] > 0 else ""
        table.add_row(
            *(words(row[axis]) for axis in axes),
            row["policy"],
            f"{row['quality']:.1f}{spread}",
            f"{row['quality_per_query']:.3f}",
            f"{row['quality_per_usd']:.1f}",
            f"{row['served']:.0f}",
        )
    return table


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
    n = table["replication"].nunique()
    figure.suptitle(f"mean and 95% band of {n} replication{'s' * (n > 1)}{averaged}", fontsize="small")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside right center", frameon=False)
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
        marker, style = MARKERS[number % len(MARKERS)], LINES[number % len(LINES)] if is_number else ""
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
    n_columns = min(4, len(policies) + 1)
    n_rows = -(-(len(policies) + 1) // n_columns)
    size = (1.2 + n_columns * (0.9 + 0.62 * n_across), 1.0 + n_rows * (0.8 + 0.45 * n_down))
    figure, grid = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, sharey=True)
    low, high = float(means["quality_per_query"].min()), float(means["quality_per_query"].max())
    for panel in grid.ravel()[len(policies) + 1 :]:
        panel.set_axis_off()
    number = {policy: str(place) for place, policy in enumerate(policies, start=1)}
    titles = {policy: f"{number[policy]}. {policy}" for policy in policies}
    for panel, policy in zip(grid.ravel(), [*policies, None], strict=False):
        chosen = winners if policy is None else means[means["policy"] == policy]
        shown = chosen.pivot(index=down, columns=across, values="quality_per_query")
        named = chosen.assign(number=chosen["policy"].map(number)).pivot(index=down, columns=across, values="number")
        notes = named if policy is None else shown.map("{:.2f}".format)
        sns.heatmap(
            shown,
            vmin=low,
            vmax=high,
            cmap="cividis",  # lighter is higher, also in grey and to the colour-blind
            annot=notes.to_numpy(),
            fmt="",
            annot_kws={"fontsize": "small"},
            linewidths=1.0,
            cbar=False,
            ax=panel,
        )
        for text, colour in zip(panel.texts, panel.collections[0].get_facecolor(), strict=False):
            text.set_color("black" if sns.utils.relative_luminance(colour) > EQUAL_CONTRAST else "white")
        panel.set_title("best policy, by its number" if policy is None else titles[policy], fontsize="medium")
        panel.set(xlabel="", ylabel="")
        panel.tick_params(axis="y", labelrotation=0)
    figure.set_layout_engine("constrained")  # not before, as every heat map draws the whole figure
    figure.colorbar(grid[0, 0].collections[0], ax=grid, label="quality per arriving query (mean score)", shrink=0.8)
    figure.supxlabel(f"{AXIS_LABELS[across]} ({across})" if across in AXIS_LABELS else across, fontsize="medium")
    figure.supylabel(f"{AXIS_LABELS[down]} ({down})" if down in AXIS_LABELS else down, fontsize="medium")
    return figure


def colours(policies: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Return a colour for each policy that the colour-blind tell apart, as far as there are; optima are grey."""
    palette = sns.color_palette("colorblind")
    safe = [colour for place, colour in enumerate(palette) if place != 7]  # the palette's grey
    routers = [policy for policy in policies if policy not in ORACLES]
    chosen = safe if len(routers) <= len(safe) else sns.color_palette("husl", len(routers))
    found = dict(zip(routers, chosen, strict=False))
    return {policy: found.get(policy, palette[7]) for policy in policies}


def plain(axis: str) -> str:
    """Return an axis's name for a file."""
    return axis.replace(".", "_")


def words(value: object) -> str:
    """Return the value of an axis as text."""
    return f"{value:g}" if isinstance(value, float) else str(value)
