"""Choose the fullest budget among the deployments that are of use."""

from __future__ import annotations

import numpy as np

from policies.parts.paying import can_pay, pays_or_waits, used_share
from policies.parts.ranked import best_first
from sim.interface import Decision, Estimator, Policy, Query, Reasons, Setting, State


class Balance(Policy):
    """argmin_i of the used share of budget i, among those with quality_hat_i > 0 that can pay.

    The next choices named are the others of those, fullest first; without any the query is declined, or waits for the
    fullest where refused queries wait. Ties go to the lowest index.

    Kalyanasundaram and Pruhs, "An optimal deterministic algorithm for online b-matching", Theoretical Computer Science
    233, 2000.

    *Theorem*: at least 1 - 1/e of the hindsight optimum, for any queries in any order. *Condition*: all bids and all
    budgets are equal, value is spend (quality = cost = 0 or 1 in some unit), and a budget holds many bids. With unequal
    bids it sends a query to a low bidder for the sake of balance, where ``Msvv`` weighs one against the other.

    Parameters
    ----------
    estimator : Estimator
    """

    paces = True

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep the budgets and how refused queries go on."""
        self._budgets = setting.budgets
        self._refused = setting.refused

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the share of each budget that is left."""
        return Reasons(scores=1.0 - used_share(self._budgets, state), words="the fullest budget comes first")

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmin, or decline."""
        useful = pays_or_waits(query.quality_hat > 0, can_pay(query, state), self._refused)
        return best_first(-used_share(self._budgets, state), useful)
