"""Says by hour what came, what was lost, how many replicas there were and what they cost. It knows no policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from sim.interface import FloatArray, IntArray
from sim.study.metrics.counting import ended_at_s, is_cached, is_served, numbers, work
from sim.study.metrics.latency import first_token_s
from sim.study.metrics.load import is_charged, of_fleet
from sim.study.record.window import window_s
from sim.world.record.replicas import ReplicaLog

HOUR_S = 3600.0
MOST_HOURS = 100_000  # eleven years


def by_hour(
    requests: pd.DataFrame,
    fleet: pd.DataFrame,
    logs: Sequence[ReplicaLog],
    calls: pd.DataFrame | None,
    begins_at: Callable[[float], str],
) -> pd.DataFrame | None:
    """Return what each hour of a run cost and brought; None for a run that is over within one, or takes years.

    Parameters
    ----------
    requests : DataFrame
        A row per arrival.
    fleet : DataFrame
        A row per deployment.
    logs : sequence of ReplicaLog
        Of each deployment.
    calls : DataFrame or None
        A row per call; None where each query takes one.
    begins_at : callable
        From seconds since the first arrival to date and time.

    Returns
    -------
    DataFrame
        A row per ``hour`` from the first arrival to the last end, which ``begins_at`` a date and time and ``lasts_s``
        3600 s, or less if the run ends in it. ``queries`` arrived in it, of which ``served`` were served and ``lost``
        got no answer (the others a cache answered); ``replicas`` were open on average, over all deployments;
        ``rent_usd`` was for the hour and ``tokens_usd`` for what ended in it; ``p95_ttft_s`` is the 95th percentile of
        the time to the first token of those that were served.
    """
    begin_s, end_s = window_s(requests)
    if not HOUR_S < end_s - begin_s <= MOST_HOURS * HOUR_S:
        return None
    n_hours = int(np.ceil((end_s - begin_s) / HOUR_S))
    edges_s = np.minimum(begin_s + HOUR_S * np.arange(n_hours + 1), end_s)

    def count(times_s: FloatArray, weights: FloatArray | None = None) -> FloatArray | IntArray:
        hour = np.minimum((times_s - begin_s) // HOUR_S, n_hours - 1).astype(np.int64)
        return np.bincount(hour, weights, n_hours)

    arrived_s, served, cached = numbers(requests, "arrived_at_s"), is_served(requests), is_cached(requests)
    done = work(requests, calls)
    charges_usd = np.where(is_charged(done, fleet), np.nan_to_num(numbers(done, "cost_usd")), 0.0)
    open_s, rent_usd = np.zeros(n_hours), np.zeros(n_hours)
    for log, price_usd in zip(logs, np.nan_to_num(of_fleet(fleet, "price_per_hour_usd")), strict=True):
        from_s = np.array([row.from_s for row in log.rows])
        open_s += between(from_s, np.array([row.serving for row in log.rows]), edges_s)
        rent_usd += between(from_s, np.array([row.paid for row in log.rows]), edges_s) * price_usd / HOUR_S
    waits_s = pd.Series(first_token_s(requests)).groupby((arrived_s[served] - begin_s) // HOUR_S).quantile(0.95)
    return pd.DataFrame(
        {
            "hour": np.arange(n_hours),
            "begins_at": [begins_at(from_s) for from_s in edges_s[:-1].tolist()],
            "lasts_s": np.diff(edges_s),
            "queries": count(arrived_s),
            "served": count(arrived_s[served]),
            "lost": count(arrived_s[~served & ~cached]),
            "replicas": open_s / np.diff(edges_s),
            "rent_usd": rent_usd,
            "tokens_usd": count(ended_at_s(done), charges_usd),
            "p95_ttft_s": waits_s.reindex(np.arange(n_hours)).to_numpy(np.float64),
        }
    )


def between(from_s: FloatArray, number: FloatArray, edges_s: FloatArray) -> FloatArray:
    """Return the integral of a number over time in each bin (n_bins,), exact for any bins.

    Parameters
    ----------
    from_s, number : arrays (n_changes,)
        From each time on, what the number is; 0 before the first.
    edges_s : array (n_bins + 1,)
        Increasing.

    Examples
    --------
    >>> between(np.array([0.0, 10.0]), np.array([1.0, 3.0]), np.array([5.0, 15.0, 20.0])).tolist()
    [20.0, 15.0]
    """
    until_s = np.append(from_s, max(float(edges_s[-1]), float(from_s[-1])) + 1)
    reached = np.append(0.0, np.cumsum(number * np.diff(until_s)))
    return np.diff(np.interp(edges_s, until_s, reached))
