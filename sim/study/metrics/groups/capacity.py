"""Measures capacity that moves: replicas that are paid for, spot replicas that are taken away, what they save."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.study.metrics.counting import makespan_s, ratio
from sim.study.metrics.load import of_fleet


def mean_replicas(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return for how many replicas rent was paid on average, from the first arrival to the last end; NaN without time.

    Replicas that start count, and a spare of a warm pool as its share of the price.
    """
    if "replica_seconds" not in fleet:
        return float("nan")
    return ratio(float(of_fleet(fleet, "replica_seconds").sum()), makespan_s(requests))


def spot_interruptions(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return how many spot replicas were given notice; NaN if nobody counted."""
    return float(of_fleet(fleet, "interruptions").sum())


def interrupted_queries(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return how often a query was lost with a spot replica that was taken away, tries that went on counted each."""
    return float(of_fleet(fleet, "interrupted").sum())


def spot_saved_usd(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return what the same replica time would have cost on demand, less what it cost; NaN if nothing arrived."""
    if requests.empty or "replica_seconds" not in fleet:
        return float("nan")
    saved_usd = of_fleet(fleet, "on_demand_per_hour_usd") - of_fleet(fleet, "price_per_hour_usd")
    return float(np.nansum(of_fleet(fleet, "replica_seconds") * saved_usd)) / 3600
