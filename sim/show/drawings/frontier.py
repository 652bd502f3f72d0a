"""Draws cost against quality: the settings of each router with their hull, and single models with their names."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from sim.show.figures import MARKERS, colours, legend_at_right
from sim.show.words import several
from sim.study.frontier.curve import hull

FAR = 15.0  # the dearest by the cheapest point, from which on the axis of cost is logarithmic
OF_MODELS = "X"
OF_ROUTERS = MARKERS.replace(OF_MODELS, "")
STEPS = 60  # of a hull's line, which bends on a logarithmic axis
POINTS_PER_INCH = 72
AROUND = ((1, 0.35), (-1, 0.35), (1, -0.6), (-1, -0.6), (0, 1), (0, -1), (1, 1.4), (-1, 1.4), (1, -1.6), (-1, -1.6))
REACH = (7.0, 11.0, 19.0, 29.0, 42.0)  # from a point to its name, in printers' points
DOT = 3.5  # half the width of a point, likewise
OUTSIDE = 5  # so many hidden names is a name beyond the axes worth


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
    write_names(figure, axes, models, means)
    return figure


def draw_hull(axes: Axes, points: pd.DataFrame, **look: object) -> None:
    """Draw the non-decreasing hull of some points; markers, if any, are at its corners."""
    x, y = hull(points["cost"].to_numpy(), points["quality_per_query"].to_numpy())
    at = np.unique(np.concatenate([x, *(np.linspace(a, b, STEPS) for a, b in pairwise(x))]))
    corners = np.searchsorted(at, x).tolist()
    axes.plot(at, np.interp(at, x, y), markevery=corners, **{"markersize": 7, "linewidth": 1.5, **look})  # type: ignore[arg-type]


def write_names(figure: Figure, axes: Axes, models: pd.DataFrame, every: pd.DataFrame) -> None:
    """Write the name of each single model near its point, where it hides as few other names and points as can be."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # so that what is measured here stays
    scale = figure.dpi / POINTS_PER_INCH
    inside = axes.get_window_extent()
    dots = axes.transData.transform(every[["cost", "quality_per_query"]].to_numpy())
    taken = [Bbox.from_bounds(x - DOT * scale, y - DOT * scale, 2 * DOT * scale, 2 * DOT * scale) for x, y in dots]
    for name, cost, quality in models[["policy", "cost", "quality_per_query"]].itertuples(index=False):
        text = axes.annotate(
            str(name),
            (cost, quality),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=7,
            zorder=6,
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": "0.5", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2},
        )
        x, y = axes.transData.transform((cost, quality))
        extent = Text.get_window_extent(text)  # without the line to the point
        width, height = extent.width / scale, extent.height / scale
        best: tuple[int, float, float, Bbox] | None = None
        for reach in REACH:
            for right, up in AROUND:
                across, above = right * (reach + width / 2), up * reach
                left, low = x + (across - width / 2) * scale, y + (above - height / 2) * scale
                box = Bbox.from_bounds(left, low, width * scale, height * scale)
                hits = sum(box.overlaps(other) for other in taken)
                hits += OUTSIDE * (not (inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1)))
                if best is None or hits < best[0]:
                    best = hits, across, above, box
            if best is not None and best[0] == 0:
                break
        assert best is not None
        text.set_position(best[1:3])
        taken.append(best[3])
