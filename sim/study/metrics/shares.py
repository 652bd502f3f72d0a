"""Measures shares and averages per arrival that plans ask for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.study.metrics.counting import is_served, numbers, ratio
from sim.study.metrics.latency import wait_s
from sim.study.metrics.load import of_fleet, rent_per_hour_usd, token_cost_usd, total_cost_usd


def quality_per_query(requests: pd.DataFrame) -> float:
    """Return total quality over all arrivals, those not served counting as 0; NaN if nothing arrived."""
    return ratio(float(requests["quality"].sum()), len(requests))


def served_share(requests: pd.DataFrame) -> float:
    """Return the share of all arrivals that were served; NaN if nothing arrived."""
    return ratio(float(is_served(requests).sum()), len(requests))


def waited_share(requests: pd.DataFrame) -> float:
    """Return the share of served queries that waited in a queue; NaN if none was served."""
    waits_s = wait_s(requests)
    return ratio(float((waits_s > 0).sum()), len(waits_s))


def to_new_models_share(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return the share of served queries whose deployment is not known on all history rows; NaN if none was served."""
    served = is_served(requests)
    row = pd.Index(fleet["deployment"]).get_indexer(pd.Index(requests["deployment"][served]))
    return ratio(float((of_fleet(fleet, "history_share")[row] < 1).sum()), float(served.sum()))


def total_cost_per_1000_arrivals_usd(
    requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None
) -> float:
    """Return token charges plus rent from the first arrival to the last end, in USD per 1,000 arrivals.

    NaN if nothing arrived.
    """
    return ratio(1000 * total_cost_usd(requests, fleet, calls), len(requests))


def cost_while_arriving_per_1000_usd(
    requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None
) -> float:
    """Return token charges plus rent from the first arrival to the last one, in USD per 1,000 arrivals.

    So a fleet that is too small is not charged for working off its backlog after the last arrival, and fleets compare
    at one load. Where all queries arrive at once, rent is to the last end. NaN if nothing arrived.
    """
    if requests.empty:
        return float("nan")
    arrived_at_s = numbers(requests, "arrived_at_s")
    if np.ptp(arrived_at_s) == 0:
        return total_cost_per_1000_arrivals_usd(requests, fleet, calls)
    if "arriving_replica_seconds" in fleet:
        by_hour = of_fleet(fleet, "arriving_replica_seconds") * of_fleet(fleet, "price_per_hour_usd")
        rent = float(np.nansum(by_hour)) / 3600
    else:
        rent = rent_per_hour_usd(requests, fleet) * float(np.ptp(arrived_at_s)) / 3600
    return ratio(1000 * (token_cost_usd(requests, fleet, calls) + rent), len(requests))
