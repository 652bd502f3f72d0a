"""Choose a model and how long its answer may be, by a regressor for every model and cap."""

from __future__ import annotations

import numpy as np

from sim.errors import check_number
from sim.interface import Decision, Estimator, Features, Policy, Predictor, Query, Setting, State


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
        Fitted to the history once for every cap, and once for whole answers.
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
        self._estimator = estimator
        self._cost_share = cost_share

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Fit a regressor for every cap."""
        capped = setting.history.capped
        caps: list[int] = [] if capped is None else capped.caps.tolist()
        self._caps: list[int | None] = [*caps, None]
        self._predictors: list[Predictor] = [
            self._estimator.fit(setting.history.at_cap(place)) for place in range(len(caps))
        ]

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax."""
        features = Features(query.embedding[None], np.array([query.input_tokens]))
        at_caps = [predictor.predict(features) for predictor in self._predictors]
        quality = np.vstack([*(estimates.quality for estimates in at_caps), query.quality_hat])  # caps x deployments
        cost = np.vstack([*(estimates.cost for estimates in at_caps), query.cost_hat])
        worth = (1 - self._cost_share) * quality - self._cost_share * cost
        deployment, place = divmod(int(worth.T.argmax()), len(self._caps))
        return Decision(deployment, max_output_tokens=self._caps[place])
