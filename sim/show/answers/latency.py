"""Answers a question about latency: how long queries take under one policy, or which of several is the fastest."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from sim.show.answers.subject import OF_WORDS
from sim.show.words import number, plus_minus, total_cost
from sim.study.output.finished import DRAW, unvaried
from sim.study.statistics import mean_interval


def answered(policies: pd.DataFrame, column: str, ranks: pd.DataFrame | None) -> str:
    """Return which policy is the fastest, or how fast the only one is; what it serves, and what that costs.

    Parameters
    ----------
    policies : DataFrame
        Their rows of the summary.
    column : str
        The percentile that is asked about.
    ranks : DataFrame or None
        As ``sim.study.diff.ranking.ranking`` makes it, of that column; None without replications.
    """
    groups = {str(name): rows for name, rows in policies.groupby("policy", sort=False)}
    means = {name: mean_interval(rows[column].tolist()) for name, rows in groups.items()}
    known = {name: mean for name, mean in means.items() if math.isfinite(mean[0])}
    if not known:
        return "No query is served, so that there is no latency."
    best = min(known, key=lambda name: known[name][0])
    rows = groups[best]
    cost = f"{plus_minus(*mean_interval(rows[total_cost(rows)].tolist()))} USD"
    served = f"It serves {share(rows)} of the queries and costs {cost}."
    first = within(rows, column)
    if len(groups) == 1:
        return f"With {best}, {first}. {served}"
    words = f"{best} is the fastest: {first}. {served}"
    others = [name for name in known if name != best]
    if not others:
        return words
    if ranks is None:
        following = min(others, key=lambda name: known[name][0])
        behind = known[following][0] - known[best][0]
        lead = f"The next, {following}, takes {number(behind)} s longer" if behind else f"{following} takes as long"
        return f"{words} {lead}. One replication cannot tell whether that is chance."
    after = ranks[ranks["alternative"] != best].sort_values("behind").to_dict("records")[0]
    apart = f"{plus_minus(after['behind'], after['half_width'])} s (paired)"
    if after["behind"] > after["half_width"]:
        return f"{words} The next, {after['alternative']}, takes longer by {apart}."
    return f"{words} Chance can explain its lead over the next, {after['alternative']}: {apart}."


def within(rows: pd.DataFrame, column: str) -> str:
    """Return within what time most served queries have their answer, and their first token where it is known."""
    mean, half_width = mean_interval(rows[column].tolist())
    sure = ""
    if half_width > 0:
        sure = " (95% interval)"
    elif len(rows) > 1 and unvaried(rows):
        sure = f" (the same in all {len(rows)} replications: nothing was redrawn)"
    what = OF_WORDS[column]
    words = f"95% of the served queries have their {what} within {plus_minus(mean, half_width)} s{sure}"
    last = column.replace("p95", "p99")
    if last in rows:
        words += f", 99% within {number(float(rows[last].mean()))} s"
    for other, name in OF_WORDS.items():
        if other != column and other in rows:
            words += f"; 95% have their {name} within {number(float(rows[other].mean()))} s"
    return words


def share(rows: pd.DataFrame) -> str:
    """Return the share of the arrivals that is served, never as all or none if it is not."""
    served, arrived = rows["served"].sum(), rows["arrived"].sum()
    percent = 100 * served / arrived if arrived else 0.0
    if percent in (0.0, 100.0):
        return f"{percent:.0f}%"
    return f"{min(max(percent, 0.1), 99.9):.3g}%"


def by_draw(policies: pd.DataFrame, column: str) -> dict[str, pd.Series[float]] | None:
    """Return a latency of each policy by seed and replication, for a ranking; None if any has none somewhere."""
    if not np.isfinite(policies[column]).all():
        return None
    return {
        str(name): rows.set_index(DRAW)[column].astype(float) for name, rows in policies.groupby("policy", sort=False)
    }
