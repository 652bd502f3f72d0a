"""What a deployment can still pay, from what a router observes of its budget."""

from __future__ import annotations

import numpy as np

from sim.interface import BoolArray, FloatArray, Query, State, affords


def can_pay(query: Query, state: State) -> BoolArray:
    """Mark the deployments (n_deployments,) whose remaining budget is positive and covers the estimated cost.

    The remaining budget is settled: costs in flight are not yet in it, so a choice may still be refused.
    """
    return (state.remaining > 0) & affords(state.remaining, query.cost_hat)


def used_share(budgets: FloatArray, state: State) -> FloatArray:
    """Return the share of each budget (n_deployments,) that is spent, in [0, 1].

    0 without a limit, 1 for a budget of nothing. Where budgets renew themselves or are topped up, the share is still
    of what they were at the start of the run.
    """
    limited = np.isfinite(budgets) & (budgets > 0)
    left = np.clip(state.remaining, 0.0, budgets)  # a top-up may be far more than a tiny budget
    return 1.0 - np.divide(left, budgets, out=np.where(budgets > 0, 1.0, 0.0), where=limited)
