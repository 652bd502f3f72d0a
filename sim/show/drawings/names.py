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
from matplotlib.transforms import Bbox

from sim.interface import FloatArray

POINTS_PER_INCH = 72
AROUND = ((1, 0.35), (-1, 0.35), (1, -0.6), (-1, -0.6), (0, 1), (0, -1), (1, 1.4), (-1, 1.4), (1, -1.6), (-1, -1.6))
REACH = (7.0, 11.0, 19.0, 29.0, 42.0, 60.0, 85.0, 115.0)  # from a point to its name, in printers' points
DOT = 3.5  # half the width of a point, likewise
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
    taken = [Bbox.from_bounds(x - DOT * scale, y - DOT * scale, 2 * DOT * scale, 2 * DOT * scale) for x, y in dots]
    left_out = 0
    for number, (name, point) in enumerate(zip(names, points, strict=True)):
        text = axes.annotate(
            name,
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
        x, y = axes.transData.transform(point)
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
        if best[0] and needed is not None and number >= needed:
            text.remove()
            left_out += 1
            continue
        text.set_position(best[1:3])
        taken.append(best[3])
    return left_out
