"""Choose a deployment and how long its answer may be: the best of quality less priced cost, over both."""

from __future__ import annotations

import math

import numpy as np

from sim.errors import check_number
from sim.interface import Capped, Decision, Estimator, FloatArray, History, Policy, Query, Setting, State


class CappedGreedy(Policy):
    """argmax of quality_hat_i x q_ib - cost_weight x cost_hat_i x c_ib, over deployments i and caps b.

    q_ib and c_ib are what answers of i keep of their quality and of their cost when they are cut at b output tokens, on
    average in the history (``History.capped``); a whole answer, with no cap, is a choice too and keeps 1 of both. Ties
    go to the first deployment, and there to the lowest cap. It is the smallest rule with the action of R2-Router (arXiv
    2602.02823), which has a regressor for every model and cap instead of one average. Where answers cannot be cut, it
    chooses among whole ones. Costs in budgets of different units (USD and tokens) are not comparable; this rule
    compares them all the same.

    Parameters
    ----------
    estimator : Estimator
        Of whole answers.
    cost_weight : float
        Score that one unit of cost is worth, at least 0; 0 takes the best answer whatever it costs.

    Raises
    ------
    ValueError
        If the weight is negative.
    """

    def __init__(self, estimator: Estimator, cost_weight: float = 1000.0) -> None:
        check_number("cost_weight", cost_weight, least=0)
        self.estimator = estimator
        self._weight = cost_weight

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find what cut answers keep."""
        capped = setting.history.capped
        self._caps: list[int | None] = [*([] if capped is None else capped.caps.tolist()), None]
        self._quality, self._cost = np.ones((2, len(self._caps), len(setting.fleet)))
        if capped is not None:
            self._quality[:-1], self._cost[:-1] = kept(setting.history, capped)

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax."""
        worth = query.quality_hat * self._quality - self._weight * query.cost_hat * self._cost  # caps x deployments
        deployment, place = divmod(int(worth.T.argmax()), len(self._caps))
        return Decision(deployment, max_output_tokens=self._caps[place])


def kept(history: History, capped: Capped) -> tuple[FloatArray, FloatArray]:
    """Return mean quality and cost of cut answers over those of whole ones, (n_caps, n_deployments) each.

    1 where whole answers are worth, or cost, nothing. A deployment that is known on no row is an average one.
    """
    whole = history.completed(means(history.quality), means(history.cost))
    cut = history.completed(
        np.array([means(capped.quality[..., place]) for place in range(len(capped.caps))]),
        np.array([means(capped.cost[..., place]) for place in range(len(capped.caps))]),
    )
    quality, cost = (
        np.divide(of_cut, of_whole, out=np.ones_like(of_cut), where=of_whole > 0)
        for of_cut, of_whole in zip(cut, whole, strict=True)
    )
    return quality, cost


def means(outcome: FloatArray) -> FloatArray:
    """Return the mean of each column (n_deployments,) over the rows that it is known on, exact; NaN without any."""
    columns = (column[~np.isnan(column)].tolist() for column in outcome.T)
    return np.array([math.fsum(column) / len(column) if column else math.nan for column in columns])
