"""Estimates by ridge regression on the embedding as it is: one regressor of quality and one of cost a deployment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.bandits.ridge import inverse
from policies.estimators.exact import Columns, product
from policies.estimators.partial import by_known
from sim.errors import check_number
from sim.interface import Estimates, Features, FloatArray, History, Predictor


@dataclass(frozen=True)
class PlainRidge:
    """Least squares with a penalty on the squared weights; columns are centred and not scaled, the intercept is free.

    Quality is learned from the embedding and clipped to [0, 1], as the code of R2-Router does (arXiv 2602.02823), where
    the penalty is 10. Cost is learned from the embedding and the length of the input, in its own unit, and is at least
    the least that the deployment has cost in the history, since a linear model may predict less than nothing.

    The sums are exact and the elimination has one order, so that no processor's last bit shows.

    Parameters
    ----------
    penalty : float
        On the squared weights (scikit-learn's ``alpha``).

    Raises
    ------
    ValueError
        If the penalty is not above 0.
    """

    penalty: float = 10.0

    def __post_init__(self) -> None:
        """Check the number."""
        check_number("penalty", self.penalty, above=0)

    def fit(self, history: History) -> Predictor:
        """Fit both regressors; raise ValueError if the history has no row."""
        if len(history.quality) < 1:
            raise ValueError("the history has no row; ridge regression needs at least 1")
        return by_known(self._fit, history)

    def _fit(self, history: History) -> Predictor:
        embeddings, lengths = inputs_of(history.features)
        return Fitted(
            regressed(embeddings, history.quality, self.penalty),
            regressed(np.column_stack([embeddings, lengths]), history.cost, self.penalty),
            history.cost.min(axis=0),
        )


class Fitted:
    """Weights of quality (dim + 1, n_deployments) and cost (dim + 2, n_deployments), intercepts in the last row."""

    def __init__(self, quality: FloatArray, cost: FloatArray, least_cost: FloatArray) -> None:
        self._weights = Columns(np.hstack([quality[:-1], cost[:-2]]))  # of the embedding, for both at once
        self._of_quality, self._of_cost, self._of_length = quality[-1], cost[-1], cost[-2]
        self._least_cost = least_cost

    def predict(self, features: Features) -> Estimates:
        """Apply the weights."""
        embeddings, lengths = inputs_of(features)
        weighted, n_deployments = self._weights.times(embeddings), len(self._least_cost)
        quality = weighted[:, :n_deployments] + self._of_quality
        cost = weighted[:, n_deployments:] + lengths * self._of_length + self._of_cost
        return Estimates(np.minimum(np.maximum(quality, 0.0), 1.0), np.maximum(cost, self._least_cost))


def inputs_of(features: Features) -> tuple[FloatArray, FloatArray]:
    """Return embeddings (n, dim) and lengths of the input (n, 1) in double precision."""
    return features.embeddings.astype(np.float64), features.input_tokens[:, None].astype(np.float64)


def regressed(inputs: FloatArray, outcome: FloatArray, penalty: float) -> FloatArray:
    """Return weights and, in the last row, intercepts (n_columns + 1, m) of a ridge regression.

    Parameters
    ----------
    inputs : array (n, n_columns)
    outcome : array (n, m)
    penalty : float

    >>> regressed(np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]]), 2.0).tolist()  # half of the slope of 2 is left
    [[1.0], [2.0]]
    """
    middle, mean = (np.add.reduce(array, axis=0) / len(array) for array in (inputs, outcome))
    centred = inputs - middle
    gram = product(centred.T, centred) + penalty * np.eye(inputs.shape[1])
    against = product(centred.T, outcome - mean)
    slope: FloatArray = np.add.reduce(inverse(gram)[:, :, None] * against[None], axis=1)
    return np.vstack([slope, mean - np.add.reduce(middle[:, None] * slope, axis=0)])
