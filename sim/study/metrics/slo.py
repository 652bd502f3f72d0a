"""Measures how many queries were served as promised: attainment and goodput.

Goodput here is measured: what was served within the objective, per second of makespan (first arrival to last end).
DistServe (arXiv 2401.09670) calls goodput the highest rate of arrivals at which a given share meets the objective; that
is a search over runs, of this attainment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.study.metrics.counting import is_cached, is_served, makespan_s, numbers, ratio
from sim.study.metrics.latency import first_token_s, latency_s, lookup_s, per_token_s


@dataclass(frozen=True)
class Slo:
    """A service-level objective: upper limits that a query must meet all at once; None is no limit.

    Parameters
    ----------
    time_to_first_token_s, time_per_output_token_s, end_to_end_s : float or None

    Raises
    ------
    ValueError
        If a limit is not positive.
    """

    time_to_first_token_s: float | None = None
    time_per_output_token_s: float | None = None
    end_to_end_s: float | None = None

    def __post_init__(self) -> None:
        """Check the limits."""
        for name in ("time_to_first_token_s", "time_per_output_token_s", "end_to_end_s"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} of the service-level objective is {limit}; it must be above 0, or null")

    def met(self, requests: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Return which arrivals (n_queries,) were answered within every limit, by a deployment or a cache.

        An answer without a time per output token (of one token, of unknown length, or from a cache) meets any limit on
        it. From a cache the answer is there whole when the look-up ends.
        """
        served = is_served(requests)
        good = np.ones(int(served.sum()), dtype=np.bool_)
        for limit_s, measure in (
            (self.time_to_first_token_s, first_token_s),
            (self.time_per_output_token_s, per_token_s),
            (self.end_to_end_s, latency_s),
        ):
            if limit_s is not None:
                good &= ~(measure(requests) > limit_s)
        within = np.zeros(len(requests), dtype=np.bool_)
        within[served] = good
        whole_s = min((limit for limit in (self.time_to_first_token_s, self.end_to_end_s) if limit), default=np.inf)
        within[is_cached(requests)] = lookup_s(requests) <= whole_s
        return within


def slo_attainment(requests: pd.DataFrame, slo: Slo) -> float:
    """Return the share of all arrivals that were answered within the objective; NaN if nothing arrived."""
    return ratio(float(slo.met(requests).sum()), len(requests))


def slo_attainment_of_served(requests: pd.DataFrame, slo: Slo) -> float:
    """Return the share of served queries within the objective; NaN if none was served."""
    served = is_served(requests)
    return ratio(float(slo.met(requests)[served].sum()), float(served.sum()))


def goodput_per_s(requests: pd.DataFrame, slo: Slo) -> float:
    """Return queries answered within the objective per second of makespan; NaN for a makespan of 0."""
    return ratio(float(slo.met(requests).sum()), makespan_s(requests))


def goodput_quality_per_s(requests: pd.DataFrame, slo: Slo) -> float:
    """Return the quality of queries answered within the objective, per second of makespan; NaN for a makespan of 0."""
    return ratio(float(numbers(requests, "quality")[slo.met(requests)].sum()), makespan_s(requests))
