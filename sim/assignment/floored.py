"""The cheapest assignment of a batch whose mean quality keeps a floor, as a binary program solved by HiGHS.

min sum_ij cost_ij x_ij   s.t.   sum_ij quality_ij x_ij >= floor x n,   sum_i x_ij = 1,   x binary

It is arithmetic on arrays, for policies on estimates.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from sim.interface import FloatArray, IntArray

INFEASIBLE = 2  # how SciPy says that no plan meets the constraints


def cheapest_above(quality: FloatArray, cost: FloatArray, floor: float, gap: float = 1e-4) -> IntArray | None:
    """Return the deployment of each query (n,); None if no plan keeps the floor.

    Costs are taken in units of their mean, because HiGHS's tolerances are absolute.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    floor : float
        Of the mean quality.
    gap : float
        Relative, between the plan's cost and the solver's own bound; it may stop there.

    Raises
    ------
    RuntimeError
        If HiGHS fails.

    Examples
    --------
    >>> quality, cost = np.array([[0.5, 1.0], [0.5, 0.9]]), np.array([[1.0, 5.0], [1.0, 2.0]])
    >>> cheapest_above(quality, cost, 0.7).tolist(), cheapest_above(quality, cost, 0.96)
    ([0, 1], None)
    """
    n, n_deployments = quality.shape
    if not quality.max(axis=1).mean() >= floor - 1e-9:
        return None
    pairs = np.arange(n * n_deployments)
    once = coo_array((np.ones(len(pairs)), (pairs // n_deployments, pairs)), shape=(n, len(pairs)))
    unit = float(cost.mean())
    result = milp(
        cost.ravel() / (unit if unit > 0 else 1.0),
        constraints=[
            LinearConstraint(quality.reshape(1, -1) / n, lb=floor - 1e-9),
            LinearConstraint(once.tocsr(), lb=1, ub=1),
        ],
        integrality=np.ones(len(pairs)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": gap},
    )
    if result.x is None and result.status == INFEASIBLE:
        return None
    if result.x is None:
        raise RuntimeError(f"HiGHS found no plan above the floor: {result.message}")
    plan: IntArray = result.x.reshape(n, n_deployments).argmax(axis=1)
    return plan
