"""Measures what a cache of answers brings: how often it answers, and the money and time that this saves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.study.metrics.counting import is_cached, numbers, ratio


def hit_rate(requests: pd.DataFrame) -> float:
    """Return the share of all arrivals that a cache answered; NaN if nothing arrived."""
    return ratio(float(is_cached(requests).sum()), len(requests))


def saved_usd(requests: pd.DataFrame) -> float:
    """Return what the answers that were given again had cost when they were made, in USD, once for each time."""
    return float(np.nansum(numbers(requests, "saved_usd")))


def saved_s(requests: pd.DataFrame) -> float:
    """Return how much sooner answers came from the cache than when they were made, summed; it may be negative."""
    return float(np.nansum(numbers(requests, "saved_s")))
