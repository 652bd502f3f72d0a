"""PORT's rule with the sampled linear program solved exactly."""

from __future__ import annotations

import numpy as np

from policies.parts.exploration import Exploration
from policies.parts.paying import can_pay, not_lost
from policies.parts.priced import at_prices
from policies.parts.ranked import best_first
from sim.assignment.program import solve_linear
from sim.errors import check_number
from sim.interface import Decision, Estimator, Policy, Query, Reasons, Setting, State


class SampledDual(Policy):
    """Explore like PORT, solve the sample's dual exactly, then skip whatever is not worth its price.

        gamma* = argmin_{gamma >= 0}  eps sum_i gamma_i B_i + sum_j max(0, max_i (quality_hat_ij - gamma_i cost_hat_ij))

    This is the dual of the linear program that arXiv 2509.02718 (section 3) states, with the max(0, .) that its
    algorithm leaves out; the one-time-learning algorithm of Agrawal, Wang and Ye (arXiv 0911.2974) without its factor
    1 - eps. Afterwards a query goes to argmax_i quality_hat_i - gamma*_i cost_hat_i and is declined unless that is
    positive. PORT's alpha only scales gamma here, so there is none.

    Parameters
    ----------
    estimator : Estimator
    eps : float
        Share of queries to explore on, in (0, 1).
    fallback : bool
        Name every other deployment worth its price, best first, for when the first cannot take the query. Where refused
        queries are lost, the first is the best of those whose settled budget covers the estimated cost, if any does.

    Raises
    ------
    ValueError
        If eps is out of range.
    """

    paces = True

    def __init__(self, estimator: Estimator, eps: float = 0.025, fallback: bool = False) -> None:
        check_number("eps", eps, above=0, below=1)
        self.estimator = estimator
        self._eps = eps
        self._fallback = fallback

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Draw where the exploring queries go."""
        self._budgets, self._accounts = setting.budgets, setting.accounts
        self._refused = setting.refused
        self._exploration = Exploration(setting, self._eps, rng)
        self._gamma = np.zeros(len(setting.fleet))

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the prices and what they leave; of the first queries that chance decides."""
        return self._exploration.reasons if self._exploration.covers(query) else at_prices(query, self._gamma)

    def decide(self, query: Query, state: State) -> Decision:
        """Explore, or take the best deployment that is worth its price."""
        if self._exploration.covers(query):
            decision = self._exploration.send(query)
            if self._exploration.is_over:
                quality, cost = self._exploration.estimates()
                self._gamma = solve_linear(quality, cost, self._eps * self._budgets, accounts=self._accounts).prices
            return decision
        surplus = query.quality_hat - self._gamma * query.cost_hat
        if self._fallback:
            return best_first(surplus, not_lost(surplus > 0, can_pay(query, state), self._refused))
        return best_first(surplus, surplus > 0)._replace(fallbacks=())
