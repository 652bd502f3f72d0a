"""Draws cost against quality: the settings of each router with their hull, and single models with their names."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.show.drawings.names import write_names
from sim.show.figures import MARKERS, colours, legend_at_right
from sim.show.words import several
from sim.study.frontier.curve import hull

FAR = 15.0  # the dearest by the cheapest point, from which on the axis of cost is logarithmic
OF_MODELS = "X"
OF_ROUTERS = MARKERS.replace(OF_MODELS, "")
STEPS = 60  # of a hull's line, which bends on a logarithmic axis


def means_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean quality and cost of every setting and every single model over replications, in order."""
    keys = ["kind", "policy", "knob", "setting"]
    values = ["quality_per_query", "cost_per_query_usd"]
    return table.groupby(keys, sort=False, dropna=False)[values].mean().reset_index()


def curves(table: pd.DataFrame) -> Figure:
    """Draw every router and every single model of ``sim.study.frontier.points``."""
    means = means_of(table)
    means["cost"] = 1000 * means["cost_per_query_usd"]
    models, routers = (means[means["kind"] == kind] for kind in ("model", "router"))
    figure, axes = plt.subplots(figsize=(11, 6.5), layout="constrained")
    positive = means.loc[means["cost"] > 0, "cost"]
    if len(positive) == len(means) and positive.max() > FAR * positive.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    names = routers["policy"].unique().tolist()
    for number, (name, colour) in enumerate(colours(names).items()):
        of_router = routers[routers["policy"] == name]
        marker = OF_ROUTERS[number % len(OF_ROUTERS)]
        axes.plot(
            of_router["cost"], of_router["quality_per_query"], marker, color=colour, markersize=5, alpha=0.55, zorder=3
        )
        draw_hull(axes, of_router, color=colour, marker=marker, label=name)
    draw_hull(axes, models, color="0.35", linestyle="--", linewidth=1.0, label="single models, hull", zorder=2)
    x, y = models["cost"], models["quality_per_query"]
    axes.plot(x, y, OF_MODELS, color="black", markersize=6, label="single model", zorder=4)
    axes.margins(x=0.1, y=0.06)  # room for the names of the outermost
    axes.set(
        xlabel="cost (USD per 1,000 arriving queries)" + (", logarithmic" if axes.get_xscale() == "log" else ""),
        ylabel="quality per arriving query (mean score)",
    )
    n_replications = table["replication"].nunique()
    of = "" if n_replications == 1 else f"means of {several(n_replications, 'replication')}; "
    axes.set_title(f"{of}small markers: settings, line: their hull", fontsize="small")
    legend_at_right(figure, axes)
    at, others = (part[["cost", "quality_per_query"]].to_numpy() for part in (models, routers))
    write_names(figure, axes, models["policy"].astype(str).tolist(), at, others)
    return figure


def draw_hull(axes: Axes, points: pd.DataFrame, **look: object) -> None:
    """Draw the non-decreasing hull of some points; markers, if any, are at its corners."""
    x, y = hull(points["cost"].to_numpy(), points["quality_per_query"].to_numpy())
    at = np.unique(np.concatenate([x, *(np.linspace(a, b, STEPS) for a, b in pairwise(x))]))
    corners = np.searchsorted(at, x).tolist()
    axes.plot(at, np.interp(at, x, y), markevery=corners, **{"markersize": 7, "linewidth": 1.5, **look})  # type: ignore[arg-type]
