"""Makes the table of what each class of queries got, from a summary only."""

from __future__ import annotations

import math

import pandas as pd
from rich.table import Table

from sim.show.words import several
from sim.study.metrics.groups.classes import split


def by_class(summary: pd.DataFrame) -> Table | None:
    """Return the means of the figures of each class, a row per figure and class, a column per policy; None without any.

    Parameters
    ----------
    summary : DataFrame
        A row per policy and replication, with columns such as ``p95_latency_s[batch]``.
    """
    columns = [column for column in map(str, summary) if split(column)[1] is not None and summary[column].notna().any()]
    if not columns:
        return None
    replications = summary["replication"].nunique()
    of = "1 replication" if replications == 1 else f"means of {several(replications, 'replication')}"
    table = Table(title=f"Queries of each class, {of}", title_justify="left", title_style="bold")
    means = summary.groupby("policy", sort=False)[columns].mean()
    table.add_column("figure", no_wrap=True)
    for policy in means.index:
        table.add_column(str(policy), justify="right")
    for column in columns:
        table.add_row(column, *("-" if math.isnan(value) else f"{value:.3g}" for value in means[column]))
    return table
