"""Draws the figures of ratio: shares of the optimum as a heat map, and how losses fall with volume."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sim.show.figures import colours, heat_map, legend_at_right, look, panels


def shares(cells: pd.DataFrame, worst: pd.DataFrame) -> Figure:
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
    heat_map(ratio, words, axes, label="quality / hindsight optimum")
    lowest = worst_orders(cells, worst)
    for policy, order in lowest.items():
        corner = (orders.index(order) + 0.04, policies.index(policy) + 0.06)
        axes.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, edgecolor="black", linewidth=3.5))
        axes.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, edgecolor="white", linewidth=1.5))
    if len(orders) > 3:
        plt.setp(axes.get_xticklabels(), rotation=30, ha="right", rotation_mode="anchor")
    title = f"{size} queries, mean of {cells['replications'].iloc[0]} replications\nand 95% half-width"
    title += "; framed: worst order" * bool(lowest)
    axes.set_title(title, fontsize="small", loc="left")
    return figure


def losses(cells: pd.DataFrame, slopes: pd.DataFrame) -> Figure:
    """Draw 1 - mean ratio against 1 / sqrt(mean k), a panel per order, with intervals and fitted lines."""
    policies, orders = cells["policy"].unique().tolist(), cells["order"].unique().tolist()
    figure, grid = panels(len(orders), 3.2, 3.0, margin_in=(2.5, 1.0))
    colour = colours(policies)
    right = 1.1 * float((cells["k"] ** -0.5).max()) or 1.0
    ends = np.array([0.0, right])
    for order, axes in zip(orders, grid, strict=True):
        for number, policy in enumerate(policies):
            points = cells[(cells["policy"] == policy) & (cells["order"] == order)]
            aside = (number - (len(policies) - 1) / 2) * 0.006 * right  # so that intervals do not hide each other
            axes.errorbar(
                points["k"] ** -0.5 + aside,
                1 - points["ratio"],
                points["half_width"],
                fmt=look(number)["marker"],
                color=colour[policy],
                markersize=5,
                capsize=2,
                elinewidth=1,
                label=policy,
            )
            line = slopes[(slopes["policy"] == policy) & (slopes["order"] == order) & (slopes["left_out"] == "")]
            for intercept, slope in zip(line["intercept"], line["slope"], strict=True):
                style = look(number)["linestyle"]
                axes.plot(ends, intercept + slope * ends, linestyle=style, color=colour[policy], linewidth=1.2)
        axes.set_title(order, fontsize="medium")
    grid[0].set(xlim=(0, right), ylim=(0, 1))
    figure.supxlabel("1 / \N{SQUARE ROOT}k, k = smallest of (budget / largest cost)", fontsize="medium")
    figure.supylabel("1 - quality / hindsight optimum", fontsize="medium")
    legend_at_right(figure, grid[0])
    return figure


def worst_orders(cells: pd.DataFrame, worst: pd.DataFrame) -> dict[str, str]:
    """Return each policy's worst order at the largest size; nothing where there is one order only."""
    if cells["order"].nunique() < 2:
        return {}
    at_size = worst[worst["size"] == worst["size"].max()]
    return dict(zip(at_size["policy"], at_size["order"], strict=True))
