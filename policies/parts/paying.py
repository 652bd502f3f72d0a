"""What a deployment can still pay, from what a router observes of its budget, and where a query goes by it.

What is best done with a deployment that cannot pay depends on how a refused query goes on (``Setting.refused``).
"""

from __future__ import annotations

import math

import numpy as np

from sim.interface import BoolArray, FloatArray, Query, State, affords


def can_pay(query: Query, state: State) -> BoolArray:
    """Mark the deployments (n_deployments,) whose remaining budget is positive and covers the estimated cost.

    The remaining budget is settled: costs in flight are not yet in it, so a choice may still be refused.
    """
    return (state.remaining > 0) & affords(state.remaining, query.cost_hat)


def pays_or_waits(useful: BoolArray, payable: BoolArray, refused: str) -> BoolArray:
    """Return the useful deployments that can pay; where refused queries wait and none can, all useful ones.

    For a rule that looks at what budgets can pay: then it does not decline a query that could wait.

    Parameters
    ----------
    useful, payable : bool arrays (n_deployments,)
    refused : str
        As in ``Setting``.

    Examples
    --------
    >>> useful, payable = np.array([True, True]), np.array([False, False])
    >>> pays_or_waits(useful, payable, "wait").tolist(), pays_or_waits(useful, payable, "fallback").tolist()
    ([True, True], [False, False])
    """
    able = useful & payable
    return useful if refused == "wait" and not able.any() else able


def not_lost(useful: BoolArray, payable: BoolArray, refused: str) -> BoolArray:
    """Return the useful deployments; where refused queries are lost, only those that can pay, if any of them can.

    For a rule that names next choices, and need not look at what budgets can pay unless nobody asks the next choices.

    Parameters
    ----------
    useful, payable : bool arrays (n_deployments,)
    refused : str
        As in ``Setting``.

    Examples
    --------
    >>> useful, payable = np.array([True, True]), np.array([False, True])
    >>> not_lost(useful, payable, "lost").tolist(), not_lost(useful, payable, "fallback").tolist()
    ([False, True], [True, True])
    """
    able = useful & payable
    return able if refused == "lost" and able.any() else useful


def among_payers(choices: list[int], query: Query, state: State, refused: str) -> list[int]:
    """Return what ``not_lost`` leaves of some deployments (indices), in their order."""
    if refused != "lost":
        return choices
    payable = can_pay(query, state).tolist()
    return [k for k in choices if payable[k]] or choices


def used_share(budgets: FloatArray, state: State) -> FloatArray:
    """Return the share of each budget (n_deployments,) that is spent, in [0, 1].

    0 without a limit, 1 for a budget of nothing. Where budgets renew themselves or are topped up, the share is still
    of what they were at the start of the run.
    """
    shares = [
        min(max(left, 0.0), budget) / budget if 0 < budget < math.inf else float(budget > 0)  # a top-up may be large
        for left, budget in zip(state.remaining.tolist(), budgets.tolist(), strict=True)
    ]
    return 1.0 - np.array(shares)
