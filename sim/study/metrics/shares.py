"""Shares and averages per arrival that plans ask for. It knows the record and the fleet table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.study.metrics.counting import is_served, numbers, ratio
from sim.study.metrics.latency import wait_s
from sim.study.metrics.load import of_fleet, rent_usd


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


def total_cost_per_1000_arrivals_usd(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return what serving costs in all, in USD per 1,000 arrivals; NaN if nothing arrived.

    Deployments with a price per hour are paid by the hour, rent from the first arrival to the last end; the others by
    the query. So nothing is paid twice, also where the workload's table says what a query would cost elsewhere.
    """
    rented = fleet.loc[of_fleet(fleet, "price_per_hour_usd") > 0, "deployment"]
    by_query = ~requests["deployment"].isin(rented).to_numpy(dtype=np.bool_)
    charged_usd = float(np.nansum(numbers(requests, "cost_usd")[by_query]))
    return ratio(1000 * (charged_usd + rent_usd(requests, fleet)), len(requests))
