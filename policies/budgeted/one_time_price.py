"""Learn the prices of the budgets once, from the first queries, which are given up for it."""

from __future__ import annotations

import numpy as np

from policies.parts.exploration import Exploration
from policies.parts.priced import DECLINE, at_prices, best_worth, if_it_fits, learning
from sim.assignment.program import solve_linear
from sim.errors import check_number, check_one_of
from sim.interface import Decision, Estimator, Policy, Query, Reasons, Setting, State

EXPLORE = ("decline", "random")


class OneTimePrice(Policy):
    """Decline the first s = ceil(eps n) of n queries, then take whatever is worth the prices learned from them.

    One-time learning of Agrawal, Wang and Ye (arXiv 0911.2974): the prices p are the dual ones of

        max sum_{t<=s} sum_i d_ti x_ti   s.t.   sum_{t<=s} g_ti x_ti <= (1 - eps) (s / n) B_i,   sum_i x_ti <= 1

    with the estimated qualities d and costs g of the sample; a later query goes to argmax_i d_i - p_i g_i if that is
    positive and g_i fits what remains. The factor 1 - eps leaves room for a sample that was cheaper than the rest.

    *Theorem.* 1 - 6 eps competitive against the hindsight linear program, in expectation over the order of arrival.
    (Both constants 6 as quoted elsewhere, not checked against the paper's text.)

    *Condition.* Queries come in uniformly random order, estimates are the truth, and every budget is large against
    each query: min_i k_i >= 6 m ln(n / eps) / eps^3 with m budgets and k_i = B_i / max_t g_ti. In an order that is
    sorted the sample tells nothing of what follows, and nothing is guaranteed.

    Parameters
    ----------
    estimator : Estimator
    eps : float
        Share of queries to learn from, in (0, 1).
    explore : str
        What becomes of these: ``decline``, as the theorem has it, or ``random`` over {skip} + deployments, as PORT has
        it (arXiv 2509.02718), which spends part of the budgets on them.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    paces = True

    def __init__(self, estimator: Estimator, eps: float = 0.025, explore: str = "decline") -> None:
        check_number("eps", eps, above=0, below=1)
        check_one_of("explore", explore, EXPLORE)
        self.estimator = estimator
        self._eps = eps
        self._declines = explore == "decline"

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin to learn; a horizon too short for eps still gives up one query."""
        self._exploration = Exploration(setting, self._eps, rng)
        self._sample_budgets = (1 - self._eps) * self._exploration.n_queries / setting.horizon * setting.budgets
        self._accounts = setting.accounts
        self._prices = np.zeros(len(setting.fleet))
        self._refused = setting.refused

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the prices and what they leave; of the first queries what becomes of them."""
        if not self._exploration.covers(query):
            return at_prices(query, self._prices)
        if self._declines:
            return learning(self._exploration.n_queries)
        return self._exploration.reasons

    def decide(self, query: Query, state: State) -> Decision:
        """Learn, or take the best deployment that is worth its price."""
        if not self._exploration.covers(query):
            return if_it_fits(query, best_worth(query, self._prices), state, self._refused)
        drawn = self._exploration.send(query)
        if self._exploration.is_over:
            quality, cost = self._exploration.estimates()
            self._prices = solve_linear(quality, cost, self._sample_budgets, accounts=self._accounts).prices
        return DECLINE if self._declines else drawn
