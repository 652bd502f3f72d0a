"""How near each query is to each model, in a space that bands of cost have shaped (contrastive learning)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.estimators.exact import product
from policies.estimators.learned import Learned
from policies.estimators.neighbours import unit
from policies.learned.network import Weights, backward, drawn, exactly, forward, softmax, train
from sim.errors import check_number, check_numbers
from sim.interface import BoolArray, Estimates, Features, FloatArray, History, IntArray, Predictor

BANDS = 5
LEAST_TEMPERATURE, TEMPERATURE_BY_COST, COST_OF_NEGATIVES = 0.05, 0.25, 0.2
RIGHT = 0.5  # a score from here on is a correct answer
TINY = 1e-12


@dataclass(frozen=True)
class Contrastive:
    """The encoder of cost-spectrum contrastive routing (arXiv 2508.12491): quality is (1 + cosine) / 2.

    A model's vector are its errors on ``probes`` queries of the history, at length 1. (The paper takes probabilities of
    frequent tokens, or another model's perplexity of the answers, and no table has either.) A model that is known on
    few rows takes no part in the training, so that it is added without any: its vector are its errors on those of
    them that are probes, and elsewhere the mean error of all models. One that is known on none is an average one.

    A query's vector is a network of two layers on its embedding, at length 1. Models stand in five bands by quantiles
    of their mean cost, c scaled to [0, 1]. With s the inner products, the loss of a query is the mean, over the bands
    with a correct model, of -log(sum over all correct models of the band of exp(s / tau) / sum over all models of
    exp((s - 0.2 c) / tau)), with tau = 0.05 + 0.25 x the band's mean c, as in the authors' code.

    Costs are those of a ridge regression of their logs (``Learned``); the rule of the paper does not look at them.

    Parameters
    ----------
    probes : int
        At most so many rows of the history describe the models; first those that most models are known on.
    width : int
        Of the hidden layer.
    passes : int
        Over the history.
    batch : int
        Queries for each step.
    step : float
        Of the training (Adam's).
    seed : int
        Of the weights to begin with and the order of training.
    """

    probes: int = 192
    width: int = 384
    passes: int = 10
    batch: int = 512
    step: float = 0.0005
    seed: int = 0

    def fit(self, history: History) -> Predictor:
        """Describe the models, and train the encoder on those that are known best.

        Raises
        ------
        ValueError
            If a setting is out of range, or the history has fewer than two rows.
        """
        check_numbers(self, "probes", "width", "passes", "batch", "seed", least=0)
        for name in ("probes", "width", "passes", "batch"):
            check_number(name, getattr(self, name), least=1)
        check_number("step", self.step, above=0)
        costs = Learned(quality="ridge").fit(history)
        vectors = model_vectors(history, self.probes)
        inputs = encoded(history.features)
        n_known = history.known.sum(axis=0)
        core = np.flatnonzero((n_known == n_known.max()) & (n_known > 0))
        rng = np.random.default_rng(self.seed)
        weights = drawn(inputs.shape[1], self.width, vectors.shape[1], rng)
        rows = np.flatnonzero((history.quality[:, core] >= RIGHT).any(axis=1))  # the others have no positive
        if len(rows):
            loss = Bands(vectors[core], history.means()[1][core])
            right = history.quality[np.ix_(rows, core)] >= RIGHT
            known, seen = history.known[np.ix_(rows, core)], inputs[rows]

            def slope(now: Weights, batch: IntArray) -> Weights:
                hidden, outputs = forward(now, seen[batch])
                of_outputs = loss.slope(outputs, right[batch], known[batch]) / len(batch)
                *others, constants = backward(now, seen[batch], hidden, of_outputs)
                return [*others, np.zeros_like(constants)]  # the last layer has none

            weights = train(weights, slope, len(rows), rng, passes=self.passes, batch=self.batch, step=self.step)
        return Encoder(history, weights, vectors, costs)


class Bands:
    """The loss: which model stands in which band, and at which temperature each band compares.

    Parameters
    ----------
    vectors : array (n_models, n_probes)
    cost : array (n_models,)
        Mean costs.
    """

    def __init__(self, vectors: FloatArray, cost: FloatArray) -> None:
        self._vectors = vectors
        self._cost = (cost - cost.min()) / max(float(np.ptp(cost)), TINY)
        edges = np.quantile(self._cost, np.linspace(0, 1, BANDS + 1)[1:-1])
        band = np.searchsorted(edges, self._cost, side="left")
        self._bands = [
            (band == number, LEAST_TEMPERATURE + TEMPERATURE_BY_COST * float(self._cost[band == number].mean()))
            for number in np.unique(band)
        ]

    def slope(self, outputs: FloatArray, right: BoolArray, known: BoolArray) -> FloatArray:
        """Return the slope of the summed loss in the outputs (n, n_probes), which are scaled to length 1 here.

        Parameters
        ----------
        outputs : array (n, n_probes)
        right, known : bool arrays (n, n_models)
            Which models answered correctly, and which at all.
        """
        length = np.maximum(np.sqrt((outputs**2).sum(axis=1, keepdims=True)), TINY)
        query = outputs / length
        similarity = query @ self._vectors.T
        of_similarity = np.zeros_like(similarity)
        positives = [right & mask for mask, _ in self._bands]
        n_bands = np.sum([each.any(axis=1) for each in positives], axis=0)
        for (_, temperature), positive in zip(self._bands, positives, strict=True):
            some = positive.any(axis=1)
            s, among = similarity[some], known[some]
            against = softmax(np.where(among, (s - COST_OF_NEGATIVES * self._cost) / temperature, -np.inf))
            towards = softmax(np.where(positive[some], s / temperature, -np.inf))
            of_similarity[some] += (against - towards) / temperature
        of_query = (of_similarity / np.maximum(n_bands, 1)[:, None]) @ self._vectors
        result: FloatArray = (of_query - query * (of_query * query).sum(axis=1, keepdims=True)) / length
        return result


class Encoder:
    """A trained encoder and the models' vectors."""

    def __init__(self, history: History, weights: Weights, vectors: FloatArray, costs: Predictor) -> None:
        self._history = history
        self._weights = weights
        self._vectors = vectors
        self._costs = costs

    def predict(self, features: Features) -> Estimates:
        """Return (1 + cosine) / 2 of each query and model, and the predicted costs."""
        query = at_length_one(exactly(self._weights, encoded(features)))
        quality = np.clip((1 + product(query, np.ascontiguousarray(self._vectors.T))) / 2, 0.0, 1.0)
        cost = self._costs.predict(features).cost
        return Estimates(*self._history.completed(quality, cost))


def encoded(features: Features) -> FloatArray:
    """Return what the network sees (n, dim + 1): the embedding at length 1, and a constant for queries without one."""
    return np.column_stack([unit(features.embeddings).astype(np.float64), np.ones(len(features.input_tokens))])


def model_vectors(history: History, probes: int) -> FloatArray:
    """Return the errors of each model on the probes, at length 1 (n_models, n_probes); where not known, their mean.

    Probes are the rows that most models are known on; of those at the limit, which are evenly spaced.
    """
    n_known = history.known.sum(axis=1)
    rows = np.argsort(-n_known, kind="stable")
    if len(rows) > probes:
        least = n_known[rows[probes - 1]]
        sure, equal = np.flatnonzero(n_known > least), np.flatnonzero(n_known == least)
        spaced = np.linspace(0, len(equal) - 1, probes - len(sure)).astype(np.int64)
        rows = np.concatenate([sure, equal[spaced]])
    rows = np.sort(rows)
    error, known = 1 - history.quality[rows], history.known[rows]
    mean = np.where(known, error, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return at_length_one(np.where(known, error, mean[:, None]).T)


def at_length_one(rows: FloatArray) -> FloatArray:
    """Return rows (n, dim) of length 1; one of zeros stays as it is."""
    rows = np.ascontiguousarray(rows)
    result: FloatArray = rows / np.maximum(np.sqrt(np.add.reduce(rows * rows, axis=1, keepdims=True)), TINY)
    return result
