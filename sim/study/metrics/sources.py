"""Counts what became of the queries of each source: topics, data sets, whatever the workload's ``source`` says."""

from __future__ import annotations

import pandas as pd

from sim.study.metrics.counting import is_served


def by_source(requests: pd.DataFrame, tasks: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return figures of each source over all of its arrivals.

    Parameters
    ----------
    requests : DataFrame
        The request table of one run.
    tasks : DataFrame or None
        Its task table: it is then tasks that are counted, as how many steps arrive depends on the policy.

    Returns
    -------
    DataFrame
        A row per source, the most frequent first; none where the workload has no sources. ``source``, empty for queries
        without one; ``arrived`` and ``served`` (queries; of tasks, those that were done); ``served_share`` = served /
        arrived; ``quality``, a sum of scores; ``quality_per_query`` = quality / arrived; ``cost_usd``.
    """
    table = requests if tasks is None else tasks
    if table["source"].isna().all():
        return pd.DataFrame()
    served = is_served(requests) if tasks is None else (tasks["fate"] == "done").to_numpy()
    counted = table[["source", "quality", "cost_usd"]].assign(arrived=1, served=served)
    sums = counted.groupby("source", observed=True, dropna=False)[["arrived", "served", "quality", "cost_usd"]].sum()
    sums = sums.sort_values("arrived", ascending=False, kind="stable").reset_index()
    shares = sums.assign(
        served_share=sums["served"] / sums["arrived"], quality_per_query=sums["quality"] / sums["arrived"]
    )
    return shares[["source", "arrived", "served", "served_share", "quality", "quality_per_query", "cost_usd"]]
