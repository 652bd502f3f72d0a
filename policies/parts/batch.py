"""Deciding on the queries of a gate together: the checks of a batch, its estimates and its decisions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.assignment.program import DECLINE
from sim.errors import check_number
from sim.interface import Decision, FloatArray, IntArray, Query


def check_batch(size: int, window_s: float, gap: float) -> None:
    """Raise ValueError for a batch size, waiting time or gap that cannot be."""
    if size < 1:
        raise ValueError(f"size is {size}; a batch needs at least 1 query")
    if not window_s > 0:
        raise ValueError(f"window_s is {window_s}; it must be positive")
    check_number("gap", gap, least=0, below=1)


def estimates(queries: Sequence[Query]) -> tuple[FloatArray, FloatArray]:
    """Return the estimated quality and cost of queries, each (n, n_deployments)."""
    return np.array([query.quality_hat for query in queries]), np.array([query.cost_hat for query in queries])


def decisions(plan: IntArray) -> list[Decision]:
    """Return the decisions of a plan (n,): a deployment for each query, or ``DECLINE``."""
    return [Decision(None if choice == DECLINE else choice) for choice in plan.tolist()]
