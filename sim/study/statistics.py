"""Intervals over replications."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from sim.interface import FloatArray


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


def mser5(values: FloatArray) -> int:
    """Return how many of the first values (n,) MSER-5 discards (White 1997, Simulation 69:323).

    Means of batches of 5, Y_1..Y_m; the discarded batches d minimise sum_{i>d} (Y_i - mean)^2 / (m - d)^2 in the first
    half.
    """
    batches = np.asarray(values)[: len(values) // 5 * 5].reshape(-1, 5).mean(axis=1)
    m = len(batches)
    if m < 2:
        return 0
    kept = np.arange(m, 0, -1)
    centred = batches - batches.mean()
    sums = centred[::-1].cumsum()[::-1]
    squares = (centred**2)[::-1].cumsum()[::-1]
    error = np.maximum(squares - sums**2 / kept, 0) / kept**2
    return 5 * int(error[: m // 2 + 1].argmin())
