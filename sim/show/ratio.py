"""Competitive ratios for the eye: two tables for a terminal, a heat map and a figure of losses, from tables only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rich.table import Table

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
EQUAL_CONTRAST = 0.179  # the luminance on which black and white can be read equally well (WCAG 2.1)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))


def ratio_table(cells: pd.DataFrame, worst: pd.DataFrame, half_width: float) -> Table:
    """Return the mean ratios to the optimum at the largest size, a row per policy and a column per order.

    Parameters
    ----------
    cells, worst : DataFrame
        As ``sim.study.ratio.tables`` makes them; each policy's worst order has an asterisk.
    half_width : float
        What was asked for; a cell whose interval is wider has an exclamation mark.
    """
    size, replications = cells["size"].max(), cells["replications"].iloc[0]
    lowest = worst_orders(cells, worst)
    title = f"{size} queries, {replications} replications" + "; * worst order" * bool(lowest)
    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 2)
    table.add_column("policy", no_wrap=True)
    at_size = cells[cells["size"] == size]
    for order in at_size["order"].unique():
        table.add_column(heading(order), justify="right", overflow="fold")
    for policy, found in at_size.groupby("policy", sort=False):
        words = [str(policy)]
        for cell in found.to_dict("records"):
            marks = "*" * bool(cell["order"] == lowest.get(str(policy))) + "!" * bool(cell["half_width"] > half_width)
            words.append(f"{cell['ratio']:.3f} +- {cell['half_width']:.3f}{marks}")
        table.add_row(*words)
    return table


def worst_orders(cells: pd.DataFrame, worst: pd.DataFrame) -> dict[str, str]:
    """Return each policy's worst order at the largest size; nothing where there is one order only."""
    if cells["order"].nunique() < 2:
        return {}
    at_size = worst[worst["size"] == worst["size"].max()]
    return dict(zip(at_size["policy"], at_size["order"], strict=True))


def precision_reached(cells: pd.DataFrame, half_width: float) -> str:
    """Return a line on the cells, of all sizes, whose intervals are wider than asked for."""
    wide = cells.sort_values("half_width", ascending=False).head(int((cells["half_width"] > half_width).sum()))
    if wide.empty:
        return f"every mean ratio is known to +- {half_width:g} (95%)"
    widest = wide.to_dict("records")[0]
    return (
        f"! {len(wide)} of {len(cells)} mean ratios are not known to +- {half_width:g} (95%); the widest: "
        f"{widest['policy']}, order {widest['order']}, {widest['size']} queries, +- {widest['half_width']:.3f}"
    )


def slope_table(slopes: pd.DataFrame) -> Table | str:
    """Return the slope of each policy and order with its interval and R^2, or a line on why there is none."""
    reasons = slopes.loc[slopes["left_out"] != "", "left_out"].unique().tolist()
    if reasons:
        return f"no slopes: {', '.join(reasons)}"
    title = "slope of 1 - ratio against 1 / sqrt(k), +- 95% (R^2)"
    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 2)
    table.add_column("policy", no_wrap=True)
    for order in slopes["order"].unique():
        table.add_column(heading(order), justify="right", overflow="fold")
    for policy, found in slopes.groupby("policy", sort=False):
        lines = found.to_dict("records")
        words = [f"{line['slope']:.3f} +- {line['slope_half_width']:.3f} ({line['r_squared']:.2f})" for line in lines]
        table.add_row(str(policy), *words)
    return table


def heading(order: str) -> str:
    """Return an order's name with blanks, where a narrow column can break it."""
    return order.replace("_", " ")


