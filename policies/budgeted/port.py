"""PORT as published and as its released code runs it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from policies.parts.exploration import Exploration
from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Policy, Query, Setting, State


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
        self._budgets = setting.budgets
        self._exploration = Exploration(setting, self._eps, rng)
        self._gamma = np.zeros(len(setting.fleet))

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
        quality *= self._alpha
        is_limited = np.isfinite(self._budgets)  # a budget without limit has price 0
        budgets = np.where(is_limited, self._budgets, 0.0)

        def objective(gamma: FloatArray) -> float:
            return float(self._eps * np.sum(gamma * budgets) + np.sum(np.max(quality - gamma * cost, axis=1)))

        box = [(0, 1 if limited else 0) for limited in is_limited]
        gamma: FloatArray = minimize(objective, is_limited / len(budgets), method="L-BFGS-B", bounds=box).x
        return gamma
