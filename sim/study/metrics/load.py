"""Measures what serving costs: charges by token, rent of replicas, energy.

Money is one thing: ``total_cost_usd`` = ``token_cost_usd`` + ``rent_usd``. A deployment that is rented by the hour, is
no hosted API and has no token prices of its own is paid by its rent only. Every other one charges what the request
table says, and its rent if it has any. Where queries take several calls, all of them are charged and use energy.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.interface import BoolArray, FloatArray
from sim.study.metrics.counting import is_served, makespan_s, numbers, ratio, work


def token_cost_usd(requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None) -> float:
    """Return what served queries are charged by token or by query, sum_j cost_j over deployments that charge so.

    A deployment with token prices of its own charges those, another what the workload's table says. Which deployments
    charge nothing by query is the fleet table's ``charges_queries``; without that column, those with a price per hour.
    """
    done = work(requests, calls)
    return float(np.nansum(numbers(done, "cost_usd")[is_charged(done, fleet)]))


def is_charged(done: pd.DataFrame, fleet: pd.DataFrame) -> BoolArray:
    """Return which of these calls, or queries that took one call each, are charged by token or by query (n_calls,)."""
    if "charges_queries" in fleet:
        charges = fleet["charges_queries"].to_numpy(dtype=np.bool_)
    else:
        charges = ~(of_fleet(fleet, "price_per_hour_usd") > 0)
    return ~done["deployment"].isin(fleet.loc[~charges, "deployment"]).to_numpy(dtype=np.bool_)


def total_cost_usd(requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None) -> float:
    """Return token charges plus rent; NaN if nothing arrived."""
    return token_cost_usd(requests, fleet, calls) + rent_usd(requests, fleet)


def money(requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None) -> dict[str, float]:
    """Return token charges, rent, their sum, and quality per dollar of that sum (NaN if nothing was paid)."""
    total_usd = total_cost_usd(requests, fleet, calls)
    return {
        "token_cost_usd": token_cost_usd(requests, fleet, calls),
        "rent_usd": rent_usd(requests, fleet),
        "total_cost_usd": total_usd,
        "quality_per_usd": ratio(float(requests["quality"].sum()), total_usd),
    }


def cost_per_1000_arrivals_usd(requests: pd.DataFrame) -> float:
    """Return what queries took from budgets in USD, per 1,000 arrivals (rent aside); NaN if nothing arrived."""
    return ratio(1000 * float(requests["cost_usd"].sum()), len(requests))


def cost_per_1000_served_usd(requests: pd.DataFrame) -> float:
    """Return what queries took from budgets in USD, per 1,000 served (rent aside); NaN if none was."""
    return ratio(1000 * float(requests["cost_usd"].sum()), float(is_served(requests).sum()))


def rent_per_hour_usd(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return sum_i replicas_i x price per replica-hour_i, with the replicas of the fleet table.

    A deployment without an hourly price is not rented, so it adds nothing.
    """
    return float(np.nansum(of_fleet(fleet, "replicas") * of_fleet(fleet, "price_per_hour_usd")))


def rent_usd(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return the rent of all replicas from the first arrival to the last end; NaN if nothing arrived.

    If the fleet table has ``replica_seconds`` (the time that replicas were paid for then), it is the rent of those.
    """
    if requests.empty:
        return float("nan")
    if "replica_seconds" in fleet:
        return float(np.nansum(of_fleet(fleet, "replica_seconds") * of_fleet(fleet, "price_per_hour_usd"))) / 3600
    return rent_per_hour_usd(requests, fleet) * makespan_s(requests) / 3600


def rent_per_1000_arrivals_usd(requests: pd.DataFrame, fleet: pd.DataFrame) -> float:
    """Return the rent of all replicas per 1,000 arrivals; NaN if nothing arrived."""
    return ratio(1000 * rent_usd(requests, fleet), len(requests))


def energy_j(requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None) -> float:
    """Return the energy of all served calls, sum_j energy_j: measured, else output tokens x J per token.

    NaN if it is not known of a query that was served: a part is not the total. Records without the column ``energy_j``
    know output tokens x J per token of the deployment only.
    """
    done = work(requests, calls)
    served = is_served(done)
    if "energy_j" in done:
        return float(numbers(done, "energy_j")[served].sum())
    row = pd.Index(fleet["deployment"]).get_indexer(pd.Index(done["deployment"][served]))
    return float((numbers(done, "output_tokens")[served] * of_fleet(fleet, "energy_j_per_token")[row]).sum())


def energy_per_arrival_j(requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None) -> float:
    """Return energy over all arrivals."""
    return ratio(energy_j(requests, fleet, calls), len(requests))


def energy_per_served_j(requests: pd.DataFrame, fleet: pd.DataFrame, calls: pd.DataFrame | None = None) -> float:
    """Return energy over served queries."""
    return ratio(energy_j(requests, fleet, calls), float(is_served(requests).sum()))


def of_fleet(fleet: pd.DataFrame, column: str) -> FloatArray:
    """Return a column of the fleet table (n_deployments,), NaN where it is missing."""
    if column not in fleet:
        return np.full(len(fleet), np.nan)
    return fleet[column].to_numpy(dtype=np.float64, na_value=np.nan)