def heat_map(cells: pd.DataFrame, worst: pd.DataFrame) -> Figure:
    """Draw the mean ratio of each policy in each order at the largest size; a frame around each policy's worst."""
    size = cells["size"].max()
    at_size = cells[cells["size"] == size]
    policies, orders = at_size["policy"].unique().tolist(), at_size["order"].unique().tolist()
    ratio, half_width = (
        at_size.pivot(index="policy", columns="order", values=column).loc[policies, orders]
        for column in ("ratio", "half_width")
    )
    words = ratio.map("{:.3f}".format) + "\n\N{PLUS-MINUS SIGN}" + half_width.map("{:.3f}".format)
    figure, axes = plt.subplots(figsize=(2.8 + 1.05 * len(orders), max(3.0, 1.4 + 0.55 * len(policies))))
    sns.heatmap(
        ratio,
        annot=words,
        fmt="",
        annot_kws={"fontsize": "small"},
        cmap="cividis",  # lighter is higher, also in grey and to the colour-blind
        linewidths=1.5,
        cbar_kws={"label": "quality / hindsight optimum"},
        ax=axes,
    )
    lowest = worst_orders(cells, worst)
    for policy, order in lowest.items():
        corner = (orders.index(order) + 0.04, policies.index(policy) + 0.06)
        axes.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, edgecolor="black", linewidth=3.5))
        axes.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, edgecolor="white", linewidth=1.5))
    axes.set(xlabel="", ylabel="")
    if len(orders) > 3:
        plt.setp(axes.get_xticklabels(), rotation=30, ha="right", rotation_mode="anchor")
    in_contrast(axes)
    title = f"{size} queries, mean of {cells['replications'].iloc[0]} replications and 95% half-width"
    title += "; framed: worst order" * bool(lowest)
    axes.set_title(title, fontsize="small", loc="left")
    return figure


def in_contrast(axes: Axes) -> None:
    """Write the numbers of a heat map in black or white, whichever is easier to read on its cell."""
    for text, colour in zip(axes.texts, axes.collections[0].get_facecolor(), strict=True):
        text.set_color("black" if sns.utils.relative_luminance(colour) > EQUAL_CONTRAST else "white")


def losses(cells: pd.DataFrame, slopes: pd.DataFrame) -> Figure:
    """Draw 1 - mean ratio against 1 / sqrt(mean k), a panel per order, with intervals and fitted lines."""
    policies, orders = cells["policy"].unique().tolist(), cells["order"].unique().tolist()
    n_columns = min(4, len(orders))
    n_rows = -(-len(orders) // n_columns)
    size = (2.5 + 3.2 * n_columns, 1.0 + 3.0 * n_rows)
    figure, grid = plt.subplots(
        n_rows, n_columns, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    colours = sns.color_palette("colorblind", len(policies))  # they repeat after ten, and the marks then differ
    right = 1.1 * float((cells["k"] ** -0.5).max()) or 1.0
    ends = np.array([0.0, right])
    for axes in grid.ravel()[len(orders) :]:
        axes.set_axis_off()
    for order, axes in zip(orders, grid.ravel(), strict=False):
        for number, (policy, colour) in enumerate(zip(policies, colours, strict=True)):
            points = cells[(cells["policy"] == policy) & (cells["order"] == order)]
            aside = (number - (len(policies) - 1) / 2) * 0.006 * right  # so that intervals do not hide each other
            axes.errorbar(
                points["k"] ** -0.5 + aside,
                1 - points["ratio"],
                points["half_width"],
                fmt=MARKERS[number % len(MARKERS)],
                color=colour,
                markersize=5,
                capsize=2,
                elinewidth=1,
                label=policy,
            )
            line = slopes[(slopes["policy"] == policy) & (slopes["order"] == order) & (slopes["left_out"] == "")]
            for intercept, slope in zip(line["intercept"], line["slope"], strict=True):
                style = LINES[number % len(LINES)]
                axes.plot(ends, intercept + slope * ends, linestyle=style, color=colour, linewidth=1.2)
        axes.set_title(order, fontsize="medium")
    grid[0, 0].set(xlim=(0, right), ylim=(0, 1))
    for panel in range(max(0, len(orders) - n_columns), len(orders)):  # the lowest of each column
        grid.ravel()[panel].tick_params(axis="x", labelbottom=True)
    figure.supxlabel("1 / \N{SQUARE ROOT}k, k = smallest of (budget / largest cost)", fontsize="medium")
    figure.supylabel("1 - quality / hindsight optimum", fontsize="medium")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure
