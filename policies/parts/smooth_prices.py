"""Prices of budgets from a sample of queries, by the smoothed dual.

It differs from ``sim.assignment``: ``program.solve_linear`` gives the exact prices of a small program, and
``prices.minimise`` those of a large one to a gap. The smoothed dual has another minimum near theirs, without kinks, so
that it is found again from the last prices in a few steps.

The same inputs give the same prices on every processor, and so do inputs that differ in their last digits only: inputs
are rounded, sums have one order, and the exponential is made of products of single numbers.
"""

from __future__ import annotations

import math

import numpy as np

from policies.parts.box_minimum import box_minimum
from sim.assignment.rows import account_of
from sim.interface import FloatArray, IntArray

LN2 = 0.6931471805599453
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # products of the former with whole numbers are exact
HALF_ROOT = 0.7071067811865476
PART = 4096  # numbers at a time, so that the parts of a sum stay in the cache
ODD_INVERSES = tuple(1.0 / (2 * n + 1) for n in range(12))


def smooth_prices(
    quality: FloatArray,
    cost: FloatArray,
    weights: FloatArray,
    budgets: FloatArray,
    start: FloatArray,
    *,
    accounts: IntArray | None = None,
    temperature: float = 0.02,
    iterations: int = 60,
) -> FloatArray:
    """Return the prices (n_deployments,) that minimise the smoothed dual of a budgeted assignment.

    min_{p >= 0}  p . B + tau sum_j w_j log(1 + sum_i exp((quality_ij - p_i cost_ij) / tau))

    For tau -> 0 it is the dual of the linear program; at a tau above 0 a query is shared by deployments that are worth
    nearly the same to it, and the minimum is found from an earlier one in a few smooth steps (L-BFGS-B).

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    weights : array (n,)
        How many queries each row stands for.
    budgets : array (n_deployments,)
        ``inf`` for no budget, whose price is 0.
    start : array (n_deployments,)
        Prices to start from.
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from; None where each has its own.
    temperature : float
        tau, in units of quality.
    iterations : int
        At most so many steps.
    """
    quality, cost, weights = coarse(quality), coarse(cost), coarse(weights)
    account, first = account_of(len(budgets), accounts)
    mean = np.bincount(account, weights=np.add.reduce(cost, axis=0) / len(cost)) / np.bincount(account)
    unit = np.where(mean > 0, mean, 1.0)  # prices per mean cost, so that all are alike
    scaled = cost / unit[account]
    highest = np.zeros(len(first))
    with np.errstate(divide="ignore", invalid="ignore"):  # above it nobody buys
        np.maximum.at(highest, account, np.where(scaled > 0, quality / scaled, 0.0).max(axis=0))
    limited = np.isfinite(budgets[first])
    highest = np.where(limited, highest, 0.0)
    available = np.where(limited, coarse(budgets[first]), 0.0) / unit
    total = max(float(np.add.reduce(weights)), 1e-300)

    def dual(prices: FloatArray) -> tuple[float, FloatArray]:
        exponent = (quality - prices[account] * scaled) / temperature
        top = np.maximum(exponent.max(axis=1), 0.0)
        share = exponential(exponent - top[:, None])
        norm = np.add.reduce(share, axis=1) + exponential(-top)
        value = np.add.reduce(prices * available)
        value += temperature * np.add.reduce(weights * (top + logarithm(norm)))
        spent = np.bincount(account, weights=np.add.reduce(share * (weights / norm)[:, None] * scaled, axis=0))
        return float(value) / total, (available - spent) / total

    found = box_minimum(
        dual,
        np.clip(coarse(start[first]) * unit, 0.0, highest),
        highest,
        iterations=iterations,
        value_tolerance=1e-9,
        slope_tolerance=1e-7,
    )
    prices: FloatArray = (found / unit)[account]
    return prices


def coarse(values: FloatArray) -> FloatArray:
    """Return values to 30 bits, so that another last bit changes nothing but by rare chance.

    >>> coarse(np.array([0.1, 0.1 + 1e-16, np.inf])).tolist()
    [0.09999999997671694, 0.09999999997671694, inf]
    """
    part, exponent = np.frexp(values)
    result: FloatArray = np.ldexp(np.rint(part * 2.0**30), exponent - 30)
    return result


def exponential(values: FloatArray) -> FloatArray:
    """Return exp of values of at most 0, to 1e-15 of it, the same on every processor; 5e-324 below -745.

    exp(x) = 2^(n / 64) exp(r) with |r| <= ln(2) / 128, by Taylor's series of exp(r).

    >>> exponential(np.array([0.0, -1.0, -2000.0])).tolist()
    [1.0, 0.36787944117144233, 5e-324]
    """
    result: FloatArray = np.maximum(values, -745.0)
    flat = result.reshape(-1)
    for start in range(0, flat.size, PART):
        part = flat[start : start + PART]
        power = np.rint(part * (64 / LN2))
        part -= power * (LN2_HIGH / 64)
        part -= power * (LN2_LOW / 64)
        number = power.astype(np.int32)
        part[:] = np.ldexp(taylor(part, 5) * ROOTS_OF_2[number & 63], number >> 6)
    return result


def taylor(values: FloatArray, degree: int) -> FloatArray:
    """Return the first terms of the exponential's series."""
    series = np.full_like(values, 1.0 / math.factorial(degree))
    for n in range(degree - 1, -1, -1):
        series *= values
        series += 1.0 / math.factorial(n)
    return series


ROOTS_OF_2 = taylor(np.arange(64) / 64 * LN2, 18)  # 2^(j / 64)


def logarithm(values: FloatArray) -> FloatArray:
    """Return the logarithm of positive values, to a relative 1e-15 beside 1, the same on every processor.

    ln(m 2^n) = n ln(2) + 2 artanh(s), s = (m - 1) / (m + 1), by the series of artanh.

    >>> logarithm(np.array([1.0, 2.0, 27.5])).round(14).tolist()
    [0.0, 0.69314718055995, 3.31418600467253]
    """
    part, exponent = np.frexp(values)
    is_low = part < HALF_ROOT
    part, exponent = np.where(is_low, 2 * part, part), exponent - is_low
    ratio = (part - 1) / (part + 1)  # at most 0.172
    square, series = ratio * ratio, np.full_like(ratio, ODD_INVERSES[-1])
    for factor in ODD_INVERSES[-2::-1]:
        series *= square
        series += factor
    result: FloatArray = exponent * LN2 + 2 * ratio * series
    return result
