"""Which model is worth most, by a network that is trained on the shares that quality less priced cost gives to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler

from policies.estimators.learned import Learned, columns
from policies.learned.network import Weights, backward, drawn, exactly, forward, softmax, train
from sim.errors import check_number, check_numbers
from sim.interface import BoolArray, Estimates, Features, FloatArray, History, IntArray, Predictor


@dataclass(frozen=True)
class Radial:
    """quality_i is the share of model i in a softmax over the models: not a chance, but what the rule is to maximise.

    RadialRouter (arXiv 2506.03880) reduced to what runs on a processor in seconds. Its target is kept: a query's shares
    are softmax((score - w cost) / temperature) over the models that it is known on, with its own scores and costs, and
    the network is trained by the Kullback-Leibler divergence from these. Reduced is the network: the paper's text
    encoder is the embedding of the workload, and its radial transformer, in which a hub for the query and one satellite
    for each model exchange messages, is one message from the hub (a hidden layer) to each satellite (a vector and a
    constant of each model). The paper's second loss, which draws alike queries together, is left out.

    The shares of a query are of its own outcomes, and the mean of softmaxes is not the softmax of means. So a model
    that is often a little better than the others may have a smaller share than one that is seldom much better.

    A cost of 1 is the mean of all models in the history, in each unit. The presets are those of the paper as they are
    remembered, w = 0 (performance first), 0.02 (balance) and 0.1 (cost first); its unit of cost is not known here.
    Costs are those of a ridge regression of their logs (``Learned``). A model known on no row is an average one.

    Parameters
    ----------
    cost_weight : float
        w: so much score is the mean cost worth.
    temperature : float
        Of the target: the lower, the more the best models count alone.
    width : int
        Of the hidden layer.
    steps, batch : int
        Of the training: how many at least, to whole passes over the history, and queries for each.
    step : float
        Of the training (Adam's).
    decay : float
        Share of the weights that a step of 1 takes away.
    seed : int
        Of the weights to begin with and the order of training.
    """

    cost_weight: float = 0.02
    temperature: float = 0.2
    width: int = 64
    steps: int = 200
    batch: int = 256
    step: float = 0.003
    decay: float = 10.0
    seed: int = 0

    def fit(self, history: History) -> Predictor:
        """Train the network.

        Raises
        ------
        ValueError
            If a setting is out of range, or the history has fewer than two rows.
        """
        check_numbers(self, "cost_weight", "decay", "seed", least=0)
        check_numbers(self, "temperature", "step", above=0)
        for name in ("width", "steps", "batch"):
            check_number(name, getattr(self, name), least=1)
        costs = Learned(quality="ridge").fit(history)
        scaler = StandardScaler().fit(columns(history.features))
        inputs, known = scaler.transform(columns(history.features)), history.known
        worth = np.where(known, history.quality - self.cost_weight * scaled_cost(history), 0.0)
        rows = np.flatnonzero(known.any(axis=1))
        target = shares(worth / self.temperature, known)

        def slope(now: Weights, numbers: IntArray) -> Weights:
            batch = rows[numbers]
            hidden, scores = forward(now, inputs[batch])
            return backward(now, inputs[batch], hidden, (shares(scores, known[batch]) - target[batch]) / len(batch))

        rng = np.random.default_rng(self.seed)
        weights = train(
            drawn(inputs.shape[1], self.width, known.shape[1], rng),
            slope,
            len(rows),
            rng,
            passes=-(-self.steps // -(-len(rows) // self.batch)),
            batch=self.batch,
            step=self.step,
            decay=self.decay,
        )
        return Satellites(history, scaler, weights, costs)


class Satellites:
    """A trained network."""

    def __init__(self, history: History, scaler: StandardScaler, weights: Weights, costs: Predictor) -> None:
        self._history = history
        self._scaler = scaler
        self._weights = weights
        self._costs = costs
        self._seen = history.known.any(axis=0)

    def predict(self, features: Features) -> Estimates:
        """Return the share of each model, and the predicted costs."""
        scores = exactly(self._weights, self._scaler.transform(columns(features)))
        quality = shares(scores, np.broadcast_to(self._seen, scores.shape))
        return Estimates(*self._history.completed(quality, self._costs.predict(features).cost))


def shares(scores: FloatArray, known: BoolArray) -> FloatArray:
    """Return softmax over the known entries of each row (n, n_models), 0 elsewhere; over all if none is known."""
    some = known | ~known.any(axis=1, keepdims=True)
    return softmax(np.where(some, scores, -np.inf))


def scaled_cost(history: History) -> FloatArray:
    """Return costs (n_history, n_models) over the mean of all that are known in their unit; NaN where not known."""
    units = np.array(history.units or ("",) * history.cost.shape[1])
    result = np.full_like(history.cost, np.nan)
    for unit in np.unique(units):
        of_unit = history.cost[:, units == unit]
        some = of_unit[~np.isnan(of_unit)]
        mean = float(some.mean()) if len(some) else 0.0
        result[:, units == unit] = of_unit / mean if mean > 0 else of_unit
    return result
