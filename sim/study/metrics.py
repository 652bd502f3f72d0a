"""Figures of one run: functions of its table of requests (one row per arrival). They know no policy and no world.

Every figure is over all arrivals unless its name or docstring says otherwise. To add one, write a function of the table
and name it in a YAML of the group ``metric``.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

Metric = Callable[[pd.DataFrame], float]


def counts(requests: pd.DataFrame) -> dict[str, int]:
    """Return how many arrived, and how many met each fate."""
    fates = requests["fate"].value_counts()
    return {
        "arrived": len(requests),
        **{fate: int(fates.get(fate, 0)) for fate in ("served", "declined", "exhausted", "rejected")},
    }


def totals(requests: pd.DataFrame) -> dict[str, float]:
    """Return total quality, total cost and quality per dollar (NaN if nothing was spent)."""
    quality, cost_usd = float(requests["quality"].sum()), float(requests["cost_usd"].sum())
    return {
        "quality": quality,
        "cost_usd": cost_usd,
        "quality_per_usd": quality / cost_usd if cost_usd > 0 else float("nan"),
    }


def mean_latency_s(requests: pd.DataFrame) -> float:
    """Return the mean time from arrival to last token of served queries; NaN if none was."""
    return float(latency_s(requests).mean())


def latency_percentile_s(requests: pd.DataFrame, percent: float) -> float:
    """Return a percentile (linear interpolation) of arrival to last token of served queries; NaN if none was."""
    return float(latency_s(requests).quantile(percent / 100))


def latency_s(requests: pd.DataFrame) -> pd.Series[float]:
    """Return arrival to last token of each served query."""
    return (requests["finished_at_s"] - requests["arrived_at_s"]).dropna()
