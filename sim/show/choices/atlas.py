"""Draws where queries go on a map of their embeddings, under policies and in hindsight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sim.show.figures import MARKERS, colours, headline, legend_at_right, panels
from sim.show.words import above_a_panel, listed
from sim.study.explain.choices import HINDSIGHT

A_CELL, MOST_CELLS = 10, 16  # queries in one on average; how many there are across
UNSERVED = "not served"


def atlas(hindsight: pd.DataFrame, runs: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw a panel for hindsight and one per policy: in each cell of the map the most frequent end of its queries.

    Parameters
    ----------
    hindsight : DataFrame
        ``id``, ``deployment``, ``map_x`` and ``map_y`` of queries.
    runs : mapping of str to DataFrame
        The same of policies.
    """
    every = {HINDSIGHT: hindsight, **runs}
    cells = {name: most_frequent(run) for name, run in every.items()}
    used = set(pd.concat(cells.values())["end"])
    names = [name for name in hindsight["deployment"].cat.categories if name in used]
    colour = colours(names)
    figure, grid = panels(len(every), 3.4, 3.0, columns=2, margin_in=(2.3, 0.9))
    largest = max(int(table["n"].max()) for table in cells.values())
    for (name, table), axes in zip(cells.items(), grid, strict=True):
        for place, end in enumerate([*names, UNSERVED] if UNSERVED in used else names):
            rows = table[table["end"] == end]
            look: dict[str, Any] = {"marker": MARKERS[place % len(MARKERS)], "edgecolor": "black", "linewidth": 0.5}
            if end == UNSERVED:
                look = {"marker": "x", "linewidth": 0.9}
            size = 16 + 60 * rows["n"] / largest
            axes.scatter(rows["x"], rows["y"], size, color=colour.get(end, "0.45"), label=end, **look)
        axes.set_title(above_a_panel(name), fontsize="medium")
        axes.grid(visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    figure.supxlabel("first principal component of the embeddings", fontsize="medium")
    figure.supylabel("second principal component", fontsize="medium")
    for handle in legend_at_right(figure, grid[0]).legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([50.0])
    headline(figure, finding({name: agreement(hindsight, run) for name, run in runs.items()}))
    return figure


def most_frequent(run: pd.DataFrame) -> pd.DataFrame:
    """Return a row per cell that has queries: its middle ``x``, ``y``, their number ``n`` and most frequent ``end``."""
    n_cells = int(np.clip(np.sqrt(len(run) / A_CELL), 2, MOST_CELLS))
    places = {}
    for axis, column in (("x", "map_x"), ("y", "map_y")):
        values = run[column].to_numpy(dtype=np.float64)
        edges = np.linspace(values.min(), values.max(), n_cells + 1)
        cell = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, n_cells - 1)
        places[axis] = (edges[cell] + edges[cell + 1]) / 2
    ends = run["deployment"].astype(object).where(run["deployment"].notna(), UNSERVED)
    table = pd.DataFrame({**places, "end": ends.to_numpy(), "n": 1})
    counted = table.groupby(["x", "y", "end"])["n"].sum().reset_index()
    counted = counted.sort_values("n", ascending=False, kind="stable")
    totals = counted.groupby(["x", "y"], sort=False)["n"].transform("sum")
    found: pd.DataFrame = counted.assign(n=totals).drop_duplicates(["x", "y"])
    return found


def agreement(hindsight: pd.DataFrame, run: pd.DataFrame) -> float:
    """Return the share of queries that end at the same deployment, or at none, as in hindsight."""
    return float((hindsight["deployment"].cat.codes.to_numpy() == run["deployment"].cat.codes.to_numpy()).mean())


def finding(shares: Mapping[str, float]) -> str:
    """Return for how many queries policies do what hindsight does.

    >>> finding({"a": 0.5, "b": 0.25})
    'a decides on 50% of the queries as hindsight does, and b on 25%'
    """
    (first, share), *others = shares.items()
    words = listed([f"{name} on {other:.0%}" for name, other in others])
    return f"{first} decides on {share:.0%} of the queries as hindsight does{f', and {words}' if others else ''}"
