"""Difficulty and discrimination of queries and abilities of models; a new model's ability comes from a few anchors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.preprocessing import StandardScaler

from policies.estimators.exact import product
from policies.estimators.learned import Learned, affine, columns
from policies.learned.network import Weights, train
from sim.errors import check_number, check_numbers
from sim.interface import BoolArray, Estimates, Features, FloatArray, History, IntArray, Predictor

SPREAD_AT_START = 0.1
LEAST_VARIANCE = 0.0025  # of abilities in any direction, below which anchors would not be listened to
NEWTON_STEPS, ENOUGH = 50, 1e-10


@dataclass(frozen=True)
class ItemResponse:
    """The chance of a right answer is 1 / (1 + exp(d(x) - a(x) . theta_k)), an item-response model of two parameters.

    After ZeroRouter (arXiv 2601.06220), whose code is not public: a query has a discrimination a and a difficulty
    b, with d = a . b, a model an ability theta, each of some dimensions; a predictor says a and d of a new query; a new
    model is profiled by its answers to a few anchors. Here the predictor is linear in the embedding and the log of
    input tokens, and is learned together with the abilities: by maximum likelihood with a penalty, on the models that
    are known best. All other models are profiled with a and d as they are, by the most likely ability under a normal
    prior with the mean and the covariance of the abilities learned. One that is known on no row is an average one. A
    score between 0 and 1 counts as that share of a right answer.

    Costs are those of a ridge regression of their logs (``Learned``).

    Parameters
    ----------
    dimensions : int
        Of abilities and discriminations; with 1 the models have one order on every query, or its reverse.
    penalty : float
        On the squared weights of the predictor, whose inputs are standardised.
    steps, batch : int
        Of the training: how many at least, to whole passes over the history, and queries for each.
    step : float
        Of the training (Adam's).
    seed : int
        Of the abilities to begin with and the order of training.
    """

    dimensions: int = 8
    penalty: float = 1000.0
    steps: int = 400
    batch: int = 256
    step: float = 0.02
    seed: int = 0

    def fit(self, history: History) -> Predictor:
        """Learn the predictor and all abilities.

        Raises
        ------
        ValueError
            If a setting is out of range, or the history has fewer than two rows.
        """
        for name in ("dimensions", "steps", "batch"):
            check_number(name, getattr(self, name), least=1)
        check_numbers(self, "penalty", "step", above=0)
        check_number("seed", self.seed, least=0)
        costs = Learned(quality="ridge").fit(history)  # it refuses a history that is too short
        scaler = StandardScaler().fit(columns(history.features))
        inputs = scaler.transform(columns(history.features))
        n_known = history.known.sum(axis=0)
        core = (n_known == n_known.max()) & (n_known > 0)
        weights, learned = self._calibrate(inputs, history.quality[:, core], history.known[:, core])
        latent = affine(inputs, weights)
        mean = learned.mean(axis=0)
        away = learned - mean
        covariance = away.T @ away / len(learned) + LEAST_VARIANCE * np.eye(self.dimensions)
        ability = np.tile(mean, (len(core), 1))
        ability[core] = learned
        for k in np.flatnonzero(~core & (n_known > 0)):
            rows = history.known[:, k]
            ability[k] = profile(latent[rows], history.quality[rows, k], mean, covariance)
        return Abilities(history, scaler, weights, ability, costs)

    def _calibrate(self, inputs: FloatArray, score: FloatArray, known: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Return weights of the predictor (dim + 1, dimensions + 1), constants last, and abilities, a row a model."""
        n, n_models = score.shape
        right = np.where(known, score, 0.0)
        rng = np.random.default_rng(self.seed)
        start = np.zeros((inputs.shape[1] + 1, self.dimensions + 1))
        start[-1, :-1] = 1.0  # every query tells models apart a little

        def slope(now: Weights, batch: IntArray) -> Weights:
            weights, ability = now
            of, share = inputs[batch], len(batch) / n
            latent = of @ weights[:-1] + weights[-1]
            chance = expit(latent[:, :-1] @ ability.T - latent[:, -1:])
            away = np.where(known[batch], chance, 0.0) - right[batch]
            of_latent = np.column_stack([away @ ability, -away.sum(axis=1)])
            penalised = of.T @ of_latent + share * self.penalty * weights[:-1]
            of_weights = np.vstack([penalised, of_latent.sum(axis=0)])
            return [of_weights / len(batch), (away.T @ latent[:, :-1] + share * ability) / len(batch)]

        begin = [start, rng.normal(0, SPREAD_AT_START, (n_models, self.dimensions))]
        passes = -(-self.steps // -(-n // self.batch))
        weights, ability = train(begin, slope, n, rng, passes=passes, batch=self.batch, step=self.step)
        return weights, ability


def profile(latent: FloatArray, score: FloatArray, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the most likely ability (dimensions,) of a model by its scores on anchors, by Newton's method.

    Parameters
    ----------
    latent : array (n_anchors, dimensions + 1)
        Discrimination and, last, difficulty d of each anchor.
    score : array (n_anchors,)
    mean : array (dimensions,)
    covariance : array (dimensions, dimensions)
        Of the normal prior.
    """
    slope, precision, ability = latent[:, :-1], np.linalg.inv(covariance), mean.copy()

    def surprise(ability: FloatArray) -> float:
        logit = slope @ ability - latent[:, -1]
        away = ability - mean
        return float((np.logaddexp(0.0, logit) - score * logit).sum() + 0.5 * (away @ precision @ away))

    for _ in range(NEWTON_STEPS):
        chance = expit(slope @ ability - latent[:, -1])
        gradient = slope.T @ (chance - score) + precision @ (ability - mean)
        curvature = (slope * (chance * (1 - chance))[:, None]).T @ slope + precision
        step, before = np.linalg.solve(curvature, gradient), surprise(ability)
        while surprise(ability - step) > before and np.abs(step).max() > ENOUGH:
            step = step / 2
        ability = ability - step
        if np.abs(step).max() <= ENOUGH:
            break
    return ability


class Abilities:
    """Abilities of the models, and the predictor of what a query asks for."""

    def __init__(
        self, history: History, scaler: StandardScaler, weights: FloatArray, ability: FloatArray, costs: Predictor
    ) -> None:
        self._history = history
        self._scaler = scaler
        self._weights = weights
        self._ability = ability
        self._costs = costs

    def predict(self, features: Features) -> Estimates:
        """Return the chance of a right answer, and the predicted costs."""
        latent = affine(self._scaler.transform(columns(features)), self._weights)
        quality = expit(product(latent[:, :-1], np.ascontiguousarray(self._ability.T)) - latent[:, -1:])
        return Estimates(*self._history.completed(quality, self._costs.predict(features).cost))
