"""Measures what several calls for one query come to: how many, how often in a second round, and what they cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.study.metrics.counting import is_served, numbers, ratio, work


def calls_per_query(requests: pd.DataFrame) -> float:
    """Return how many calls a query takes on average, over all arrivals; NaN if nothing arrived."""
    return ratio(float(requests["calls"].sum()), len(requests))


def escalation_rate(requests: pd.DataFrame, calls: pd.DataFrame | None = None) -> float:
    """Return the share of the queries with a call that took a second round of calls; NaN if none took a call.

    Calls alongside each other are one round.
    """
    asked = int((requests["calls"] > 0).sum())
    if calls is None:
        return ratio(0.0, asked)
    done = work(requests, calls)
    return ratio(float(done.loc[done["round"] > 0, "query"].nunique()), asked)


def cost_per_kept_usd(requests: pd.DataFrame) -> float:
    """Return what all calls took from budgets in USD over the answers that were kept; NaN if none was."""
    return ratio(float(requests["cost_usd"].sum()), float(is_served(requests).sum()))


def unkept_cost_share(requests: pd.DataFrame, calls: pd.DataFrame | None = None) -> float:
    """Return the share of what calls took from budgets in USD that went to answers nobody kept; NaN if it is 0."""
    spent_usd = float(requests["cost_usd"].sum())
    if calls is None:
        return ratio(0.0, spent_usd)
    done = work(requests, calls)
    unkept = ~done["kept"].to_numpy(dtype=np.bool_)
    return ratio(float(numbers(done, "cost_usd")[unkept].sum()), spent_usd)
