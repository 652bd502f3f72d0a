"""Draws the shares of a leaderboard by policy, table and order."""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sim.show.figures import heat_map
from sim.show.words import heading


def shares(table: pd.DataFrame, ranks: pd.DataFrame) -> Figure:
    """Draw a row per policy, the best first, and a column per table and order."""
    tasks = table["table"] + "\n" + table["order"].map(heading)
    values = table.assign(task=tasks).pivot_table(index="policy", columns="task", values="optimum_ratio")
    values = values.loc[ranks["policy"], tasks.unique()]
    size_in = (2.2 + 1.05 * len(values.columns), 1.6 + 0.32 * len(values))
    figure, axes = plt.subplots(figsize=size_in, layout="constrained")
    heat_map(values, values.map("{:.2f}".format), axes, label="share of the hindsight optimum", ends=(0.0, 1.0))
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="x", rotation=45)
    return figure
