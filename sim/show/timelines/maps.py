"""Draws numbers over time, a panel per policy: as lines where there are few, as brightness where there are many."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.interface import FloatArray
from sim.show.figures import DASHES, colours, headline, legend_at_right, panels, wrapped
from sim.show.timelines.marks import Mark, name_marks, shade
from sim.show.words import above_a_panel

MOST_LINES = 4  # deployments, beyond which lines hide each other
FEW = 0.1  # of a logarithmic scale, below which a number counts as none
ALONE_IN, TOGETHER_IN = 6.5, 7.2  # width of a panel without others beside it, and of two or three
Marks = Mapping[str, Sequence[Mark]]


def over_time(
    numbers: Mapping[str, FloatArray],
    rows: Sequence[tuple[str, str]],
    edges_s: FloatArray,
    label: str,
    marks: Marks,
    *,
    most: float | None = None,
    is_logarithmic: bool = False,
    title: str = "",
) -> Figure:
    """Draw rows of numbers over time, a panel per policy, with what happened marked.

    Parameters
    ----------
    numbers : mapping of str to array (n_rows, n_bins)
        Of each policy; NaN is left out.
    rows : sequence of (str, str)
        The deployment of each row, and which of its numbers it is: empty for the only one.
    edges_s : array (n_bins + 1,)
    label : str
        Of the numbers, with their unit.
    marks : mapping of str to sequence of Mark
        Of each policy.
    most : float or None
        The end of the scale; None for the greatest number.
    is_logarithmic : bool
        Whether brightness is on a logarithmic scale; lines never are.
    title : str
        What it shows.
    """
    top = most or max(float(np.nanmax(values)) for values in numbers.values())
    if len({deployment for deployment, _ in rows}) <= MOST_LINES:
        figure = lines(numbers, rows, edges_s, label, marks, top)
    else:
        figure = maps(numbers, rows, edges_s, label, marks, top, is_logarithmic)
    figure.supxlabel("simulated time (s), replication 0", fontsize="medium")
    named = {mark.label: mark for of_policy in marks.values() for mark in of_policy if is_within(mark, edges_s)}
    if title and not named:
        headline(figure, title)
    name_marks(figure, list(named.values()), wrapped(title, figure.get_size_inches()[0]) if title else None)
    return figure


def is_within(mark: Mark, edges_s: FloatArray) -> bool:
    """Return whether any span of a mark is within the edges."""
    return any(from_s <= edges_s[-1] and until_s >= edges_s[0] for from_s, until_s in mark.spans)


def width_in(n_panels: int, narrow: float) -> float:
    """Return the width of a panel in inches; fewer are wider."""
    return ALONE_IN if n_panels == 1 else max(narrow, TOGETHER_IN / min(n_panels, 4))


def lines(
    numbers: Mapping[str, FloatArray],
    rows: Sequence[tuple[str, str]],
    edges_s: FloatArray,
    label: str,
    marks: Marks,
    top: float,
) -> Figure:
    """Draw each row as a line: its deployment is the colour, and which of its numbers it is the dash.

    Where there is one number a deployment, the dash is the deployment's too.
    """
    figure, grid = panels(len(numbers), width_in(len(numbers), 2.4), 2.9, margin_in=(2.2, 0.9))
    colour = colours(list(dict.fromkeys(deployment for deployment, _ in rows)))
    kinds = list(dict.fromkeys(kind for _, kind in rows))
    for (policy, values), axes in zip(numbers.items(), grid, strict=True):
        for (deployment, kind), row in zip(rows, values, strict=True):
            place = kinds.index(kind) if len(kinds) > 1 else list(colour).index(deployment)
            look: dict[str, Any] = {"linestyle": DASHES[place % len(DASHES)], "linewidth": 1.6}
            axes.stairs(row, edges_s, baseline=None, color=colour[deployment], label=words((deployment, kind)), **look)
        shade(axes, marks.get(policy, ()), edges_s[0], edges_s[-1])
        if len(numbers) > 1:
            axes.set_title(above_a_panel(policy), fontsize="medium")
        axes.xaxis.set_major_locator(ticks(len(numbers)))
    grid[0].set(ylabel=label, ylim=(0, 1.04 * top), xlim=(edges_s[0], edges_s[-1]))
    if len(rows) > 1:
        legend_at_right(figure, grid[0])
    elif len(numbers) == 1:
        grid[0].set_title(words(rows[0]), fontsize="medium")
    return figure


def maps(
    numbers: Mapping[str, FloatArray],
    rows: Sequence[tuple[str, str]],
    edges_s: FloatArray,
    label: str,
    marks: Marks,
    top: float,
    is_logarithmic: bool,
) -> Figure:
    """Draw each row as a strip whose brightness is the number; NaN is left white."""
    scale = LogNorm(FEW, max(top, 1.0), clip=True) if is_logarithmic else Normalize(0, top)
    height_in = max(1.9, 0.7 + 0.2 * len(rows))
    figure, grid = panels(len(numbers), width_in(len(numbers), 2.4), height_in, margin_in=(2.6, 0.9))
    n_marks = max(map(len, marks.values()), default=0)
    for (policy, values), axes in zip(numbers.items(), grid, strict=True):
        # Thousands of cells would be as many paths in SVG.
        image = axes.pcolormesh(edges_s, np.arange(len(rows) + 1), values, cmap="viridis", norm=scale, rasterized=True)
        shade(axes, marks.get(policy, ()), edges_s[0], edges_s[-1], is_map=True)
        if len(numbers) > 1:
            axes.set_title(above_a_panel(policy), fontsize="medium", pad=6 + 9 * n_marks)
        axes.grid(visible=False)
        axes.xaxis.set_major_locator(ticks(len(numbers)))
        axes.tick_params(axis="y", labelsize=8)
    grid[0].set_xlim(edges_s[0], edges_s[-1])
    grid[0].set_yticks(np.arange(len(rows)) + 0.5, [words(row) for row in rows])
    grid[0].invert_yaxis()
    bar = figure.colorbar(image, ax=grid, label=label, shrink=0.9, pad=0.02)
    if is_logarithmic:
        bar.ax.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{FEW} or less" if math.isclose(value, FEW) else f"{value:g}")
        )
    return figure


def ticks(n_panels: int) -> MaxNLocator:
    """Return where the axis of time has numbers; of several panels, none where the next panel begins."""
    return MaxNLocator(6) if n_panels == 1 else MaxNLocator(4, prune="upper")


def words(row: tuple[str, str]) -> str:
    """Return the name of a row."""
    return f"{row[0]}, {row[1]}" if row[1] else row[0]
