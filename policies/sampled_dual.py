"""PORT's rule with the sampled linear program solved exactly."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, hstack

from policies.exploration import Exploration, check_eps
from sim.interface import Decision, Estimator, FloatArray, Policy, Query, Setting, State


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
        Name every other deployment worth its price, best first, for when the first cannot take the query.

    Raises
    ------
    ValueError
        If eps is out of range.
    """

    def __init__(self, estimator: Estimator, eps: float = 0.025, fallback: bool = False) -> None:
        check_eps(eps)
        self.estimator = estimator
        self._eps = eps
        self._fallback = fallback

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Draw where the exploring queries go."""
        self._budgets = setting.budgets
        self._exploration = Exploration(setting, self._eps, rng)
        self._gamma = np.zeros(len(setting.fleet))

    def decide(self, query: Query, state: State) -> Decision:
        """Explore, or take the best deployment that is worth its price."""
        if self._exploration.covers(query):
            decision = self._exploration.send(query)
            if self._exploration.is_over:
                self._gamma = dual_prices(*self._exploration.estimates(), self._eps * self._budgets)
            return decision
        surplus = query.quality_hat - self._gamma * query.cost_hat
        best = int(surplus.argmax())
        if surplus[best] <= 0:
            return Decision(None)
        if not self._fallback:
            return Decision(best)
        ranked = np.argsort(-surplus, kind="stable")
        return Decision(best, ranked[1 : int((surplus > 0).sum())].tolist())


def dual_prices(quality: FloatArray, cost: FloatArray, budgets: FloatArray) -> FloatArray:
    """Return the prices (n_deployments,) that minimise the dual of a budgeted assignment, by HiGHS.

    min gamma . B + sum_j beta_j  s.t.  beta_j + cost_ij gamma_i >= quality_ij,  beta, gamma >= 0.
    A budget without limit has price 0.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    n, n_deployments = quality.shape
    pair = np.arange(quality.size)
    price = coo_array((cost.ravel(), (pair, pair % n_deployments)), shape=(quality.size, n_deployments))
    value = coo_array((np.ones(quality.size), (pair, pair // n_deployments)), shape=(quality.size, n))
    is_limited = np.isfinite(budgets)
    result = linprog(
        np.concatenate([np.where(is_limited, budgets, 0.0), np.ones(n)]),
        A_ub=-csr_array(hstack([price, value])),
        b_ub=-quality.ravel(),
        bounds=[(0, None if limited else 0) for limited in is_limited] + [(0, None)] * n,
        method="highs",
    )
    if result.x is None:
        raise RuntimeError(f"HiGHS did not solve the dual: {result.message}")
    gamma: FloatArray = result.x[:n_deployments]
    return gamma
