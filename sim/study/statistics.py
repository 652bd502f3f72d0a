"""Means with their uncertainty: over replications, over batches of one long run, and the warm-up to leave out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from sim.interface import FloatArray

MSER_BATCH = 5


def mean_interval(values: Sequence[float] | FloatArray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the mean and the half-width of its Student interval; the half-width of one value is NaN.

    >>> mean_interval([1.0, 2.0, 3.0])  # 2 +- 4.303 x 1 / sqrt(3)
    (2.0, 2.484...)
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return float(array.mean()), float("nan")
    quantile = student.ppf(0.5 + confidence / 2, len(array) - 1)
    return float(array.mean()), float(quantile * array.std(ddof=1) / np.sqrt(len(array)))


def paired_difference(
    a: Sequence[float] | FloatArray, b: Sequence[float] | FloatArray, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the mean of a - b and the half-width of its Student interval, for values that belong together in pairs.

    Under common random numbers this is narrower than the difference of two intervals (Law, Simulation Modeling and
    Analysis, 5th ed., McGraw-Hill 2015, chapter 10).

    Parameters
    ----------
    a, b : arrays (n,)
        One value per replication, replication k of one beside replication k of the other.

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> paired_difference([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])  # differences 1, 2, 3
    (2.0, 2.484...)
    """
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} values and b {len(b)}; pairs need as many of each")
    return mean_interval(np.subtract(a, b), confidence)


def mser5(values: Sequence[float] | FloatArray) -> int:
    """Return how many values at the beginning to leave out as warm-up, a multiple of 5.

    Parameters
    ----------
    values : array (n,)
        In order of time, at least 10.

    Raises
    ------
    ValueError
        If there are fewer than 10 values.

    Notes
    -----
    The values are averaged in fives, Z_1 to Z_k, and d of these are left out, where d <= k / 2 minimises
    sum_{i > d} (Z_i - mean of Z_{d+1..k})^2 / (k - d)^2, the squared marginal standard error (White, An effective
    truncation heuristic for bias reduction in simulation output, Simulation 69, 1997; in fives: White, Cobb and Spratt,
    A comparison of five steady-state truncation heuristics for simulation, Winter Simulation Conference 2000). If the
    result is near n / 2 the run was too short to tell.

    Examples
    --------
    >>> mser5([9.0] * 10 + ([0.0] * 5 + [1.0] * 5) * 10)
    10
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2 * MSER_BATCH:
        raise ValueError(f"there are {len(array)} values; MSER-5 needs at least {2 * MSER_BATCH}")
    n_batches = len(array) // MSER_BATCH
    batches = array[: n_batches * MSER_BATCH].reshape(n_batches, MSER_BATCH).mean(axis=1)
    batches -= batches.mean()  # so that the sums of squares below cancel little
    kept = np.arange(n_batches, 0, -1)
    total, squares = np.cumsum(batches[::-1])[::-1], np.cumsum(batches[::-1] ** 2)[::-1]
    error = (squares - total**2 / kept) / kept**2
    return int(np.argmin(error[: n_batches // 2 + 1])) * MSER_BATCH


def batch_means(values: Sequence[float] | FloatArray, n_batches: int) -> FloatArray:
    """Return the means of ``n_batches`` equal stretches (n_batches,); the oldest values left over are in none.

    Raises
    ------
    ValueError
        If there are fewer than 2 batches or fewer values than batches.
    """
    array = np.asarray(values, dtype=np.float64)
    if not 2 <= n_batches <= len(array):
        raise ValueError(f"n_batches is {n_batches}; it must be from 2 to the number of values, {len(array)}")
    size = len(array) // n_batches
    means: FloatArray = array[len(array) - size * n_batches :].reshape(n_batches, size).mean(axis=1)
    return means


def quantile_interval(
    values: Sequence[float] | FloatArray, probability: float, n_batches: int = 20, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return a quantile of one long run and the two ends of its interval.

    The share of values up to the quantile has an interval probability +- h by batch means; the quantiles at its ends
    are the ends of the interval. Where the share may be 1 or 0, nothing bounds the quantile, and the end is infinite.
    The mean of the batches' own quantiles would be biased: a batch holds few values beyond its quantile, and these come
    together.

    Parameters
    ----------
    values : array (n,)
        In order of time, the warm-up left out.
    probability : float
        In (0, 1); quantiles are by linear interpolation.
    n_batches : int
    confidence : float

    Raises
    ------
    ValueError
        If there are fewer than 2 batches or fewer values than batches.
    """
    array = np.asarray(values, dtype=np.float64)
    quantile = float(np.quantile(array, probability))
    _, half_width = batch_means_interval((array <= quantile).astype(np.float64), n_batches, confidence)
    low, high = probability - half_width, probability + half_width
    return (
        quantile,
        float(np.quantile(array, low)) if low > 0 else float("-inf"),
        float(np.quantile(array, high)) if high < 1 else float("inf"),
    )


def batch_means_interval(
    values: Sequence[float] | FloatArray, n_batches: int = 20, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the mean of one long run and the half-width of its interval by non-overlapping batch means.

    Batches must be long against the time over which values are correlated, so that their means are nearly independent
    (Law 2015, chapter 9).

    Parameters
    ----------
    values : array (n,)
        In order of time, the warm-up left out.
    n_batches : int
    confidence : float

    Raises
    ------
    ValueError
        If there are fewer than 2 batches or fewer values than batches.

    Examples
    --------
    >>> batch_means_interval([0.0, 2.0, 1.0, 3.0, 2.0, 4.0], n_batches=3)  # batch means 1, 2, 3
    (2.0, 2.484...)
    """
    return mean_interval(batch_means(values, n_batches), confidence)
