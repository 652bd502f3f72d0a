"""Choose the best predicted quality, discounted by how much of the budget is used up."""

from __future__ import annotations

import numpy as np

from policies.parts.paying import can_pay, pays_or_waits, used_share
from policies.parts.ranked import best_first
from sim.interface import Decision, Estimator, Policy, Query, Reasons, Setting, State


class Msvv(Policy):
    """argmax_i quality_hat_i x psi(used share of budget i),  psi(x) = 1 - e^(x - 1), among those that can pay.

    The next choices named are the others of positive quality that can pay, best first. A query that nobody who can pay
    is of use to is declined, or waits where refused queries wait. Ties go to the lowest index.

    Mehta, Saberi, Vazirani and Vazirani, "AdWords and generalized online matching", JACM 54(5), 2007.

    *Theorem*: at least 1 - 1/e of the hindsight optimum, for any queries in any order, and no rule can do better.
    *Condition*: value is spend (quality = cost in some unit) and every bid is small beside its budget. Where quality is
    no spend the rule still runs, and guarantees nothing: it spends a budget on whatever comes first.

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
        """Show predicted quality, discounted by the used share of each budget."""
        return Reasons(scores=query.quality_hat * (1.0 - np.exp(used_share(self._budgets, state) - 1.0)))

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax, or decline."""
        psi = 1.0 - np.exp(used_share(self._budgets, state) - 1.0)
        useful = pays_or_waits(query.quality_hat > 0, can_pay(query, state), self._refused)
        return best_first(query.quality_hat * psi, useful)
