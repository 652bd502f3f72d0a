"""Measures how answers were cut: how many were asked for with a cap, how many reached it, and how long caps were."""

from __future__ import annotations

import pandas as pd

from sim.interface import FloatArray
from sim.study.metrics.counting import is_served, numbers, ratio


def capped_share(requests: pd.DataFrame) -> float:
    """Return the share of served queries whose answer was asked for with a cap; NaN if none was served."""
    caps = caps_of_served(requests)
    return ratio(float((caps > 0).sum()), len(caps))


def cut_share(requests: pd.DataFrame) -> float:
    """Return the share of served queries whose answer is as long as its cap; NaN if none was served."""
    caps = caps_of_served(requests)
    return ratio(float((numbers(requests, "output_tokens")[is_served(requests)] == caps).sum()), len(caps))


def mean_cap_tokens(requests: pd.DataFrame) -> float:
    """Return the mean cap in output tokens of served queries whose answer had one; NaN if none had."""
    caps = caps_of_served(requests)
    return ratio(float(caps[caps > 0].sum()), float((caps > 0).sum()))


def caps_of_served(requests: pd.DataFrame) -> FloatArray:
    """Return the cap of each served query, NaN without one."""
    return numbers(requests, "max_output_tokens")[is_served(requests)]
