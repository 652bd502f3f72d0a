"""Draws the figures of run and compare: quality, cost, what became of the arrivals, and spending over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sim.interface import FloatArray
from sim.show.drawings.names import write_names
from sim.show.figures import bars_height_in, time_maps
from sim.show.words import several, total_cost
from sim.study.metrics import FATES
from sim.study.oracles import ORACLES
from sim.study.output.records import read_requests, work_by_policy
from sim.study.statistics import mean_interval

HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "**", "--")  # one per fate, for eyes and printers without colour
TIME_BINS = 60
BARS = ("#0173b2", "#949494")  # of a policy, and of what knows the future


def interval(values: pd.Series[float]) -> tuple[float, float]:
    """Return the ends of the 95% interval of the mean; the mean itself where there is one value."""
    mean, half_width = mean_interval(values.tolist())
    return mean - np.nan_to_num(half_width), mean + np.nan_to_num(half_width)


def quality(summary: pd.DataFrame) -> Figure:
    """Draw mean total quality per policy with its 95% interval."""
    policies = summary["policy"].unique().tolist()
    figure, axes = plt.subplots(figsize=(8, bars_height_in(len(policies))))
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
    return figure


def cost_quality(summary: pd.DataFrame) -> Figure:
    """Draw mean total quality against mean total cost, a dot per policy with its name, and the line of the best."""
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
    at = means[[cost, "quality"]].to_numpy()
    write_names(figure, axes, means["policy"].tolist(), at, np.empty((0, 2)), fontsize=8)
    return figure


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
    """Draw what became of the arrivals of each policy, as shares."""
    means = summary.groupby("policy", sort=False)[[*FATES, "arrived"]].mean()
    shares = means[list(FATES)].div(means["arrived"], axis=0) * 100
    figure, axes = plt.subplots(figsize=(8, bars_height_in(len(means))))
    left = np.zeros(len(shares))
    for fate, colour, hatch in zip(FATES, sns.color_palette("colorblind", len(FATES)), HATCHES, strict=True):
        if shares[fate].any():
            axes.barh(shares.index, shares[fate], left=left, color=colour, hatch=hatch, edgecolor="white", label=fate)
        left += shares[fate].to_numpy()
    axes.set_ylim(len(means) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    has_tasks = "tasks" in summary and bool(summary["tasks"].any())  # whose number of steps depends on the policy
    of = "the steps that arrived" if has_tasks else f"{means['arrived'].mean():.0f} arrivals"
    axes.set(
        xlabel=f"share of {of} (%), mean of {replications(summary)}",
        xlim=(0, 100),
    )
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=4, frameon=False)
    return figure


def spend(folder: Path, budgets: pd.DataFrame, policies: Sequence[str]) -> Figure:
    """Draw how much of each deployment's budget is spent over time in replication 0, a panel per policy.

    A deployment without a budget is shown relative to what it spent in the end.
    """
    budgets = budgets[budgets["replication"] == 0].set_index("deployment")
    table, work = read_requests(folder, 0), work_by_policy(folder, 0)
    end = max(float(np.nanmax(table["finished_at_s"].fillna(table["arrived_at_s"]))), 1e-9)
    shares = {policy: 100 * spent_share(work[policy], budgets, end) for policy in policies}
    edges_s = np.linspace(0, end, TIME_BINS + 1)
    is_free = np.isinf(budgets["budget"])
    of = "the whole" if is_free.all() else "budget, or of the whole" if is_free.any() else "budget"
    return time_maps(shares, budgets.index.tolist(), edges_s, Normalize(0, 100), f"settled spend (% of {of})")[0]


def spent_share(served: pd.DataFrame, budgets: pd.DataFrame, end: float) -> FloatArray:
    """Return settled spend over budget (n_deployments, TIME_BINS) at the end of each time bin."""
    served = served[served["fate"] == "served"]
    unit = served["deployment"].map(budgets["unit"]).astype(str)
    tokens = served["input_tokens"] + served["output_tokens"].fillna(0)
    cost = np.where(unit == "tokens", tokens, served["cost_usd"])
    row = budgets.index.get_indexer(pd.Index(served["deployment"]))
    time_bin = np.minimum((served["finished_at_s"] / end * TIME_BINS).astype(int), TIME_BINS - 1)
    spent = np.zeros((len(budgets), TIME_BINS))
    np.add.at(spent, (row, time_bin), cost)
    spent = spent.cumsum(axis=1)
    limit = np.where(np.isfinite(budgets["budget"]), budgets["budget"], spent[:, -1])[:, None]
    share: FloatArray = np.divide(spent, limit, out=np.zeros_like(spent), where=limit > 0)
    return share


def replications(summary: pd.DataFrame) -> str:
    """Return the number of replications in words."""
    return several(summary["replication"].nunique(), "replication")
