"""Offers the kit of all figures: grids of panels, colours, markers, dashes, heat maps and contrast."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from sim.show.words import shortened
from sim.study.oracles import ORACLES

MARKERS = "osD^vP*Xp<>h"
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (6, 1.5, 1, 1.5, 1, 1.5)))
GREY = 7  # of the palette; it is for what knows the future
LETTERS_PER_INCH = 10.5  # of a headline, on average
EQUAL_CONTRAST = 0.179  # the luminance on which black and white can be read equally well (WCAG 2.1)


def bars_height_in(n_bars: int) -> float:
    """Return the height of a chart with a bar per policy, in inches."""
    return 1.2 + 0.34 * n_bars


def colours(policies: Sequence[str]) -> dict[str, Any]:
    """Return a colour for each policy that the colour-blind tell apart, as far as there are; optima are grey."""
    palette = sns.color_palette("colorblind")
    safe = [colour for place, colour in enumerate(palette) if place != GREY]
    routers = [policy for policy in policies if policy not in ORACLES]
    chosen = safe if len(routers) <= len(safe) else sns.color_palette("husl", len(routers))
    found = dict(zip(routers, chosen, strict=False))
    return {policy: found.get(policy, palette[GREY]) for policy in policies}


def look(number: int) -> dict[str, Any]:
    """Return marker and dash of the line with a number; with their colours, they repeat together only after 60."""
    return {"marker": MARKERS[number % len(MARKERS)], "linestyle": DASHES[number % len(DASHES)]}


def panels(
    n_panels: int,
    width_in: float,
    height_in: float,
    *,
    columns: int = 4,
    margin_in: tuple[float, float] = (1.0, 1.0),
    sharex: bool = True,
    sharey: bool = True,
    layout: Any = "constrained",
) -> tuple[Figure, list[Axes]]:
    """Return a figure with some panels, row by row, the unused ones hidden.

    Parameters
    ----------
    n_panels : int
    width_in, height_in : float
        Of one panel, in inches.
    columns : int
        At most so many side by side.
    margin_in : tuple of float
        Around all of them, across and down.
    sharex, sharey : bool
        Whether all panels have the same axes; then only the outer ones have numbers.
    layout : str or None
        Of Matplotlib.
    """
    n_columns = min(columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    size = (margin_in[0] + width_in * n_columns, margin_in[1] + height_in * n_rows)
    figure, grid = plt.subplots(
        n_rows, n_columns, figsize=size, sharex=sharex, sharey=sharey, squeeze=False, layout=layout
    )
    every: list[Axes] = grid.ravel().tolist()
    for unused in every[n_panels:]:
        unused.set_axis_off()
    if sharex:
        for lowest in every[max(0, n_panels - n_columns) : n_panels]:  # a hidden panel below has no numbers
            lowest.tick_params(axis="x", labelbottom=True)
    return figure, every[:n_panels]


def heat_map(
    values: pd.DataFrame,
    notes: pd.DataFrame,
    axes: Axes,
    *,
    label: str | None = None,
    ends: tuple[float | None, float | None] = (None, None),
) -> None:
    """Draw a table as a heat map whose notes can be read on every cell; lighter is higher, also in grey.

    Parameters
    ----------
    values, notes : DataFrame
        Numbers, and what is written on their cells.
    axes : Axes
    label : str or None
        Of the colour bar, with its unit; None for no bar.
    ends : tuple of float or None
        Of the scale; None for the least and the greatest value.
    """
    sns.heatmap(
        values,
        vmin=ends[0],
        vmax=ends[1],
        annot=notes.to_numpy(),
        fmt="",
        annot_kws={"fontsize": "small"},
        cmap="cividis",
        linewidths=1.2,
        cbar=label is not None,
        cbar_kws=None if label is None else {"label": label},
        ax=axes,
    )
    in_contrast(axes)
    axes.set(xlabel="", ylabel="")


def in_contrast(axes: Axes) -> None:
    """Write the numbers of a heat map in black or white, whichever is easier to read on its cell; some have none."""
    mesh = axes.collections[0]
    has_number = ~np.ma.getmaskarray(np.ma.asarray(mesh.get_array())).ravel()
    for text, colour in zip(axes.texts, np.asarray(mesh.get_facecolor())[has_number], strict=False):
        text.set_color("black" if sns.utils.relative_luminance(colour) > EQUAL_CONTRAST else "white")


def headline(figure: Figure, words: str) -> None:
    """Write what a figure shows above all of it, in a sentence that is broken into lines where it is too long."""
    width_in = figure.get_size_inches()[0]
    figure.suptitle(wrapped(words, width_in), fontsize="medium", fontweight="bold", x=0.01, ha="left")


def wrapped(words: str, width_in: float) -> str:
    """Return a sentence in lines that are at most so wide in the letters of a headline."""
    return textwrap.fill(words, max(20, int(width_in * LETTERS_PER_INCH)))


def legend_at_right(figure: Figure, axes: Axes) -> Legend:
    """Put the legend of one panel beside all of them, and return it."""
    handles, labels = axes.get_legend_handles_labels()
    names = [shortened(label) for label in labels]
    return figure.legend(handles, names, loc="outside right center", frameon=False, handlelength=3.5)
