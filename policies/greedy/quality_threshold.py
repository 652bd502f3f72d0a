"""Choose the cheapest deployment that is predicted to be good enough."""

from __future__ import annotations

import numpy as np

from sim.errors import check_number
from sim.interface import Decision, Estimator, Policy, Query, Reasons, State


class QualityThreshold(Policy):
    """The least cost_hat among deployments with quality_hat >= threshold; the best predicted if none reaches it.

    Parameters
    ----------
    estimator : Estimator
    threshold : float
        In [0, 1].

    Raises
    ------
    ValueError
        If the threshold is not in [0, 1].
    """

    def __init__(self, estimator: Estimator, threshold: float = 0.5) -> None:
        check_number("threshold", threshold, least=0, most=1)
        self.estimator = estimator
        self._threshold = threshold

    def reasons(self, query: Query, state: State) -> Reasons:
        """Say which deployments are good enough."""
        n_good = int((query.quality_hat >= self._threshold).sum())
        rule = "it takes the cheapest of these" if n_good else "it takes the best predicted"
        return Reasons(
            words=f"{n_good} of {len(query.quality_hat)} are predicted {self._threshold:g} or better; {rule}"
        )

    def decide(self, query: Query, state: State) -> Decision:
        """Return the cheapest that is good enough."""
        good = query.quality_hat >= self._threshold
        if not good.any():
            return Decision(int(query.quality_hat.argmax()))
        return Decision(int(np.where(good, query.cost_hat, np.inf).argmin()))
