"""Estimates from linear models of the history (scikit-learn): quality by logistic or ridge, log cost by ridge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from policies.estimators.exact import product
from policies.estimators.log_cost import log_costs, smearing
from policies.estimators.partial import by_known
from sim.errors import check_one_of
from sim.interface import Estimates, Features, FloatArray, History, Predictor

QUALITY = ("logistic", "ridge")


@dataclass(frozen=True)
class Learned:
    """Linear models of quality and log cost on the embedding and the log of input tokens.

    It stands in the place of PORT's fine-tuned RoBERTa (arXiv 2509.02718, section 5), which regressed raw dollars;
    costs of 1e-4 USD leave such a loss without signal, so the cost is learned in logs here and transformed back with
    the smearing factor mean(exp(residual)) (Duan 1983), which makes the mean right.

    Parameters
    ----------
    quality : str
        ``logistic``: the chance of a right answer, a score between 0 and 1 counted as that share of a right one.
        ``ridge``: least squares, clipped to [0, 1].
    inverse_penalty : float
        Inverse of the penalty on the logistic weights (scikit-learn's C).
    penalty : float
        Penalty on the ridge weights, for quality and cost (scikit-learn's alpha), on standardised columns.
    """

    quality: str = "logistic"
    inverse_penalty: float = 0.001
    penalty: float = 300.0

    def fit(self, history: History) -> Predictor:
        """Fit one model for each deployment's quality, and one for all costs."""
        check_one_of("quality", self.quality, QUALITY)
        if len(history.quality) < 2:
            raise ValueError(f"the history has {len(history.quality)} row; a learned estimator needs at least 2")
        return by_known(self._fit, history, least=2)

    def _fit(self, history: History) -> Predictor:
        scaler = StandardScaler().fit(columns(history.features))
        inputs = scaler.transform(columns(history.features))
        if self.quality == "logistic":
            with threadpool_limits(1):  # many small products: handing them between threads costs more than it saves
                weights = np.column_stack(
                    [logistic(inputs, score, self.inverse_penalty) for score in history.quality.T]
                )
        else:
            weights = stacked(Ridge(alpha=self.penalty).fit(inputs, history.quality))
        log_cost, is_free = log_costs(history.cost)
        cost_weights = stacked(Ridge(alpha=self.penalty).fit(inputs, log_cost))
        factor = smearing(log_cost, affine(inputs, cost_weights), is_free)
        return Linear(scaler, weights, self.quality == "logistic", cost_weights, factor)


class Linear:
    """Fitted weights, one column per deployment, the intercept in the last row."""

    def __init__(
        self,
        scaler: StandardScaler,
        weights: FloatArray,
        is_logistic: bool,
        cost_weights: FloatArray,
        cost_factor: FloatArray,
    ) -> None:
        self._scaler = scaler
        self._weights = weights
        self._is_logistic = is_logistic
        self._cost_weights = cost_weights
        self._cost_factor = cost_factor

    def predict(self, features: Features) -> Estimates:
        """Apply the weights."""
        inputs = self._scaler.transform(columns(features))
        score = affine(inputs, self._weights)
        quality = expit(score) if self._is_logistic else np.clip(score, 0.0, 1.0)
        return Estimates(quality, np.exp(affine(inputs, self._cost_weights)) * self._cost_factor)


def columns(features: Features) -> FloatArray:
    """Return what the models see (n, dim + 1): the embedding and log(1 + input tokens)."""
    return np.column_stack([features.embeddings.astype(np.float64), np.log1p(features.input_tokens)])


def affine(inputs: FloatArray, weights: FloatArray) -> FloatArray:
    """Return inputs times weights plus the intercepts in the last row; each row's result depends on that row alone."""
    result: FloatArray = product(inputs, weights[:-1]) + weights[-1]
    return result


def stacked(model: Ridge) -> FloatArray:
    """Return coefficients and intercepts (dim + 2, n_deployments) of a fitted ridge regression."""
    return np.vstack([np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)])


def logistic(inputs: FloatArray, score: FloatArray, inverse_penalty: float) -> FloatArray:
    """Return weights and intercept (dim + 2,) for one deployment's scores in [0, 1]."""
    if score.min() == score.max():  # nothing to tell apart: the history's rate, kept off 0 and 1
        return np.append(np.zeros(inputs.shape[1]), logit(np.clip(score[0], 0.01, 0.99)))
    right, wrong = score > 0, score < 1
    model = LogisticRegression(C=inverse_penalty, max_iter=1000).fit(
        np.vstack([inputs[right], inputs[wrong]]),
        np.repeat([1, 0], [right.sum(), wrong.sum()]),
        sample_weight=np.concatenate([score[right], 1 - score[wrong]]),
    )
    return np.append(model.coef_[0], model.intercept_)
