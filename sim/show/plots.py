"""Figures of a comparison, from its output directory only: it reads files and never the world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sim.interface import FloatArray
from sim.study.experiment import ORACLES
from sim.study.metrics import FATES
from sim.study.statistics import mean_interval

HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "**")  # one per fate, for eyes and printers without colour
TIME_BINS = 60


def palette(policies: Sequence[str]) -> dict[str, str]:
    """Return a colour for each policy: grey for hindsight optima, blue for policies (safe without colour vision)."""
    colours = sns.color_palette("colorblind").as_hex()
    return {policy: colours[7] if policy in ORACLES else colours[0] for policy in policies}


def height_in(n_policies: int) -> float:
    """Return the height of a chart with a bar per policy, in inches."""
    return 1.2 + 0.34 * n_policies


def interval(values: pd.Series[float]) -> tuple[float, float]:
    """Return the ends of the 95% interval of the mean; the mean itself where there is one value."""
    mean, half_width = mean_interval(values.tolist())
    return mean - np.nan_to_num(half_width), mean + np.nan_to_num(half_width)


def quality(summary: pd.DataFrame) -> Figure:
    """Draw mean total quality per policy with its 95% interval."""
    policies = summary["policy"].unique().tolist()
    figure, axes = plt.subplots(figsize=(8, height_in(len(policies))))
    sns.barplot(
        summary,
        x="quality",
        y="policy",
        hue="policy",
        palette=palette(policies),
        errorbar=interval,
        ax=axes,
        legend=False,
    )
    means = summary.groupby("policy", sort=False)["quality"].mean()
    tops = summary.groupby("policy", sort=False)["quality"].agg(lambda values: interval(values)[1])
    for row, (mean, top) in enumerate(zip(means, tops, strict=True)):
        axes.text(top + 0.01 * tops.max(), row, f"{mean:.0f}", va="center", fontsize="small")
    axes.set(xlabel=f"total quality (sum of scores), mean and 95% interval of {replications(summary)}", ylabel="")
    axes.margins(x=0.08)
    return figure


def cost_quality(summary: pd.DataFrame) -> Figure:
    """Draw mean total quality against mean total cost, a mark per policy."""
    cost = total_cost(summary)
    means = summary.groupby("policy", sort=False)[[cost, "quality"]].mean().reset_index()
    figure, axes = plt.subplots(figsize=(8, 5))
    colours = sns.color_palette("colorblind", len(means))  # they repeat after ten, and the marks then differ
    sns.scatterplot(
        means,
        x=cost,
        y="quality",
        hue="policy",
        style="policy",
        palette=colours,
        s=110,
        edgecolor="black",
        ax=axes,
    )
    axes.set(
        xlabel="total cost, charges and rent (USD)",
        ylabel="total quality (sum of scores)",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.set_title(f"mean of {replications(summary)}", fontsize="small")
    sns.move_legend(axes, "center left", bbox_to_anchor=(1.02, 0.5), title=None, frameon=False)
    return figure


def total_cost(summary: pd.DataFrame) -> str:
    """Return the column with what all of it cost; outputs of earlier versions have no rent in it."""
    return "total_cost_usd" if "total_cost_usd" in summary else "cost_usd"


def served(summary: pd.DataFrame) -> Figure:
    """Draw what became of the arrivals of each policy, as shares."""
    means = summary.groupby("policy", sort=False)[[*FATES, "arrived"]].mean()
    shares = means[list(FATES)].div(means["arrived"], axis=0) * 100
    figure, axes = plt.subplots(figsize=(8, height_in(len(means))))
    left = np.zeros(len(shares))
    for fate, colour, hatch in zip(FATES, sns.color_palette("colorblind", len(FATES)), HATCHES, strict=True):
        if shares[fate].any():
            axes.barh(shares.index, shares[fate], left=left, color=colour, hatch=hatch, edgecolor="white", label=fate)
        left += shares[fate].to_numpy()
    axes.set_ylim(len(means) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set(
        xlabel=f"share of {means['arrived'].mean():.0f} arrivals (%), mean of {replications(summary)}", xlim=(0, 100)
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.1), ncol=4, frameon=False)
    return figure


def spend(requests: Path, budgets: pd.DataFrame, policies: Sequence[str]) -> Figure:
    """Draw how much of each deployment's budget is spent over time in replication 0, a panel per policy.

    A deployment without a budget is shown relative to what it spent in the end.
    """
    budgets = budgets[budgets["replication"] == 0].set_index("deployment")
    table = pq.read_table(requests, filters=[("replication", "=", 0)]).to_pandas()
    end = max(float(np.nanmax(table["finished_at_s"].fillna(table["arrived_at_s"]))), 1e-9)
    n_columns = min(4, len(policies))
    n_rows = -(-len(policies) // n_columns)
    size = (2.0 + 2.6 * n_columns, 0.9 + n_rows * (0.7 + 0.17 * len(budgets)))
    figure, grid = plt.subplots(n_rows, n_columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    for axes in grid.ravel()[len(policies) :]:
        axes.set_axis_off()
    for policy, axes in zip(policies, grid.ravel(), strict=False):
        share = spent_share(table[table["policy"] == policy], budgets, end)
        image = axes.pcolormesh(
            np.linspace(0, end, TIME_BINS + 1),
            np.arange(len(budgets) + 1),
            share * 100,
            cmap="viridis",
            vmin=0,
            vmax=100,
            rasterized=True,  # thousands of cells in SVG
        )
        axes.set_title(policy, fontsize="medium")
        axes.grid(visible=False)
    grid[0, 0].set_yticks(np.arange(len(budgets)) + 0.5, budgets.index)
    grid[0, 0].invert_yaxis()
    for axes in grid[:, 0]:
        axes.tick_params(axis="y", labelsize=7)
    for panel in range(max(0, len(policies) - n_columns), len(policies)):  # the lowest of each column
        grid.ravel()[panel].tick_params(axis="x", labelbottom=True)
    figure.supxlabel("simulated time (s)")
    figure.tight_layout()
    figure.colorbar(image, ax=grid, label="settled spend (% of budget)", shrink=0.9, pad=0.02)
    return figure


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
    n = summary["replication"].nunique()
    return "1 replication" if n == 1 else f"{n} replications"
