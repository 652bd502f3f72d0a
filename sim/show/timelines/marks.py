"""Marks events and crowds on drawings over time: which spans there are, how they look, and what they are called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sim.show.words import listed, number
from sim.study.output.archive import EVENTS

COLOURS = ("#5f5f5f", "#cc78bc", "#56b4e9", "#ca9161", "#ece133")  # none of them is one of the first lines
MOST_NAMED = 2  # deployments, beyond which they are counted
STRIP_IN, GAP_IN = 0.09, 0.03  # above a panel whose colours say something


@dataclass(frozen=True)
class Mark:
    """What is marked: in words, the spans in seconds (``inf`` for until the end), and a colour."""

    label: str
    spans: tuple[tuple[float, float], ...]
    colour: str


def read_events(folder: Path, replication: int = 0) -> pd.DataFrame:
    """Return what happened in one replication; an empty table where nothing did, or nothing was written of it."""
    if not (folder / EVENTS).is_file():
        return pd.DataFrame(columns=["policy", "replication", "deployment", "what", "from_s", "until_s"])
    events = pd.read_csv(folder / EVENTS, dtype={"deployment": str}, keep_default_na=False, na_values={"until_s": [""]})
    return events[events["replication"] == replication]


def marks(events: pd.DataFrame, n_deployments: int, policy: str | None = None) -> tuple[Mark, ...]:
    """Return what to mark, one mark for all spans of one kind at the same deployments, in order of time.

    Parameters
    ----------
    events : DataFrame
        As ``read_events`` returns it.
    n_deployments : int
        So that what happens to all of them is said so.
    policy : str or None
        Of whose run; None for the first.
    """
    if events.empty:
        return ()
    named = events["policy"].iloc[0] if policy is None else policy
    spans: dict[tuple[str, float, float], list[str]] = {}
    for row in events[events["policy"] == named].to_dict("records"):
        until_s = math.inf if pd.isna(row["until_s"]) else float(row["until_s"])
        spans.setdefault((row["what"], float(row["from_s"]), until_s), []).append(str(row["deployment"]))
    kinds: dict[tuple[str, tuple[str, ...]], list[tuple[float, float]]] = {}
    for (what, from_s, until_s), where in spans.items():
        kinds.setdefault((what, tuple(where)), []).append((from_s, until_s))
    return tuple(
        Mark(f"{what}{of(where, n_deployments)}, {when(found)}", tuple(found), COLOURS[place % len(COLOURS)])
        for place, ((what, where), found) in enumerate(kinds.items())
    )


def of(where: Sequence[str], n_deployments: int) -> str:
    """Return the deployments in words, as they follow what happened to them; nothing for what is at none.

    >>> of([""], 3), of(["a"], 3), of(["a", "b", "c"], 3), of(["a"], 1)
    ('', ': a', ': all deployments', ': a')
    """
    names = [name for name in where if name]
    if len(names) == n_deployments > 1:
        return ": all deployments"
    if len(names) > MOST_NAMED:
        return f": {len(names)} deployments"
    return f": {listed(names)}" if names else ""


def when(spans: Sequence[tuple[float, float]]) -> str:
    """Return the times of spans in words.

    >>> when([(60.0, 120.0)]), when([(60.0, math.inf)]), when([(60.0, 60.0)]), when([(1.0, 2.0), (5.0, 6.0)])
    ('60 to 120 s', 'from 60 s on', 'at 60 s', '2 times')
    """
    if len(spans) > 1:
        return f"{len(spans)} times"
    [(from_s, until_s)] = spans
    if until_s == from_s:
        return f"at {number(from_s)} s"
    return f"from {number(from_s)} s on" if math.isinf(until_s) else f"{number(from_s)} to {number(until_s)} s"


def happened(folder: Path) -> list[str]:
    """Return what happened in replication 0 of an output, in words."""
    events = read_events(folder)
    n_deployments = len(pd.read_csv(folder / "fleet.csv").query("replication == 0")) if len(events) else 0
    return [mark.label for mark in marks(events, n_deployments)]


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
    figure.legend(handles=handles, loc="outside upper center", ncol=min(2, len(handles)), frameon=False, title=title)
