"""PORT as published and as its released code runs it."""

from __future__ import annotations

import math

import numpy as np

from policies.parts.box_minimum import box_minimum
from policies.parts.exploration import Exploration
from policies.parts.priced import at_prices
from sim.assignment.rows import account_of
from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Policy, Query, Reasons, Setting, State

DIFFERENCE = 1e-8  # of the numeric gradient, as SciPy's L-BFGS-B takes it


class Port(Policy):
    """Explore on the first queries, price the budgets once, then take the best quality less price x cost.

    Algorithm 1 of arXiv 2509.02718: the first ceil(eps x horizon) queries go to {skip} + deployments uniformly at
    random; on their *estimates*

        gamma* = argmin_{0 <= gamma <= 1}  eps sum_i gamma_i B_i
                                           + sum_j max_i (alpha quality_hat_ij - gamma_i cost_hat_ij)

    by L-BFGS-B from 1 / n_deployments with a numeric gradient; every later query goes to
    argmax_i alpha quality_hat_i - gamma*_i cost_hat_i, ties to the lowest index. The inner maximum lacks max(0, .), so
    without the box the program is unbounded below whenever the budgets cannot serve every query; the code's box makes
    ``alpha`` matter, and where L-BFGS-B stops on this kinked function depends on the last bits of its values (see
    docs/evidence/validation.md). There is no skip after exploration and no look at the remaining budget.
    ``SampledDual`` mends all of this.

    The released code calls SciPy's L-BFGS-B, whose last bits depend on the processor; this one stops at the same place
    on every processor (``policies.parts.box_minimum``), and as far from the minimum. ``compare roundings=20`` shows
    from how wide a range it is a draw.

    Parameters
    ----------
    estimator : Estimator
    alpha : float
        Weight of quality, positive.
    eps : float
        Share of queries to explore on, in (0, 1).

    Raises
    ------
    ValueError
        If alpha or eps is out of range.
    """

    paces = True

    def __init__(self, estimator: Estimator, alpha: float = 1e-4, eps: float = 0.025) -> None:
        check_number("alpha", alpha, above=0)
        check_number("eps", eps, above=0, below=1)
        self.estimator = estimator
        self._alpha = alpha
        self._eps = eps

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Draw where the exploring queries go."""
        self._budgets, self._accounts = setting.budgets, setting.accounts
        self._exploration = Exploration(setting, self._eps, rng)
        self._gamma = np.zeros(len(setting.fleet))

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show prices and what they leave, divided by ``alpha``; of the first queries that chance decides."""
        if self._exploration.covers(query):
            return self._exploration.reasons
        return at_prices(query, self._gamma / self._alpha)

    def decide(self, query: Query, state: State) -> Decision:
        """Explore, or take the best priced deployment."""
        if self._exploration.covers(query):
            decision = self._exploration.send(query)
            if self._exploration.is_over:
                self._gamma = self._prices()
            return decision
        return Decision(int((self._alpha * query.quality_hat - query.cost_hat * self._gamma).argmax()))

    def _prices(self) -> FloatArray:
        quality, cost = self._exploration.estimates()
        account, first = account_of(len(self._budgets), self._accounts)
        limited = np.flatnonzero(np.isfinite(self._budgets[first]))  # a budget without limit has price 0
        quality, budgets, gamma = self._alpha * quality, self._budgets[first[limited]], np.zeros(len(first))

        def objective(prices: FloatArray) -> float:
            gamma[limited] = prices
            worth = np.max(quality - gamma[account] * cost, axis=1)
            return self._eps * math.fsum((prices * budgets).tolist()) + math.fsum(worth.tolist())

        def with_slope(prices: FloatArray) -> tuple[float, FloatArray]:
            value, slope = objective(prices), np.zeros(len(prices))
            for i, price in enumerate(prices.tolist()):
                moved = prices.copy()
                moved[i] = price + DIFFERENCE if price + DIFFERENCE <= 1 else price - DIFFERENCE
                slope[i] = (objective(moved) - value) / (moved[i] - price)
            return value, slope

        start = np.full(len(limited), 1 / len(first))
        gamma[limited] = box_minimum(with_slope, start, np.ones(len(limited)))
        return gamma[account]
