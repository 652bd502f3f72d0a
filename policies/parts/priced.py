"""What rules with prices share: the choice at given prices, and the units and steps in which prices move."""

from __future__ import annotations

import numpy as np

from sim.assignment.rows import pooled
from sim.interface import Decision, FloatArray, Query, Reasons, Setting, State, affords

DECLINE = Decision(None)


def best_worth(query: Query, prices: FloatArray) -> int | None:
    """Return argmax_i quality_hat_i - prices_i cost_hat_i, or None if no deployment is worth more than its price.

    Parameters
    ----------
    query : Query
    prices : array (n_deployments,)
        Quality per unit of each budget.
    """
    surplus = query.quality_hat - prices * query.cost_hat
    best = int(surplus.argmax())
    return best if surplus[best] > 0 else None


def at_prices(query: Query, prices: FloatArray) -> Reasons:
    """Return the reasons of a rule that compares quality_hat_i - prices_i cost_hat_i; prices as in ``best_worth``."""
    return Reasons(prices, query.quality_hat - prices * query.cost_hat)


def learning(n_first: int) -> Reasons:
    """Return the reasons of a rule that declines the first queries."""
    those = "the first query is" if n_first == 1 else f"the first {n_first} queries are"
    return Reasons(words=f"{those} declined, to learn prices")


def if_it_fits(query: Query, choice: int | None, state: State, refused: str) -> Decision:
    """Return the choice, or decline the query if its estimated cost is above what remains there.

    Where refused queries wait (``Setting.refused``), it may wait for its budget there.
    """
    if choice is not None and (refused == "wait" or affords(state.remaining, query.cost_hat)[choice]):
        return Decision(choice)
    return DECLINE


def cost_units(setting: Setting) -> FloatArray:
    """Return what counts as a cost of 1 (n_deployments,): the mean cost of the history.

    Then a price is in units of quality and a step is free of the unit of money. A deployment that was free is measured
    in its budget's own unit; one without a budget has the unit ``inf``, so that every cost is 0 and no price is paid.
    Deployments that share an account have one unit, the mean of theirs, so that one price is the same for all of them.
    """
    _, mean = setting.history.means()
    mean = pooled(mean, setting.accounts) / pooled(np.ones_like(mean), setting.accounts)
    return np.where(np.isfinite(setting.budgets), np.where(mean > 0, mean, 1.0), np.inf)


def budget_per_query(setting: Setting, units: FloatArray) -> FloatArray:
    """Return rho = B / horizon in these units (n_deployments,), 0 for a deployment without a budget."""
    return np.where(np.isfinite(setting.budgets), setting.budgets, 0.0) / setting.horizon / units
