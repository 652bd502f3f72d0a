"""Draws the figures of run and compare that have no time: quality, cost, and what became of the arrivals."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sim.interface import FloatArray
from sim.show.answers.findings import of_fates, of_money, of_quality
from sim.show.drawings.names import write_names
from sim.show.figures import bars_height_in, headline
from sim.show.words import several, shortened, total_cost
from sim.study.metrics import FATES
from sim.study.oracles import ORACLES
from sim.study.statistics import mean_interval

HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "**", "--")  # one per fate, for eyes and printers without colour
HEAD_IN = 0.4  # of a headline, or a legend below
MOST_NAMES = 25  # that are all written
PER_STEP = 25  # points along a line between two corners
BARS = ("#0173b2", "#949494")  # of a policy, and of what knows the future


def interval(values: pd.Series[float]) -> tuple[float, float]:
    """Return the ends of the 95% interval of the mean; the mean itself where there is one value.

    It ends at 0 where no value is below that.
    """
    mean, half_width = mean_interval(values.tolist())
    low = mean - np.nan_to_num(half_width)
    return low if values.min() < 0 else max(low, 0.0), mean + np.nan_to_num(half_width)


def quality(summary: pd.DataFrame) -> Figure:
    """Draw mean total quality per policy with its 95% interval, in their order."""
    policies = summary["policy"].unique().tolist()
    figure, axes = plt.subplots(figsize=(8, bars_height_in(len(policies)) + HEAD_IN), layout="constrained")
    sns.barplot(
        summary,
        x="quality",
        y="policy",
        hue="policy",
        palette={policy: BARS[policy in ORACLES] for policy in policies},
        errorbar=interval,
        ax=axes,
        legend=False,
    )
    means = summary.groupby("policy", sort=False)["quality"].mean()
    tops = summary.groupby("policy", sort=False)["quality"].agg(lambda values: interval(values)[1])
    for row, (mean, top) in enumerate(zip(means, tops, strict=True)):
        axes.text(top + 0.01 * tops.max(), row, f"{mean:.0f}", va="center", fontsize="small")
    axes.set(
        xlabel=f"total quality (sum of scores), mean and 95% interval of {replications(summary)}",
        ylabel="",
    )
    axes.margins(x=0.08)
    axes.set_yticks(range(len(policies)), map(shortened, policies))
    headline(figure, of_quality(summary))
    return figure


def cost_quality(summary: pd.DataFrame) -> Figure:
    """Draw mean total quality against mean total cost, a dot per policy with its name, and the line of the best.

    Where there are many policies, those that are beaten have a name if it hides nothing.
    """
    cost = total_cost(summary.columns)
    means = summary.groupby("policy", sort=False)[[cost, "quality"]].mean().reset_index()
    knows = means["policy"].isin(ORACLES)
    best = undominated(means.loc[~knows, [cost, "quality"]])
    figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
    axes.step(best[cost], best["quality"], where="post", color=BARS[0], linewidth=1.0, zorder=2)
    for is_best, colour, marker in ((True, BARS[0], "o"), (False, "white", "o")):
        of_kind = means[~knows & (means.index.isin(best.index) == is_best)]
        axes.plot(of_kind[cost], of_kind["quality"], marker, color=colour, markeredgecolor="black", clip_on=False)
    axes.plot(means.loc[knows, cost], means.loc[knows, "quality"], "D", color=BARS[1], markeredgecolor="black")
    axes.set(
        xlabel="total cost, charges and rent (USD)",
        ylabel="total quality (sum of scores)",
        xlim=(0, roomy(means[cost])),
        ylim=(0, roomy(means["quality"])),
    )
    kinds = "filled: nobody is better for the same money or less" + ("; grey: knows the future" if knows.any() else "")
    axes.set_title(f"mean of {replications(summary)}; {kinds}", fontsize="small")
    headline(figure, of_money(means.loc[best.index[::-1], "policy"].tolist(), int((~knows).sum())))
    first = [*best.index[::-1], *means.index[knows]]
    by_weight = means.loc[[*first, *means.index.difference(first, sort=False)]]
    at = by_weight[[cost, "quality"]].to_numpy()
    needed = len(means) if len(means) <= MOST_NAMES else len(first)
    write_names(figure, axes, by_weight["policy"].tolist(), at, along(best.to_numpy()), needed=needed, fontsize=8)
    return figure


def along(corners: FloatArray) -> FloatArray:
    """Return points (n, 2) along the steps through corners (n_corners, 2), which names should not hide."""
    if len(corners) < 2:
        return np.empty((0, 2))
    share = np.linspace(0.0, 1.0, PER_STEP)[:, None]
    found = []
    for (x, y), (right, top) in itertools.pairwise(corners):
        found += [np.array([x, y]) + share * [right - x, 0.0], np.array([right, y]) + share * [0.0, top - y]]
    return np.concatenate(found)


def undominated(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points, cost and quality in their columns, that are better than all that cost no more, by cost."""
    cost, quality = (points.iloc[:, place].to_numpy() for place in (0, 1))
    by_cost = np.lexsort((-quality, cost))
    before = np.concatenate([[-np.inf], np.maximum.accumulate(quality[by_cost])])[:-1]
    return points.iloc[by_cost[quality[by_cost] > before]]


def roomy(values: pd.Series[float]) -> float | None:
    """Return the end of an axis on which the mark of the largest value is whole; None where all are 0."""
    return 1.06 * float(values.max()) or None


def served(summary: pd.DataFrame) -> Figure:
    """Draw what became of the arrivals of each policy, as shares, in their order."""
    means = summary.groupby("policy", sort=False)[[*FATES, "arrived"]].mean()
    shares = means[list(FATES)].div(means["arrived"], axis=0) * 100
    figure, axes = plt.subplots(figsize=(8, bars_height_in(len(means)) + 2 * HEAD_IN), layout="constrained")
    left = np.zeros(len(shares))
    for fate, colour, hatch in zip(FATES, sns.color_palette("colorblind", len(FATES)), HATCHES, strict=True):
        if shares[fate].any():
            axes.barh(shares.index, shares[fate], left=left, color=colour, hatch=hatch, edgecolor="white", label=fate)
        left += shares[fate].to_numpy()
    axes.set_ylim(len(means) - 0.4, -0.6)
    axes.set_yticks(range(len(means)), map(shortened, shares.index))
    axes.grid(visible=False, axis="y")
    has_tasks = "tasks" in summary and bool(summary["tasks"].any())  # whose number of steps depends on the policy
    of = "the steps that arrived" if has_tasks else f"{means['arrived'].mean():.0f} arrivals"
    axes.set(
        xlabel=f"share of {of} (%), mean of {replications(summary)}",
        xlim=(0, 100),
    )
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncol=5, frameon=False)
    headline(figure, of_fates(summary))
    return figure


def replications(summary: pd.DataFrame) -> str:
    """Return the number of replications in words."""
    return several(summary["replication"].nunique(), "replication")
