"""Intervals over replications."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return the mean and the half-width of its Student interval; the half-width of one value is NaN.

    >>> mean_interval([1.0, 2.0, 3.0])  # 2 +- 4.303 x 1 / sqrt(3)
    (2.0, 2.484...)
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return float(array.mean()), float("nan")
    quantile = student.ppf(0.5 + confidence / 2, len(array) - 1)
    return float(array.mean()), float(quantile * array.std(ddof=1) / np.sqrt(len(array)))
