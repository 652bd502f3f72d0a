"""Writes names beside points of a drawing, so that each hides as few others as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import BboxBase

from sim.interface import BoolArray, FloatArray
from sim.show.words import shortened

POINTS_PER_INCH = 72
AROUND = ((1, 0.35), (-1, 0.35), (1, -0.6), (-1, -0.6), (0, 1), (0, -1), (1, 1.4), (-1, 1.4), (1, -1.6), (-1, -1.6))
REACH = (7.0, 11.0, 19.0, 29.0, 42.0, 60.0, 85.0, 115.0)  # from a point to its name, in printers' points
DOT = 3.5  # half the width of a point, likewise
ALONG = (0.3, 0.5, 0.7)  # the line from a point to its name, where it should cross nothing
OUTSIDE = 5  # so many hidden names is a name beyond the axes worth


def write_names(
    figure: Figure,
    axes: Axes,
    names: Sequence[str],
    points: FloatArray,
    others: FloatArray,
    *,
    needed: int | None = None,
    **look: Any,
) -> int:
    """Write a name near each point, where it hides as few names and points as can be; the layout is settled by that.

    Return how many are left out.

    Parameters
    ----------
    figure : Figure
    axes : Axes
        With all else drawn.
    names : sequence of str
    points : array (n_names, 2)
        In the units of the axes.
    others : array (n, 2)
        Points without a name that should stay visible too.
    needed : int or None
        So many names, the first, are written in any case, the others if they hide nothing; None for all.
    **look
        Of the letters, as Matplotlib has it.
    """
    if not isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine):  # which other names have left here
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # so that what is measured here stays
    scale = figure.dpi / POINTS_PER_INCH
    inside = axes.get_window_extent()
    dots = axes.transData.transform(np.concatenate([points, others]))
    taken = np.concatenate([dots - DOT * scale, dots + DOT * scale], axis=1)  # left, bottom, right and top of each
    places = np.array([(right, up, reach) for reach in REACH for right, up in AROUND])
    left_out = 0
    for number, (name, point) in enumerate(zip(names, points, strict=True)):
        text = axes.annotate(
            shortened(name),
            (float(point[0]), float(point[1])),
            xytext=(0, 0),
            textcoords="offset points",
            zorder=6,
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": "0.5", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2},
            **{"fontsize": 7, **look},
        )
        extent = Text.get_window_extent(text)  # without the line to the point
        size = np.array([extent.width, extent.height]) / scale
        centres = places[:, :2] * places[:, 2:] + places[:, :1] * [size[0] / 2, 0.0]  # from the point, in points
        here = axes.transData.transform(point)
        middles = here + centres * scale
        boxes = np.concatenate([middles - size / 2 * scale, middles + size / 2 * scale], axis=1)
        lines = np.stack([here + share * (middles - here) for share in ALONG], axis=1)  # (n_places, 3, 2)
        of_lines = overlapping(np.tile(lines.reshape(-1, 2), 2), taken[len(dots) :]).any(axis=1).reshape(-1, len(ALONG))
        hits = overlapping(boxes, taken).sum(axis=1) + of_lines.sum(axis=1) + OUTSIDE * ~within(boxes, inside)
        best = int(hits.argmin())  # the nearest of those that hide fewest
        if hits[best] and needed is not None and number >= needed:
            text.remove()
            left_out += 1
            continue
        text.set_position(tuple(centres[best]))
        taken = np.concatenate([taken, boxes[best : best + 1], np.tile(lines[best], 2)])
    return left_out


def overlapping(boxes: FloatArray, others: FloatArray) -> BoolArray:
    """Return which of some boxes (n, 4), left, bottom, right and top, touch which others (n_others, 4)."""
    ours, theirs = boxes[:, None, :], others[None, :, :]
    both = np.concatenate([ours[..., :2] <= theirs[..., 2:], theirs[..., :2] <= ours[..., 2:]], axis=2)
    found: BoolArray = np.asarray(both.all(axis=2))
    return found


def within(boxes: FloatArray, frame: BboxBase) -> BoolArray:
    """Return which boxes (n, 4) are in a frame."""
    found: BoolArray = np.asarray(((boxes[:, :2] >= frame.min) & (boxes[:, 2:] <= frame.max)).all(axis=1))
    return found
