"""Marks events and crowds on drawings over time: which spans there are, how they look, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sim.show.answers.events import Spans, kinds

COLOURS = ("#5f5f5f", "#cc78bc", "#56b4e9", "#ca9161", "#ece133")  # none of them is one of the first lines
STRIP_IN, GAP_IN = 0.09, 0.03  # above a panel whose colours say something


@dataclass(frozen=True)
class Mark:
    """What is marked: in words, the spans in seconds (``inf`` for until the end), and a colour."""

    label: str
    spans: Spans
    colour: str


def marks(events: pd.DataFrame, n_deployments: int, policy: str | None = None) -> tuple[Mark, ...]:
    """Return what to mark, with a colour each; see ``sim.show.answers.events.kinds``."""
    return tuple(
        Mark(label, spans, COLOURS[place % len(COLOURS)])
        for place, (label, spans) in enumerate(kinds(events, n_deployments, policy))
    )


def shade(axes: Axes, shown: Sequence[Mark], begin_s: float, end_s: float, is_map: bool = False) -> None:
    """Mark spans on a panel between two times: shaded, or where colours say something, as a strip above it.

    Lines at both ends of a span go through the panel.
    """
    height_in = axes.get_position().height * axes.get_figure(root=True).get_size_inches()[1] if is_map else 1.0  # type: ignore[union-attr]
    for place, mark in enumerate(shown):
        low = 1 + (GAP_IN + place * (STRIP_IN + GAP_IN)) / height_in
        for from_s, until_s in mark.spans:
            left, right = max(from_s, begin_s), min(until_s, end_s)
            if left > right:
                continue
            look: dict[str, Any] = {"facecolor": mark.colour, "linewidth": 0}
            if is_map:
                axes.axvspan(left, right, low, low + STRIP_IN / height_in, clip_on=False, alpha=0.8, **look)
            else:
                axes.axvspan(left, right, alpha=0.13, zorder=0, **look)
            for edge_s in {from_s, until_s} - {begin_s}:
                if begin_s < edge_s < end_s:
                    colour = "white" if is_map else mark.colour
                    axes.axvline(edge_s, color=colour, linewidth=1.1, linestyle=(0, (4, 2)), zorder=2)


def name_marks(figure: Figure, shown: Sequence[Mark], title: str | None = None) -> None:
    """Say above all panels what is marked, below a title; nothing where nothing is."""
    if not shown:
        return
    handles = [Patch(facecolor=mark.colour, alpha=0.8, label=mark.label) for mark in shown]
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncol=min(2, len(handles)),
        frameon=False,
        title=title,
        title_fontproperties={"weight": "bold", "size": "medium"},
    )
