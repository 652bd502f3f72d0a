"""Draws the figures of diff: differences with their intervals, and probabilities of being the best."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from sim.show.figures import heat_map, panels
from sim.show.words import pair

APART = ConstrainedLayoutEngine(h_pad=0.12)  # titles from the numbers above them
LITTLE = 0.05  # per cent: a panel of less shows nothing


def relative_differences(differences: pd.DataFrame, a: str, b: str) -> Figure:
    """Draw each difference with its interval in per cent of b, a panel per metric; filled where it is beyond chance."""
    differences = differences[differences["metric"].isin(told_apart(differences))]
    metrics = differences["metric"].unique().tolist()
    labels = list(dict.fromkeys(pair(row) for row in differences.to_dict("records")))
    height_in = 1.1 + 0.32 * len(labels)
    figure, grid = panels(len(metrics), 3.0, height_in, columns=3, margin_in=(2.5, 0.0), sharex=False, layout=APART)
    blue = sns.color_palette("colorblind")[0]
    for metric, axes in zip(metrics, grid, strict=True):
        rows = differences[differences["metric"] == metric].to_dict("records")
        axes.axvline(0, color="black", linewidth=1)
        for place, row in enumerate(rows):
            scale = 100 / abs(row["mean_b"]) if row["mean_b"] else float("nan")
            axes.errorbar(
                row["difference"] * scale,
                labels.index(pair(row)),
                xerr=None if pd.isna(row["half_width"]) else row["half_width"] * abs(scale),
                fmt="o",
                markersize=7,
                capsize=4,
                color=blue,
                markeredgecolor="black",
                markerfacecolor=blue if row["better"] in ("a", "b") else "white",
                zorder=place + 2,
            )
        axes.set_title(metric, fontsize="medium")
        axes.set(ylim=(len(labels) - 0.5, -0.5))
        axes.margins(x=0.1)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    grid[0].set_yticks(range(len(labels)), labels)
    figure.supxlabel(f"{a} less {b}, % of {b}; filled: beyond chance", fontsize="medium")
    return figure


def told_apart(differences: pd.DataFrame) -> list[str]:
    """Return the metrics whose difference or interval is ``LITTLE`` or more for any policy; all, if none is."""
    scale = 100 / differences["mean_b"].abs().replace(0, float("nan"))
    reach = (differences["difference"].abs() + differences["half_width"].fillna(0)) * scale
    metrics = differences["metric"].unique().tolist()
    large = set(differences.loc[reach >= LITTLE, "metric"])
    return [metric for metric in metrics if metric in large] or metrics


def probabilities(rankings: pd.DataFrame) -> Figure:
    """Draw the probabilities of being the best as a heat map, alternatives down and metrics across."""
    grid = rankings.pivot(index="alternative", columns="metric", values="probability_best")
    grid = grid.loc[rankings["alternative"].unique(), rankings["metric"].unique()]
    figure, axes = plt.subplots(figsize=(3.4 + 1.15 * grid.shape[1], 1.4 + 0.36 * len(grid)))
    notes = (grid * 100).map("{:.0f}".format)
    heat_map(grid * 100, notes, axes, label="probability of being the best (%)", ends=(0, 100))
    plt.setp(axes.get_xticklabels(), rotation=30, ha="right", rotation_mode="anchor")
    return figure
