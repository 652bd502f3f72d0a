"""Differences between studies for the eye: tables, sentences and figures, from the tables of ``sim.study`` only."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from rich.table import Table

from sim.show.ratio import in_contrast
from sim.show.words import listed, number, plus_minus, several
from sim.study.diff.comparison import HEADLINES

UNTOLD = ("cannot tell", "no difference", "apart")


def shown_metrics(table: pd.DataFrame, metrics: Sequence[str] | None) -> pd.DataFrame:
    """Return the rows of some metrics, in their order; None for those that matter most and are not 0 for all."""
    if metrics is None:
        sizes = table.set_index("metric").filter(regex="^mean").abs().groupby("metric").max().max(axis=1)
        metrics = [metric for metric in HEADLINES if sizes.get(metric, 0) > 0] or list(sizes.index)
        if "total_cost_usd" in metrics and "cost_usd" in metrics:
            metrics.remove("cost_usd")  # which is a part of the former
    rows = table[table["metric"].isin(list(metrics))]
    order = {metric: place for place, metric in enumerate(metrics)}
    return rows.sort_values("metric", key=lambda names: names.map(order), kind="stable")


def difference_table(differences: pd.DataFrame, a: str, b: str) -> Table:
    """Return a row per policy and metric with both means, their difference and who is better."""
    methods = listed([method_words(differences, method) for method in differences["method"].unique()])
    shown = Table(title=f"{a} - {b}, +- 95%, {methods}", title_justify="left", title_style="bold")
    shown.add_column("policy", no_wrap=True)
    shown.add_column("metric", no_wrap=True)
    for column in (a, b, "difference"):
        shown.add_column(column, justify="right")
    shown.add_column("better")
    for _, rows in differences.groupby(["policy_a", "policy_b"], sort=False):
        for row in rows.to_dict("records"):
            shown.add_row(
                pair(row),
                row["metric"],
                number(row["mean_a"]),
                number(row["mean_b"]),
                plus_minus(row["difference"], row["half_width"]),
                {"a": a, "b": b, "none": "-", "unknown": "one replication"}.get(row["better"], "-")
                if row.get("verdict") not in UNTOLD
                else row["verdict"],
            )
    return shown


def method_words(differences: pd.DataFrame, method: str) -> str:
    """Return a method with the replications that it used."""
    rows = differences[differences["method"] == method].iloc[0]
    if method == "paired":
        return f"paired over {several(int(rows['n_a']), 'common replication')}"
    return f"Welch over {rows['n_a']} and {rows['n_b']} replications"


def pair(row: Mapping[Hashable, Any]) -> str:
    """Return the name of the two policies that a row compares."""
    return str(row["policy_a"]) if row["policy_a"] == row["policy_b"] else f"{row['policy_a']} - {row['policy_b']}"


def sentences(differences: pd.DataFrame, a: str, b: str) -> list[str]:
    """Return a sentence per policy: on what a beats b, on what nothing can be told, on what b beats a."""
    lines = []
    for names, rows in differences.groupby(["policy_a", "policy_b"], sort=False):
        parts = []
        words = rows["verdict"] if "verdict" in rows else rows["better"].replace("none", "cannot tell")
        untold = [(side, "", "") for side in (*UNTOLD, "unknown")]
        for side, winner, loser in (("a", a, b), *untold, ("b", b, a)):
            found = rows[words == side].to_dict("records")
            amounts = [f"{row['metric']} by {plus_minus(abs(row['difference']), row['half_width'])}" for row in found]
            metrics = listed([str(row["metric"]) for row in found])
            if found and winner:
                parts.append(f"{winner} beats {loser} on {listed(amounts)}")
            elif found and side in ("cannot tell", "apart"):
                parts.append(f"{side} on {listed(amounts)}")
            elif found:
                parts.append(f"{'one replication cannot tell' if side == 'unknown' else side} on {metrics}")
        policy = f"{names[0]}: " if names[0] == names[1] else f"{a} ({names[0]}), {b} ({names[1]}): "
        lines.append(policy + "; ".join(parts))
    return lines


def ranking_table(rankings: pd.DataFrame) -> Table:
    """Return a row per alternative and a column per metric: the mean, and how likely it is the best."""
    n = int(rankings["replications"].min())
    title = (
        f"Mean, and probability of being the best of {rankings['alternative'].nunique()}, from {n} replications each"
    )
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("policy", no_wrap=True)
    metrics = rankings["metric"].unique().tolist()
    for metric in metrics:
        shown.add_column(metric, justify="right")
    cells = rankings.set_index(["alternative", "metric"])
    for alternative in rankings["alternative"].unique():
        found = [cells.loc[(alternative, metric)] for metric in metrics]
        shown.add_row(
            str(alternative),
            *(f"{number(row['mean'])} ({probability(float(row['probability_best']))})" for row in found),
        )
    return shown


def probability(value: float) -> str:
    """Return a probability estimated by draws, never as certain as the draws look.

    >>> probability(0.0), probability(0.25), probability(1.0)
    ('< 0.001', '0.250', '> 0.999')
    """
    if value < 0.001:
        return "< 0.001"
    return "> 0.999" if value > 0.999 else f"{value:.3f}"


def behind_table(ranks: pd.DataFrame, metric: str) -> Table:
    """Return how far each alternative is behind the best in one metric, and how likely it is the best."""
    title = f"Behind the best in {metric}, +- 95%; probability of being the best"
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("policy", no_wrap=True)
    for column in (f"mean {metric}", "behind the best", "P(best)"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in ranks.to_dict("records"):
        behind = plus_minus(row["behind"], row["half_width"]) if row["behind"] != 0 else "-"
        shown.add_row(row["alternative"], number(row["mean"]), behind, probability(row["probability_best"]))
    return shown


def best_sentence(rankings: pd.DataFrame) -> str:
    """Return which alternative is the likeliest best in each metric."""
    words = []
    for metric, rows in rankings.groupby("metric", sort=False):
        first = rows.sort_values("probability_best", ascending=False, kind="stable").to_dict("records")[0]
        words.append(f"{metric}: {first['alternative']} ({probability(first['probability_best'])})")
    return f"best of {rankings['alternative'].nunique()}, with probability: {'; '.join(words)}"


def relative_differences(differences: pd.DataFrame, a: str, b: str) -> Figure:
    """Draw each difference with its interval in per cent of b, a panel per metric; filled where it is beyond chance."""
    metrics = differences["metric"].unique().tolist()
    labels = list(dict.fromkeys(pair(row) for row in differences.to_dict("records")))
    n_columns = min(3, len(metrics))
    n_rows = -(-len(metrics) // n_columns)
    size = (2.5 + 3.0 * n_columns, n_rows * (1.1 + 0.32 * len(labels)))
    figure, grid = plt.subplots(n_rows, n_columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    blue = sns.color_palette("colorblind")[0]
    for axes in grid.ravel()[len(metrics) :]:
        axes.set_axis_off()
    for metric, axes in zip(metrics, grid.ravel(), strict=False):
        rows = differences[differences["metric"] == metric].to_dict("records")
        axes.axvline(0, color="black", linewidth=1)
        for place, row in enumerate(rows):
            scale = 100 / abs(row["mean_b"]) if row["mean_b"] else float("nan")
            axes.errorbar(
                row["difference"] * scale,
                labels.index(pair(row)),
                xerr=None if pd.isna(row["half_width"]) else row["half_width"] * abs(scale),
                fmt="o",
                markersize=7,
                capsize=4,
                color=blue,
                markeredgecolor="black",
                markerfacecolor=blue if row["better"] in ("a", "b") else "white",
                zorder=place + 2,
            )
        axes.set_title(metric, fontsize="medium")
        axes.set(ylim=(len(labels) - 0.5, -0.5))
        axes.margins(x=0.1)
    grid[0, 0].set_yticks(range(len(labels)), labels)
    figure.supxlabel(f"{a} less {b}, % of {b}; filled: beyond chance", fontsize="medium")
    return figure


def probabilities(rankings: pd.DataFrame) -> Figure:
    """Draw the probabilities of being the best as a heat map, alternatives down and metrics across."""
    grid = rankings.pivot(index="alternative", columns="metric", values="probability_best")
    grid = grid.loc[rankings["alternative"].unique(), rankings["metric"].unique()]
    figure, axes = plt.subplots(figsize=(3.4 + 1.15 * grid.shape[1], 1.4 + 0.36 * len(grid)))
    sns.heatmap(
        grid * 100,
        annot=True,
        fmt=".0f",
        cmap="cividis",
        vmin=0,
        vmax=100,
        linewidths=1.5,
        cbar_kws={"label": "probability of being the best (%)"},
        ax=axes,
    )
    axes.set(xlabel="", ylabel="")
    in_contrast(axes)
    plt.setp(axes.get_xticklabels(), rotation=30, ha="right", rotation_mode="anchor")
    return figure
