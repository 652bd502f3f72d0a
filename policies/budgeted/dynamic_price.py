"""Learn the prices of the budgets again whenever the number of queries seen has doubled."""

from __future__ import annotations

import math

import numpy as np

from policies.parts.priced import at_prices, best_worth, if_it_fits, learning
from sim.assignment.program import solve_linear
from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Policy, Query, Reasons, Setting, State


class DynamicPrice(Policy):
    """Decline the first ceil(eps n) of n queries, then take what is worth its price, learned anew at each doubling.

    Dynamic learning of Agrawal, Wang and Ye (arXiv 0911.2974): after l = ceil(eps n), 2 ceil(eps n), 4 ceil(eps n), ...
    queries the prices p become the dual ones of

        max sum_{t<=l} sum_i d_ti x_ti   s.t.   sum_{t<=l} g_ti x_ti <= (1 - h_l) (l / n) B_i,   sum_i x_ti <= 1,

        h_l = eps sqrt(n / l),

    with the estimated qualities d and costs g of all queries so far, and hold until 2 l. A query goes to
    argmax_i d_i - p_i g_i if that is positive and g_i fits what remains. The reserve h_l shrinks as the sample grows.

    *Theorem.* 1 - O(eps) competitive against the hindsight linear program, in expectation over the order of arrival.

    *Condition.* Queries come in uniformly random order, estimates are the truth, and every budget is large against
    each query: min_i k_i >= 10 m ln(n / eps) / eps^2 with m budgets and k_i = B_i / max_t g_ti, which is less by a
    factor of about eps than one-time learning needs. (The constant 10 as quoted elsewhere, not checked against the
    paper's text.) In an order that is sorted the sample tells nothing of what follows, and nothing is guaranteed.

    Parameters
    ----------
    estimator : Estimator
    eps : float
        Share of queries to learn from before the first is taken, in (0, 1).

    Raises
    ------
    ValueError
        If eps is out of range.
    """

    paces = True

    def __init__(self, estimator: Estimator, eps: float = 0.025) -> None:
        check_number("eps", eps, above=0, below=1)
        self.estimator = estimator
        self._eps = eps

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin to learn; a horizon too short for eps still gives up one query."""
        self._budgets = setting.budgets
        self._accounts = setting.accounts
        self._horizon = setting.horizon
        self._refused = setting.refused
        self._n_first = self._n_next = math.ceil(self._eps * setting.horizon)
        self._quality: list[FloatArray] = []
        self._cost: list[FloatArray] = []
        self._prices = np.zeros(len(setting.fleet))

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the prices and what they leave; of the first queries that they are declined."""
        if len(self._quality) < self._n_first:
            return learning(self._n_first)
        return at_prices(query, self._prices)

    def decide(self, query: Query, state: State) -> Decision:
        """Take the best deployment that is worth its price, and note the query's estimates."""
        is_learning = len(self._quality) < self._n_first
        choice = None if is_learning else best_worth(query, self._prices)
        decision = if_it_fits(query, choice, state, self._refused)
        self._quality.append(query.quality_hat)
        self._cost.append(query.cost_hat)
        if len(self._quality) == self._n_next < self._horizon:
            self._learn_prices(self._n_next)
            self._n_next *= 2
        return decision

    def _learn_prices(self, n_seen: int) -> None:
        reserve = self._eps * math.sqrt(self._horizon / n_seen)  # at most sqrt(eps), as n_seen >= eps x horizon
        budgets = (1 - reserve) * n_seen / self._horizon * self._budgets
        quality, cost = np.array(self._quality), np.array(self._cost)
        self._prices = solve_linear(quality, cost, budgets, accounts=self._accounts).prices
