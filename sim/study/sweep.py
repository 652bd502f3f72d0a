"""Puts the rows of a sweep's points together: means with intervals, the best of each point. It knows no run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from sim.study.oracles import ORACLES
from sim.study.statistics import mean_interval

MEASURES = (
    *("quality", "quality_per_query", "quality_per_usd", "relative_quality", "optimum_ratio"),
    *("served", "cost_usd", "total_cost_usd"),
    *("p95_first_token_s", "p95_latency_s", "p99_latency_s"),
)
Value = str | int | float | bool | None


def read_point(path: Path) -> pd.DataFrame | None:
    """Return the rows of a point; None if they are not there or cannot be read."""
    try:
        return pd.read_parquet(path)
    except (OSError, pa.ArrowException):
        return None


def tidy(points: Sequence[tuple[Mapping[str, Value], pd.DataFrame]]) -> pd.DataFrame:
    """Put the rows of points together.

    Parameters
    ----------
    points : sequence of (values, rows)
        The value of each axis by its key, and a row per policy and replication, as ``compare`` returns them.

    Returns
    -------
    DataFrame
        A row per point, policy and replication: the axes, the columns of the rows, and ``quality_per_query`` =
        quality / arrived.
    """
    parts = []
    for values, rows in points:
        part = rows.drop(columns=[key for key in values if key in rows])
        for place, (key, value) in enumerate(values.items()):
            part.insert(place, key, [value] * len(part))
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    if "quality_per_query" not in table:  # the metric of that name leaves out the warm-up, so it stays as it is
        after = table.columns.tolist().index("quality") + 1
        table.insert(after, "quality_per_query", table["quality"] / table["arrived"])
    for key in points[0][0]:
        if any(values[key] is None or isinstance(values[key], str) for values, _ in points):  # a column has one kind
            table[key] = ["null" if value is None else str(value) for value in table[key]]
    return table


def cells(table: pd.DataFrame, axes: Sequence[str], measures: Sequence[str] = MEASURES) -> pd.DataFrame:
    """Return mean and 95% half-width of the measures over replications, a row per combination of axes and policy.

    Axes that are left out are averaged over within each replication first, so that the interval is of that average.
    """
    measures = [measure for measure in measures if measure in table]
    keys = [*axes, "policy"]
    rows = []
    for names, group in averages(table, axes, measures).groupby(keys, sort=False, dropna=False):
        row: dict[str, object] = dict(zip(keys, names, strict=True))
        row["replications"] = len(group)
        for measure in measures:
            row[measure], row[f"{measure}_half_width"] = mean_interval(group[measure].tolist())
        rows.append(row)
    return pd.DataFrame(rows)


def averages(table: pd.DataFrame, axes: Sequence[str], measures: Sequence[str] = MEASURES) -> pd.DataFrame:
    """Return the measures of each policy and replication, averaged over the axes that are left out."""
    measured = [measure for measure in measures if measure in table]
    keys = [*axes, "policy", "replication"]
    return table.groupby(keys, sort=False, dropna=False)[measured].mean().reset_index()


def best(means: pd.DataFrame, axes: Sequence[str], least: str | None = None) -> pd.DataFrame:
    """Return the rows of ``cells`` whose policy has the most mean quality at its point, hindsight optima aside.

    With ``least``, the column of a latency, those that have the least of that; a point where it is unknown has none.
    """
    policies = means[~means["policy"].isin(ORACLES)]
    if least is not None:
        known = policies[policies[least].notna()]
        return known.loc[known.groupby(list(axes), sort=False, dropna=False)[least].idxmin()]
    return policies.loc[policies.groupby(list(axes), sort=False, dropna=False)["quality"].idxmax()]
