"""Prices of budgets from a sample of queries, by the smoothed dual.

It differs from ``sim.assignment``: ``program.solve_linear`` gives the exact prices of a small program, and
``prices.minimise`` those of a large one to a gap. The smoothed dual has another minimum near theirs, without kinks, so
that it is found again from the last prices in a few steps.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from sim.interface import FloatArray


def smooth_prices(
    quality: FloatArray,
    cost: FloatArray,
    weights: FloatArray,
    budgets: FloatArray,
    start: FloatArray,
    *,
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
    temperature : float
        tau, in units of quality.
    iterations : int
        At most so many steps.
    """
    unit = cost.mean(axis=0)
    unit = np.where(unit > 0, unit, 1.0)  # prices per mean cost, so that all are alike
    scaled = cost / unit
    with np.errstate(divide="ignore", invalid="ignore"):
        highest = np.where(scaled > 0, quality / scaled, 0.0).max(axis=0)  # above it nobody buys
    limited = np.isfinite(budgets)
    highest = np.where(limited, highest, 0.0)
    available = np.where(limited, budgets, 0.0) / unit
    total = max(float(weights.sum()), 1e-300)

    def dual(prices: FloatArray) -> tuple[float, FloatArray]:
        exponent = (quality - prices * scaled) / temperature
        top = np.maximum(exponent.max(axis=1), 0.0)
        share = np.exp(exponent - top[:, None])
        norm = share.sum(axis=1) + np.exp(-top)
        value = prices @ available + temperature * (weights @ (top + np.log(norm)))
        spent = ((share * (weights / norm)[:, None]) * scaled).sum(axis=0)
        return float(value) / total, (available - spent) / total

    found = minimize(
        dual,
        np.clip(start * unit, 0.0, highest),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([np.zeros(len(highest)), highest]),
        options={"maxiter": iterations, "ftol": 1e-9, "gtol": 1e-7},
    )
    prices: FloatArray = found.x / unit
    return prices
