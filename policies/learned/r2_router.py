"""Choose a model and how long its answer may be, by a regressor for every model and cap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.errors import check_number
from sim.interface import (
    Capped,
    Decision,
    Estimator,
    Features,
    FloatArray,
    History,
    IntArray,
    Policy,
    Query,
    Setting,
    State,
)


class R2Router(Policy):
    """argmax of (1 - l) x Q(x, m, b) - l x C(x, m, b) over models m and caps b, the whole answer among them.

    R2-Router (arXiv 2602.02823), in the form of its code: Q is a ridge regression for each model and cap, and one for
    whole answers. The paper has a small network in its place. C is in theirs the price of the input and of b output
    tokens, and of a predicted number of tokens where there is no cap. Here it is learned like Q, from what cut answers
    have cost in the history, so that an answer which ends before its cap is cheaper. Of equal choices the first in the
    fleet is taken, and there the lowest cap, before the whole answer.

    Where answers cannot be cut (``History.capped`` is None) it chooses among whole ones. Costs in budgets of different
    units (USD and tokens) are not comparable; this rule compares them all the same.

    Parameters
    ----------
    estimator : Estimator
        Fitted to the history once for whole answers, and once for cut ones, with each deployment at each cap as if it
        were a deployment of its own.
    cost_share : float
        The weight l of cost, in [0, 1]; what is left of 1 is that of quality. A USD is worth l / (1 - l) of score: 999
        by default. The authors take 0.99999, for prices that are lower.

    Raises
    ------
    ValueError
        If the weight is not in [0, 1].
    """

    def __init__(self, estimator: Estimator, cost_share: float = 0.999) -> None:
        check_number("cost_share", cost_share, least=0, most=1)
        self.estimator = self._estimator = estimator
        self._cost_share = cost_share

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Fit a regressor for every cap."""
        history = self._history = setting.history
        capped = history.capped
        caps: list[int] = [] if capped is None else capped.caps.tolist()
        self._caps: list[int | None] = [*caps, None]
        self._seen = np.flatnonzero(history.known.any(axis=0))
        self._predictor = None if capped is None else self._estimator.fit(by_cap(history, capped, self._seen))

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax."""
        quality, cost = query.quality_hat[None], query.cost_hat[None]  # caps x deployments
        if self._predictor is not None:
            features = Features(query.embedding[None], np.array([query.input_tokens]))
            cut_quality, cut_cost = map(self._over_the_fleet, self._predictor.predict(features))
            if len(self._seen) < len(query.quality_hat):
                cut_quality, cut_cost = self._history.completed(cut_quality, cut_cost)
            quality, cost = np.concatenate([cut_quality, quality]), np.concatenate([cut_cost, cost])
        worth = (1 - self._cost_share) * quality - self._cost_share * cost
        deployment, place = divmod(int(worth.T.argmax()), len(self._caps))
        return Decision(deployment, max_output_tokens=self._caps[place])

    def _over_the_fleet(self, predicted: FloatArray) -> FloatArray:
        """Return what is predicted of a query (1, n_caps x n_seen) by cap and deployment, NaN for one never seen."""
        result = np.full((len(self._caps) - 1, self._history.quality.shape[1]), np.nan)
        result[:, self._seen] = predicted.reshape(len(result), -1)
        return result


def by_cap(history: History, capped: Capped, seen: IntArray) -> History:
    """Return a history with a column for every cap and every deployment (indices) that it has seen, cap by cap."""
    n_caps = len(capped.caps)
    quality, cost = (
        np.moveaxis(outcome[:, seen], 2, 1).reshape(len(outcome), -1) for outcome in (capped.quality, capped.cost)
    )
    units = tuple(history.units[k] for k in seen.tolist()) * n_caps if history.units else ()
    return replace(history, quality=quality, cost=cost, units=units, capped=None)
