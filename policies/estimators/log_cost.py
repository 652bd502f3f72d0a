"""Costs as learned estimators see them: in logs, and back. It knows no model."""

from __future__ import annotations

import numpy as np

from sim.interface import BoolArray, FloatArray


def log_costs(cost: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return log costs, a cost of 0 counting as its deployment's least other one, and which deployments are free.

    Parameters
    ----------
    cost : array (n_history, n_deployments)

    Returns
    -------
    log_cost : array (n_history, n_deployments)
        0 for a deployment that is always free.
    is_free : array (n_deployments,)
    """
    least = np.where(cost > 0, cost, np.inf).min(axis=0)
    is_free = np.isinf(least)
    return np.log(np.maximum(cost, np.where(is_free, 1.0, least))), is_free


def smearing(log_cost: FloatArray, predicted: FloatArray, is_free: BoolArray) -> FloatArray:
    """Return mean(exp(residual)) (n_deployments,), which makes the mean of exp(predicted) right (Duan 1983)."""
    return np.where(is_free, 0.0, np.exp(log_cost - predicted).mean(axis=0))
