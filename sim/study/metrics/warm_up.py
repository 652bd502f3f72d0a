"""Leaves out the arrivals that came while the system filled up.

It knows the request table only, and metrics do not know that it was cut.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.study.metrics.counting import is_served, numbers
from sim.study.metrics.latency import latency_s
from sim.study.statistics import mser5

MSER5 = "mser5"


def discard_warm_up(requests: pd.DataFrame, until: float | str | None) -> pd.DataFrame:
    """Return the arrivals after the warm-up, whatever their fate.

    Parameters
    ----------
    requests : DataFrame
        A row per arrival, in order of arrival.
    until : float, str or None
        None: nothing is left out. A number: arrivals before this time in seconds are. ``"10%"``: the first tenth of all
        arrivals is (rounded down). ``"mser5"``: the queries are that arrived before the first served one that MSER-5
        keeps, on the latencies of served queries in order of arrival; nothing is if fewer than 10 were served.

    Raises
    ------
    ValueError
        If ``until`` is none of these.
    """
    check_warm_up(until)
    if until is None:
        return requests
    if until == MSER5:
        served = np.flatnonzero(is_served(requests))
        cut = mser5(latency_s(requests)) if len(served) >= 10 else 0
        return requests.iloc[served[cut] :] if cut > 0 else requests
    if isinstance(until, str):
        return requests.iloc[int(len(requests) * float(until.removesuffix("%")) / 100) :]
    return requests[numbers(requests, "arrived_at_s") >= until]


def check_warm_up(until: float | str | None) -> None:
    """Raise ValueError for a warm-up that ``discard_warm_up`` cannot read."""
    right = "it must be null, seconds from 0 on, a share below 100% such as '10%', or 'mser5'"
    if until is None or until == MSER5:
        return
    number = until
    if isinstance(until, str):
        try:
            number = float(until.removesuffix("%")) if until.endswith("%") else float("nan")
        except ValueError:
            number = float("nan")
    limit = 100.0 if isinstance(until, str) else float("inf")
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < limit:
        raise ValueError(f"warm_up is {until!r}; {right}")
