"""Draws who was served, by difficulty and cost, under policies and in hindsight."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sim.interface import IntArray
from sim.show.figures import headline, heat_map, panels
from sim.show.words import above_a_panel, listed
from sim.study.explain.choices import HINDSIGHT

DIFFICULTY = ("easiest", "easier", "harder", "hardest")
COST = ("cheapest", "cheaper", "dearer", "dearest")


def served_by(hindsight: pd.DataFrame, runs: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw a panel for hindsight and one per policy: the share served in each quarter of difficulty and of cost.

    Parameters
    ----------
    hindsight : DataFrame
        ``fate``, ``difficulty`` and ``mean_cost_usd`` of queries.
    runs : mapping of str to DataFrame
        The same of policies.
    """
    shares = {name: shares_of(run) for name, run in {HINDSIGHT: hindsight, **runs}.items()}
    figure, grid = panels(len(shares), 3.6, 2.6, columns=2, margin_in=(1.4, 1.2), layout=None)
    for (name, share), axes in zip(shares.items(), grid, strict=True):
        notes = share.map(lambda value: "" if np.isnan(value) else f"{value:.0f}%")
        heat_map(share, notes, axes, ends=(0.0, 100.0))
        axes.set_title(above_a_panel(name), fontsize="medium")
        plt.setp(axes.get_yticklabels(), rotation=0)
        axes.tick_params(labelsize="small")
        axes.grid(visible=False)
    figure.set_layout_engine("constrained")  # not before, as every heat map is drawn once to see if its labels overlap
    figure.supxlabel("queries by cost (mean of all deployments, USD), in quarters", fontsize="medium")
    for axes in grid[::2]:
        axes.set_ylabel("by difficulty, in quarters")
    headline(figure, finding({name: (of(run, 0), of(run, 3)) for name, run in {HINDSIGHT: hindsight, **runs}.items()}))
    return figure


def shares_of(run: pd.DataFrame) -> pd.DataFrame:
    """Return the share served in per cent, a row per quarter of difficulty and a column per quarter of cost."""
    table = run.assign(
        easy=quarter(run["difficulty"]), cheap=quarter(run["mean_cost_usd"]), served=100.0 * is_served(run)
    )
    share = table.pivot_table(index="easy", columns="cheap", values="served")
    share = share.reindex(index=range(4), columns=range(4))
    return share.set_axis(list(DIFFICULTY), axis=0).set_axis(list(COST), axis=1)


def is_served(run: pd.DataFrame) -> pd.Series[bool]:
    """Return which queries were answered."""
    return run["fate"].isin(["served", "cached"])


def quarter(values: pd.Series[float]) -> IntArray:
    """Return in which quarter by rank each value is, from 0 to 3; of equal ones the first has the lower rank."""
    rank = values.rank(method="first").to_numpy() - 1
    found: IntArray = (4 * rank / len(values)).astype(np.int64)
    return found


def of(run: pd.DataFrame, difficulty: int) -> float:
    """Return the share served of the queries in a quarter of difficulty."""
    return float(is_served(run)[quarter(run["difficulty"]) == difficulty].mean())


def finding(ends: Mapping[str, tuple[float, float]]) -> str:
    """Return what of the easiest and of the hardest quarter each serves.

    >>> finding({"hindsight": (0.9, 0.1), "a": (0.3, 0.25)})
    'Of the easiest quarter hindsight serves 90% and a 30%; of the hardest 10% and 25%'
    """
    (first, (share, _)), *others = ends.items()
    easy = listed([f"{first} serves {share:.0%}", *(f"{name} {low:.0%}" for name, (low, _) in others)])
    return f"Of the easiest quarter {easy}; of the hardest {listed([f'{high:.0%}' for _, high in ends.values()])}"
