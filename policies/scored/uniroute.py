"""Choose the least predicted error plus priced cost: the rule of UniRoute."""

from __future__ import annotations

from policies.parts.ranked import by_score
from sim.errors import check_number
from sim.interface import Decision, Estimator, Policy, Query, State


class UniRoute(Policy):
    """argmin_i (1 - quality_hat_i) + cost_weight x cost_hat_i / max_k cost_hat_k, ties to the lowest index.

    The rule of UniRoute (Jitkrittum et al. 2025, arXiv 2502.08773, its optimal rule under a cap on the mean cost), with
    costs as shares of the dearest one, as a published re-implementation has them (rezashkv/cscr). Its estimators are
    ``policies.estimators.cluster_errors`` and ``learned_map``; with those, a model's cost is one number. It looks at no
    budget and learns nothing from feedback. Where its choice cannot take a query, the others follow in the order of the
    same score, which the paper does not say. Costs in budgets of different units are not comparable; this rule compares
    them all the same.

    Parameters
    ----------
    estimator : Estimator
    cost_weight : float
        The price lambda, at least 0: how much error the cost of the dearest model is worth.

    Raises
    ------
    ValueError
        If the weight is negative or not finite.
    """

    def __init__(self, estimator: Estimator, cost_weight: float = 1.0) -> None:
        check_number("cost_weight", cost_weight, least=0)
        self.estimator = estimator
        self._cost_weight = cost_weight

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmin, and the others in the order of their score."""
        dearest = float(query.cost_hat.max())
        share = query.cost_hat / dearest if dearest > 0 else query.cost_hat
        return by_score(query.quality_hat - self._cost_weight * share)
