"""Computes means with their uncertainty, over replications or batches of one long run, and the warm-up to leave out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit  # the quantile of Student's t, without the half second that scipy.stats takes

from sim.interface import FloatArray, IntArray

MSER_BATCH = 5


def mean_interval(values: Sequence[float] | FloatArray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the mean and the half-width of its Student interval; the half-width of one value is NaN.

    >>> mean_interval([1.0, 2.0, 3.0])  # 2 +- 4.303 x 1 / sqrt(3)
    (2.0, 2.484...)
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return float(array.mean()), float("nan")
    quantile = stdtrit(len(array) - 1, 0.5 + confidence / 2)
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


class Line(NamedTuple):
    """A fitted line with the half-widths of its intervals, and the share of the variance that it explains."""

    intercept: float
    intercept_half_width: float
    slope: float
    slope_half_width: float
    r_squared: float


def fitted_line(
    x: Sequence[float] | FloatArray,
    y: Sequence[float] | FloatArray,
    replication: Sequence[int] | IntArray,
    confidence: float = 0.95,
) -> Line:
    """Fit y = intercept + slope x by least squares, with intervals from independent replications.

    Points of one replication may share their luck, and the law need not be a line: the intervals are for the best line.

    Parameters
    ----------
    x, y : arrays (n,)
        Finite.
    replication : array (n,)
        To which of R replications each point belongs.
    confidence : float

    Raises
    ------
    ValueError
        If there are fewer than 2 replications or values of x.

    Notes
    -----
    With the points X (n, 2) of replication r in X_r, and e what the line leaves, the covariance of the coefficients is

    c (X'X)^-1 (sum_r X_r' e_r e_r' X_r) (X'X)^-1,   c = R / (R - 1) (n - 1) / (n - 2),

    with Student's quantile of R - 1 degrees of freedom (Cameron and Miller, A practitioner's guide to cluster-robust
    inference, Journal of Human Resources 50, 2015). R^2 is NaN if y does not vary.

    Examples
    --------
    >>> line = fitted_line([0, 1, 2, 0, 1, 2], [1, 3, 5, 2, 4, 6], [0, 0, 0, 1, 1, 1])
    >>> round(line.slope, 9), round(line.slope_half_width, 9)  # two parallel lines: only the intercept is unsure
    (2.0, 0.0)
    >>> round(line.intercept, 9), line.intercept_half_width > 1
    (1.5, True)
    """
    design = np.column_stack([np.ones(len(x)), np.asarray(x, dtype=np.float64)])
    values = np.asarray(y, dtype=np.float64)
    names, member = np.unique(replication, return_inverse=True)
    if len(names) < 2 or len(np.unique(x)) < 2:
        raise ValueError(
            f"there are {len(names)} replications and {len(np.unique(x))} values of x; a line needs 2 of each"
        )
    bread = np.linalg.inv(design.T @ design)
    coefficients = bread @ design.T @ values
    left = values - design @ coefficients
    scores = np.zeros((len(names), 2))
    np.add.at(scores, member, design * left[:, None])
    correction = len(names) / (len(names) - 1) * (len(values) - 1) / (len(values) - 2)
    deviation = np.sqrt(np.diag(correction * bread @ scores.T @ scores @ bread))
    half_width = stdtrit(len(names) - 1, 0.5 + confidence / 2) * deviation
    varies = float(((values - values.mean()) ** 2).sum())
    r_squared = 1 - float(left @ left) / varies if varies > 0 else float("nan")
    return Line(float(coefficients[0]), float(half_width[0]), float(coefficients[1]), float(half_width[1]), r_squared)


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
