"""Draws quality against cost at the prices of budgets: lines of equal worth, one query, and the paths of policies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sim.interface import FloatArray
from sim.show.drawings.names import write_names
from sim.show.figures import headline, panels
from sim.show.words import above_a_panel

PARTS = 12  # of a run
MOST_NAMES = 16
BLUE = "#0173b2"


def plane(candidates: pd.DataFrame | None, hindsight: pd.DataFrame, runs: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw a panel for one query, where it is known, and one per policy with its path beside that of hindsight.

    Parameters
    ----------
    candidates : DataFrame or None
        A row per deployment: ``id`` of the query, ``deployment``, ``quality``, ``priced_cost``.
    hindsight : DataFrame
        ``id``, ``quality`` and ``priced_cost`` of every query under the plan.
    runs : mapping of str to DataFrame
        The same of policies.
    """
    n_panels = len(runs) + (candidates is not None)
    figure, grid = panels(n_panels, 4.3, 3.3, columns=2, margin_in=(0.6, 1.0), sharex=False, sharey=False)
    paths = {policy: path(run) for policy, run in runs.items()}
    best = hindsight[["priced_cost", "quality"]].mean().to_numpy(dtype=np.float64)
    most = np.max([*(each.max(axis=0) for each in paths.values()), best], axis=0) * 1.12
    for (policy, steps), axes in zip(paths.items(), grid[-len(paths) :], strict=True):
        lines(axes, most)
        axes.plot([0, most[0]], [best[1] - best[0], best[1] - best[0] + most[0]], "--", color="black", linewidth=1)
        axes.axvline(best[0], color="black", linewidth=1, linestyle=(0, (1, 2)))
        axes.text(best[0] + 0.01 * most[0], 0.02 * most[1], "budget", fontsize=8)
        axes.plot(
            *steps.T, "-o", color=BLUE, markeredgecolor="black", markersize=5, linewidth=1.2, zorder=3, clip_on=False
        )
        axes.plot(*best, "D", color="0.6", markeredgecolor="black", markersize=8, zorder=4)
        axes.set(xlim=(0, most[0]), ylim=(0, most[1]))
        axes.set_title(above_a_panel(policy), fontsize="medium")
    for axes in grid[-2:]:
        axes.set_xlabel("priced cost per arriving query (quality)")
    for axes in grid[::2]:
        axes.set_ylabel("quality per query (score)")
    if candidates is not None:
        at = candidates[["priced_cost", "quality"]].to_numpy(dtype=np.float64)
        one_query(grid[0], candidates, at)
    headline(figure, finding(paths, best))
    for steps, axes in zip(paths.values(), grid[-len(paths) :], strict=True):
        words = ["first", "last", "hindsight"]
        across = np.linspace(0, most[0], 60)
        dashed = np.stack([across, across + best[1] - best[0]], axis=1)
        dotted = np.stack([np.full(60, best[0]), np.linspace(0, most[1], 60)], axis=1)
        others = np.concatenate([steps[1:-1], dashed, dotted])
        write_names(figure, axes, words, np.array([steps[0], steps[-1], best]), others, fontsize=8)
    if candidates is not None:
        names = candidates["deployment"].tolist()
        ranked = np.argsort(at[:, 0] - at[:, 1], kind="stable")
        needed = len(names) if len(names) <= MOST_NAMES else 1
        by_worth = [names[place] for place in ranked]
        write_names(figure, grid[0], by_worth, at[ranked], np.empty((0, 2)), needed=needed, fontsize=8)
    return figure


def path(run: pd.DataFrame) -> FloatArray:
    """Return mean priced cost and mean quality of the queries in each part of a run (n_parts, 2), in time."""
    part = np.arange(len(run)) * min(PARTS, len(run)) // len(run)
    in_time = run.sort_values("id", kind="stable")[["priced_cost", "quality"]]
    means: FloatArray = in_time.groupby(part).mean().to_numpy(dtype=np.float64)
    return means


def lines(axes: Axes, most: FloatArray) -> None:
    """Draw lines of equal quality less priced cost through a panel that ends at ``most`` (2,)."""
    step = max(float(np.diff(MaxNLocator(6).tick_values(0, most[1]))[0]), 1e-12)
    worths = np.arange(-step * np.ceil(most[0] / step), most[1], step)
    ends = [[(0.0, worth), (most[0], worth + most[0])] for worth in worths]
    axes.add_collection(LineCollection(ends, colors="0.8", linewidths=0.8, zorder=0), autolim=False)
    axes.grid(visible=False)


def one_query(axes: Axes, candidates: pd.DataFrame, at: FloatArray) -> None:
    """Draw what one query would get and cost at each deployment (n_deployments, 2), the best worth filled."""
    worth = at[:, 1] - at[:, 0]
    best, highest = int(worth.argmax()), int(at[:, 1].argmax())
    most = np.maximum(at.max(axis=0) * [1.15, 1.15], 1e-9)
    lines(axes, most)
    axes.plot([0, most[0]], [worth[best], worth[best] + most[0]], "--", color="black", linewidth=1)
    axes.plot(*at.T, "o", color="white", markeredgecolor="black", zorder=3, clip_on=False)
    axes.plot(*at[best], "o", color=BLUE, markeredgecolor="black", markersize=9, zorder=4, clip_on=False)
    names = candidates["deployment"].tolist()
    words = f"query {candidates['id'].iloc[0]}: {names[best]} is worth {worth[best]:.2f}"
    if highest != best:
        words += f",\n{names[highest]}, the best answer, {worth[highest]:.2f}"
    axes.set_title(words, fontsize="small")
    low = max(0.0, min(at[:, 1].min(), worth[best]) - 0.3 * np.ptp(at[:, 1]))
    axes.set(xlim=(0, most[0]), ylim=(low, most[1]), xlabel="priced cost (quality)")


def finding(paths: Mapping[str, FloatArray], best: FloatArray) -> str:
    """Return which policy begins the farthest from what budgets allow, and how it ends.

    Parameters
    ----------
    paths : mapping of str to array (n_parts, 2)
    best : array (2,)
        Mean priced cost and quality of hindsight.
    """
    first = max(paths, key=lambda policy: abs(paths[policy][0, 0] - best[0]))
    begins, ends = paths[first][0, 0] / best[0], paths[first][-1, 0] / best[0]
    words = f"{first} begins with {begins:.1f} times what the budgets allow per query and ends with "
    words += f"{ends:.1f} times" if ends >= 0.05 else "nothing"
    nearest = min(paths, key=lambda policy: float(np.abs(paths[policy][:, 0] - best[0]).max()))
    if nearest == first:
        return words
    low, high = paths[nearest][:, 0].min() / best[0], paths[nearest][:, 0].max() / best[0]
    return f"{words}; {nearest} keeps between {low:.1f} and {high:.1f}"
