"""Choose among the nearest models by nearness less price, with a bonus for those that were chosen seldom."""

from __future__ import annotations

import math

import numpy as np

from sim.errors import check_number
from sim.interface import Decision, Estimator, Policy, Query, Setting, State


class CostSpectrum(Policy):
    """argmax over the k nearest models of beta sqrt(ln(1 + t) / n_i) + s_i - lambda c_i.

    The rule of cost-spectrum contrastive routing (arXiv 2508.12491) in the form of the authors' code: s is the inner
    product of the query's and the model's vector, which the estimator gives as quality_hat = (1 + s) / 2; c_i the
    model's mean cost in the history, scaled to [0, 1] among those with its unit; t counts queries and n_i those that
    went to model i. A model without any has an infinite bonus, so that each of the nearest is tried once, nearest
    first, whatever it costs. Deployments that are not available are no neighbours, and one that joins is tried when it
    does. What answers were worth is not used: the code stores it, and its score does not look at it.

    The code counts a query when its outcome is stored, which is at once there; here it counts when it is sent, so that
    a slow fleet does not get every query until the first answer.

    Parameters
    ----------
    estimator : Estimator
        ``Contrastive``, or any: of others 2 quality_hat - 1 stands for s.
    k : int
        Neighbours; models as near as the k-th count too.
    bonus : float
        beta; 0 for none, then no model is tried for the sake of trying.
    cost_weight : float
        lambda: so much nearness is the dearest model's price worth.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    def __init__(self, estimator: Estimator, k: int = 20, bonus: float = 1e-6, cost_weight: float = 0.1) -> None:
        check_number("k", k, least=1)
        check_number("bonus", bonus, least=0)
        check_number("cost_weight", cost_weight, least=0)
        self.estimator = estimator
        self._k = k
        self._bonus = bonus
        self._cost_weight = cost_weight

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Scale the costs of the history, and forget all visits."""
        _, cost = setting.history.means()
        units = np.array([info.unit for info in setting.fleet])
        scaled = np.zeros(len(cost))
        for unit in np.unique(units):
            of_unit = units == unit
            spread = float(np.ptp(cost[of_unit]))
            if spread > 0:
                scaled[of_unit] = (cost[of_unit] - cost[of_unit].min()) / spread
        self._price = self._cost_weight * scaled
        self._visits = np.zeros(len(cost), dtype=np.int64)
        self._n_queries = 0

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax; ties go to the lowest index."""
        nearness = 2 * query.quality_hat - 1
        able = state.available
        if not able.all():
            nearness = np.where(able, nearness, -np.inf) if able.any() else nearness
        score = nearness - self._price
        if self._k < len(nearness):
            nearness = np.where(nearness >= np.partition(nearness, -self._k)[-self._k], nearness, -np.inf)
            score = np.where(nearness > -np.inf, score, -np.inf)
        choice = best = int(score.argmax())
        if self._bonus > 0:
            untried = np.where(self._visits == 0, nearness, -np.inf)
            choice = int(untried.argmax())
            if untried[choice] == -np.inf:
                spread = np.sqrt(math.log1p(self._n_queries) / np.maximum(self._visits, 1))
                choice = int((score + self._bonus * spread).argmax())
        self._n_queries += 1
        self._visits[choice] += 1
        return Decision(choice, explores=choice != best)
