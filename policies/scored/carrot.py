"""Choose what predicted quality less a weight times predicted cost says is best: the rule of CARROT."""

from __future__ import annotations

from policies.parts.ranked import by_score
from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Policy, Query, Reasons, State


class Carrot(Policy):
    """argmax_i (1 - cost_weight) quality_hat_i - cost_weight x cost_scale x cost_hat_i, ties to the lowest index.

    The plug-in rule of CARROT (Somerstep et al. 2025, arXiv 2502.03261), as in the authors' released code, where the
    weight runs from 0 to 1 in steps of 0.001. It looks at no budget and learns nothing from feedback. Where its choice
    cannot take a query, the other deployments follow in the order of the same score, which the paper does not say.
    Costs in budgets of different units (USD and tokens) are not comparable; this rule compares them all the same.

    Parameters
    ----------
    estimator : Estimator
    cost_weight : float
        In [0, 1]: 0 for quality alone, 1 for cost alone.
    cost_scale : float
        Quality that one unit of cost (USD) is worth at equal weights, at least 0. The paper's figures have 100, a
        notebook of the authors has 1.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, estimator: Estimator, cost_weight: float = 0.5, cost_scale: float = 100.0) -> None:
        check_number("cost_weight", cost_weight, least=0, most=1)
        check_number("cost_scale", cost_scale, least=0)
        self.estimator = estimator
        self._cost_weight = cost_weight
        self._cost_scale = cost_scale

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax, and the others in the order of their score."""
        return by_score(self._score(query))

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the score that it compares."""
        return Reasons(scores=self._score(query))

    def _score(self, query: Query) -> FloatArray:
        weight = self._cost_weight
        return (1 - weight) * query.quality_hat - weight * self._cost_scale * query.cost_hat
