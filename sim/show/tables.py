"""Makes the tables that run and compare print, from the summary only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from rich.table import Table

from sim.study.metrics import FATES
from sim.study.output.finished import unvaried
from sim.study.ratio.worst_order import Found
from sim.study.statistics import mean_interval

COLUMNS = {
    "quality": ".1f",
    **dict.fromkeys(FATES, ".0f"),
    "rent_usd": ".4g",
    "total_cost_usd": ".4g",
    "quality_per_usd": ".1f",
    "relative_quality": ".3f",
    "optimum_ratio": ".3f",
    "bayes_ratio": ".3f",
    "overshoot": ".2%",
    "p95_latency_s": ".3g",
}
RARE = (*FATES[3:], "rent_usd", "overshoot", "p95_latency_s")  # shown where they occur
WITH_INTERVAL = ("quality", "relative_quality")
HEAVIEST = 5


def comparison(summary: pd.DataFrame) -> Table:
    """Return the mean of each policy over its replications, with 95% half-widths of quality.

    Parameters
    ----------
    summary : DataFrame
        A row per policy and replication; policies stay in their order. A column that no row fills is left out, and so
        are the rarer fates where nothing met them.
    """
    shown = [column for column in COLUMNS if column in summary and summary[column].notna().any()]
    shown = [column for column in shown if column not in RARE or summary[column].any()]
    replications = summary["replication"].nunique()
    arrived = summary["arrived"].mean()
    of = "1 replication" if replications == 1 else f"means of {replications} replications, +- 95%"
    table = Table(title=f"{arrived:.0f} queries, {of}", title_justify="left", title_style="bold")
    same = unvaried(summary)
    if same:
        table.caption = (
            f"Nothing was redrawn for {', '.join(same)}: every figure is the same in all {replications} replications, "
            "so there is no interval."
        )
        table.caption_justify = "left"
    table.add_column("policy", no_wrap=True)
    for column in shown:
        table.add_column(column, justify="right", no_wrap=True)
    for policy, rows in summary.groupby("policy", sort=False):
        table.add_row(str(policy), *(cell(rows[column].tolist(), column) for column in shown))
    return table


def worst_order(found: Found) -> str:
    """Return in a line what a search for the worst order found, with its heaviest weights."""
    weights = sorted(found.weights.items(), key=lambda item: -abs(item[1]))[:HEAVIEST]
    heaviest = ", ".join(f"{name} {weight:+.2f}" for name, weight in weights if weight != 0)
    return (
        f"worst order for {found.policy}: ratio {found.ratio:.3f}, in random order {found.random_ratio:.3f}, "
        f"of {found.evaluations} tried; ascending by {heaviest or 'nothing, which is a random order'}"
    )


def cell(values: Sequence[float], column: str) -> str:
    """Return the mean as text, with its half-width where the column has one."""
    mean, half_width = mean_interval(values)
    text = "-" if math.isnan(mean) else format(mean, COLUMNS[column])
    if column in WITH_INTERVAL and half_width > 0:
        text += f" +- {format(half_width, COLUMNS[column])}"
    return text
