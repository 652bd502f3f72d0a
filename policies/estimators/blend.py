"""Two estimators in the proportion that predicts left-out history best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from policies.parts.held_out import held_out
from sim.interface import Estimates, Estimator, Features, FloatArray, History, Predictor


@dataclass(frozen=True)
class Blend:
    """Quality from two estimators and the history's mean, cost from the first alone.

    The weights of the two are non-negative and minimise the squared error of each history row under fits without it;
    the mean has what is left of 1 (stacked regressions: Breiman 1996). Rows count for the deployments that they know.

    Parameters
    ----------
    first, second : Estimator
    """

    first: Estimator
    second: Estimator

    def fit(self, history: History) -> Predictor:
        """Fit both, and weigh them."""
        fitted = (self.first.fit(history), self.second.fit(history))
        left_out = [
            held_out(estimator, predictor, history)
            for estimator, predictor in zip((self.first, self.second), fitted, strict=True)
        ]
        known = history.known
        mean, _ = history.means()
        away = np.column_stack([(estimates.quality - mean)[known] for estimates in left_out])
        weights, _ = nnls(away, (history.quality - mean)[known])
        return Blended(fitted, left_out, weights, mean)


class Blended:
    """Two fitted estimators and their weights."""

    def __init__(
        self, fitted: tuple[Predictor, Predictor], known: list[Estimates], weights: FloatArray, mean: FloatArray
    ) -> None:
        self._fitted = fitted
        self._known = known
        self._weights = weights
        self._mean = mean

    def predict(self, features: Features) -> Estimates:
        """Weigh both predictions."""
        return self._weighed([predictor.predict(features) for predictor in self._fitted])

    def held_out(self) -> Estimates:
        """Return the estimates of each history row by fits without it."""
        return self._weighed(self._known)

    def _weighed(self, both: list[Estimates]) -> Estimates:
        away = sum(weight * (each.quality - self._mean) for weight, each in zip(self._weights, both, strict=True))
        return Estimates(np.clip(self._mean + away, 0.0, 1.0), both[0].cost)
