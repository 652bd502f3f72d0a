"""The prices of budgets on a sample of queries. It knows estimates and amounts, and no rule."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, hstack

from sim.interface import FloatArray


def dual_prices(quality: FloatArray, cost: FloatArray, budgets: FloatArray) -> FloatArray:
    """Return the prices (n_deployments,) that minimise the dual of a budgeted assignment, by HiGHS.

    min gamma . B + sum_j beta_j  s.t.  beta_j + cost_ij gamma_i >= quality_ij,  beta, gamma >= 0.
    A budget without limit has price 0.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    n, n_deployments = quality.shape
    pair = np.arange(quality.size)
    price = coo_array((cost.ravel(), (pair, pair % n_deployments)), shape=(quality.size, n_deployments))
    value = coo_array((np.ones(quality.size), (pair, pair // n_deployments)), shape=(quality.size, n))
    is_limited = np.isfinite(budgets)
    result = linprog(
        np.concatenate([np.where(is_limited, budgets, 0.0), np.ones(n)]),
        A_ub=-csr_array(hstack([price, value])),
        b_ub=-quality.ravel(),
        bounds=[(0, None if limited else 0) for limited in is_limited] + [(0, None)] * n,
        method="highs",
    )
    if result.x is None:
        raise RuntimeError(f"HiGHS did not solve the dual: {result.message}")
    gamma: FloatArray = result.x[:n_deployments]
    return gamma
