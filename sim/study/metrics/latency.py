"""Measures how long queries take: to the first token, per token, to the last, and in the queue.

Each measure has a mean over served queries and a percentile, over served queries or over all arrivals. Of all arrivals,
those that a cache answered have the look-up as their time to the first and the last token, and no wait. A percentile is
NumPy's ``linear`` method (number 7 of Hyndman and Fan 1996, The American Statistician 50:361, the default of NumPy,
pandas and R): of n sorted values it reads position (n - 1) p, counted from 0, and interpolates linearly between the two
beside it. It is defined for every n and p, lies within the sample, and is what most reports of latency print.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.errors import check_number
from sim.interface import FloatArray
from sim.study.metrics.counting import ended_at_s, is_cached, is_served, numbers


def first_token_s(requests: pd.DataFrame) -> FloatArray:
    """Return arrival to first token of each served query (n_served,)."""
    return between_s(requests, "arrived_at_s", "first_token_at_s")


def per_token_s(requests: pd.DataFrame) -> FloatArray:
    """Return (last token - first token) / (output tokens - 1) of each served query (n_served,).

    NaN for fewer than two tokens, and for all where the workload has no output tokens.
    """
    gaps = numbers(requests, "output_tokens")[is_served(requests)] - 1
    decode_s = between_s(requests, "first_token_at_s", "finished_at_s")
    return np.divide(decode_s, gaps, out=np.full_like(decode_s, np.nan), where=gaps > 0)


def latency_s(requests: pd.DataFrame) -> FloatArray:
    """Return arrival to last token of each served query (n_served,)."""
    return between_s(requests, "arrived_at_s", "finished_at_s")


def wait_s(requests: pd.DataFrame) -> FloatArray:
    """Return decision to start of service of each served query (n_served,)."""
    return between_s(requests, "decided_at_s", "started_at_s")


def between_s(requests: pd.DataFrame, start: str, end: str) -> FloatArray:
    """Return the time between two columns of each served query (n_served,)."""
    served = is_served(requests)
    return numbers(requests, end)[served] - numbers(requests, start)[served]


def mean_first_token_s(requests: pd.DataFrame) -> float:
    """Return the mean time to the first token of served queries; NaN if none was."""
    return mean(first_token_s(requests))


def mean_per_token_s(requests: pd.DataFrame) -> float:
    """Return the mean, over served queries of two tokens or more, of their time per output token; NaN if none was."""
    return mean(per_token_s(requests))


def mean_latency_s(requests: pd.DataFrame) -> float:
    """Return the mean time from arrival to last token of served queries; NaN if none was."""
    return mean(latency_s(requests))


def mean_wait_s(requests: pd.DataFrame) -> float:
    """Return the mean time in the queue of served queries; NaN if none was."""
    return mean(wait_s(requests))


def first_token_percentile_s(requests: pd.DataFrame, percent: float, all_arrivals: bool = False) -> float:
    """Return a percentile of the time to the first token; see ``percentile``."""
    if not all_arrivals:
        return percentile(first_token_s(requests), percent)
    return percentile(np.append(first_token_s(requests), lookup_s(requests)), percent, unanswered(requests))


def per_token_percentile_s(requests: pd.DataFrame, percent: float, all_arrivals: bool = False) -> float:
    """Return a percentile of the time per output token; see ``percentile``. Answers of one token are left out."""
    return percentile(per_token_s(requests), percent, unanswered(requests) if all_arrivals else 0)


def latency_percentile_s(requests: pd.DataFrame, percent: float, all_arrivals: bool = False) -> float:
    """Return a percentile of arrival to last token; see ``percentile``."""
    if not all_arrivals:
        return percentile(latency_s(requests), percent)
    return percentile(np.append(latency_s(requests), lookup_s(requests)), percent, unanswered(requests))


def wait_percentile_s(requests: pd.DataFrame, percent: float, all_arrivals: bool = False) -> float:
    """Return a percentile of the time in the queue; see ``percentile``."""
    if not all_arrivals:
        return percentile(wait_s(requests), percent)
    return percentile(np.append(wait_s(requests), 0.0 * lookup_s(requests)), percent, unanswered(requests))


def unanswered(requests: pd.DataFrame) -> int:
    """Return how many arrivals were neither served nor answered by a cache, for whatever reason."""
    return int((~is_served(requests) & ~is_cached(requests)).sum())


def lookup_s(requests: pd.DataFrame) -> FloatArray:
    """Return arrival to answer of each query that a cache answered (n_cached,)."""
    cached = is_cached(requests)
    return ended_at_s(requests)[cached] - numbers(requests, "arrived_at_s")[cached]


def mean(values: FloatArray) -> float:
    """Return the mean of the values that are numbers; NaN if none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def percentile(values: FloatArray, percent: float, n_infinite: int = 0) -> float:
    """Return a percentile of the values that are numbers and of ``n_infinite`` more that are infinite.

    Parameters
    ----------
    values : array (n,)
    percent : float
        From 0 to 100.
    n_infinite : int
        Queries that never got what the others waited for. A percentile that touches one is infinite.

    Raises
    ------
    ValueError
        If ``percent`` is not from 0 to 100.

    >>> percentile(np.array([1.0, 2.0, 3.0, 4.0]), 50)  # position 1.5
    2.5
    >>> percentile(np.array([1.0, 2.0, 3.0, 4.0]), 50, n_infinite=1)  # position 2
    3.0
    >>> percentile(np.array([1.0, 2.0, 3.0, 4.0]), 95, n_infinite=1)  # between 4 and infinity
    inf
    """
    check_number("percent", percent, least=0, most=100)
    known = values[~np.isnan(values)]
    n = len(known) + n_infinite
    if n == 0:
        return float("nan")
    if n_infinite == 0:
        return float(np.percentile(known, percent, method="linear"))
    # NumPy interpolates towards infinity as infinity times a weight, which is NaN where the weight is 0.
    position = percent / 100 * (n - 1)
    below, above = int(np.floor(position)), int(np.ceil(position))
    if above >= len(known):
        return float("inf")
    nearest = np.partition(known, [below, above])[[below, above]]
    return float(nearest[0] + (position - below) * (nearest[1] - nearest[0]))
