"""Measures how evenly tenants are served, by Jain's index. It knows no policy.

Jain's index of what n tenants got is (sum x)^2 / (n sum x^2) (Jain, Chiu and Hawe, A Quantitative Measure of Fairness
and Discrimination for Resource Allocation in Shared Computer Systems, DEC-TR-301, 1984). It is 1 if all got the same,
and k / n if k of them got the same and the others nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.interface import FloatArray
from sim.study.metrics.counting import is_served, numbers, ratio
from sim.study.metrics.latency import latency_s


def jain(got: FloatArray) -> float:
    """Return Jain's index of what tenants got (n_tenants,), each at least 0; NaN if nobody got anything.

    >>> jain(np.array([3.0, 3.0])), jain(np.array([1.0, 0.0, 0.0, 0.0])), jain(np.array([1.0, 3.0]))
    (1.0, 0.25, 0.8)
    """
    return ratio(float(got.sum()) ** 2, len(got) * float((got**2).sum()))


def jain_served_share(requests: pd.DataFrame) -> float:
    """Return Jain's index of the share of each tenant's arrivals that was served; NaN without tenants."""
    return jain(served_shares(requests))


def least_served_share(requests: pd.DataFrame) -> float:
    """Return the share of arrivals served of the tenant that is served worst; NaN without tenants."""
    shares = served_shares(requests)
    return float(shares.min()) if len(shares) else float("nan")


def jain_output_tokens(requests: pd.DataFrame) -> float:
    """Return Jain's index of the output tokens that each tenant got; NaN without tenants or tokens."""
    return jain(np.asarray(by_tenant(requests, np.nan_to_num(numbers(requests, "output_tokens"))), dtype=np.float64))


def jain_latency(requests: pd.DataFrame) -> float:
    """Return Jain's index of the mean latency of each tenant's served queries; NaN if no tenant had one served.

    A tenant that had none served has no latency and is left out, see ``jain_served_share``.
    """
    served = requests[is_served(requests)]
    sums, counts = by_tenant(served, latency_s(served)), by_tenant(served, np.ones(len(served)))
    return jain(np.asarray(sums / counts, dtype=np.float64))


def served_shares(requests: pd.DataFrame) -> FloatArray:
    """Return the share of arrivals served of each tenant that sent any (n_tenants,)."""
    arrived = by_tenant(requests, np.ones(len(requests)))
    served = by_tenant(requests, is_served(requests).astype(np.float64))
    return np.asarray(served / arrived, dtype=np.float64)


def by_tenant(requests: pd.DataFrame, values: FloatArray) -> pd.Series[float]:
    """Return the sum of values (n_queries,) of each tenant that sent any of these queries, in the order of names."""
    return pd.Series(values, index=requests.index).groupby(requests["tenant"], observed=True).sum()
