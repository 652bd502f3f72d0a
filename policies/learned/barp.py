"""One policy for every preference between quality and cost, trained on the history as a bandit would be."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import StandardScaler

from policies.estimators.learned import columns
from policies.learned.network import Weights, backward, drawn, forward, softmax, train
from sim.errors import check_number
from sim.interface import Decision, FloatArray, History, IntArray, Policy, Query, Setting, State

KNOTS = np.linspace(0.0, 1.0, 5)
NEWS = 0.1  # of the baseline: so far it goes towards each batch
DECAY_OF_INPUTS, DECAY = 3.0, 1.0  # shares of the weights of a query's features, and of all others, see ``train``
GRAIN = 2.0**-16  # of the weights, so that no draw of the training hangs on the last bit of a product


class BaRP(Policy):
    """argmax of a softmax policy of the query and the preference w, trained for w quality - (1 - w) min(cost / tau, 1).

    Preference-conditioned routing with bandit feedback (arXiv 2510.07429): entropy-regularised policy gradient
    (REINFORCE). For each row of the history the policy draws a model at a random preference and is told the outcome of
    that model alone; its reward less a baseline for that preference moves the policy. The paper's text encoder is the
    workload's embedding with the log of input tokens. Its network for w is w between five knots, 0 to 1, and its head
    one hidden layer over both. The baseline, the widths and the training are our own, as the paper's code is not
    public. It draws while it is trained; while queries come it takes the likeliest deployment that is available, and
    learns no more.

    A deployment that the history knows on no row is never chosen, as nobody has ever drawn it.

    Parameters
    ----------
    preference : float or None
        w of all queries; None for each query's own (``Query.preference``).
    trained_for : float or None
        The one preference to train for; None for all, drawn evenly from 0 to 1.
    cost_cap : float or None
        tau, in the unit of the budgets; None for the mean cost of all deployments in the history, in each unit.
    entropy : float
        Weight of the entropy of the policy beside the reward.
    width : int
        Of the hidden layer.
    steps, batch : int
        Of the training: how many at least, to whole passes over the history, and queries for each.
    step : float
        Of the training (Adam's).

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    def __init__(
        self,
        preference: float | None = None,
        trained_for: float | None = None,
        cost_cap: float | None = None,
        entropy: float = 0.04,
        width: int = 128,
        steps: int = 1000,
        batch: int = 256,
        step: float = 0.003,
    ) -> None:
        check_number("preference", preference, least=0, most=1, null="for each query's own")
        check_number("trained_for", trained_for, least=0, most=1, null="for all preferences")
        check_number("cost_cap", cost_cap, above=0, null="for the mean cost")
        check_number("entropy", entropy, least=0)
        for name, value in (("width", width), ("steps", steps), ("batch", batch)):
            check_number(name, value, least=1)
        check_number("step", step, above=0)
        self._preference = preference
        self._trained_for = trained_for
        self._cost_cap = cost_cap
        self._entropy = entropy
        self._width = width
        self._steps = steps
        self._batch = batch
        self._step = step

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Train on the history, with the run's own random numbers."""
        history = setting.history
        raw = columns(history.features)
        scaled = StandardScaler().fit(raw)
        self._known = history.known.any(axis=0)
        first, offset, second, self._constants = self._trained(history, scaled.transform(raw), rng)
        n_inputs = len(first) - len(KNOTS)  # scaling is made part of the weights, and each sum is added in one order
        self._first = np.ascontiguousarray((first[:n_inputs] / scaled.scale_[:, None]).T)
        self._offset = offset - np.add.reduce(self._first * scaled.mean_, axis=1)
        self._knots = np.ascontiguousarray(first[n_inputs:].T) * np.sqrt(n_inputs)
        self._second = np.ascontiguousarray(second.T)

    def decide(self, query: Query, state: State) -> Decision:
        """Return the likeliest deployment that is available."""
        preference = query.preference if self._preference is None else self._preference
        raw = np.append(query.embedding.astype(np.float64), np.log1p(query.input_tokens))
        hidden = np.maximum(np.add.reduce(self._first * raw, axis=1) + self._at(preference), 0.0)
        scores = np.where(self._known, np.add.reduce(self._second * hidden, axis=1) + self._constants, -np.inf)
        able = state.available & self._known
        return Decision(int(np.where(able, scores, -np.inf).argmax() if able.any() else scores.argmax()))

    def _at(self, preference: float) -> FloatArray:
        """Return what a preference adds to the hidden layer (width,)."""
        added: FloatArray = np.add.reduce(self._knots * between_knots(np.array([preference]))[0], axis=1) + self._offset
        return added

    def _trained(self, history: History, inputs: FloatArray, rng: np.random.Generator) -> Weights:
        """Return weights after some passes over the rows of the history (n_history, n_inputs) that know anything."""
        rows = np.flatnonzero(history.known.any(axis=1))
        inputs, known, quality = inputs[rows], history.known[rows], history.quality[rows]
        cost = capped_cost(history, self._cost_cap)[rows]
        baseline = np.zeros(len(KNOTS))

        def slope(now: Weights, batch: IntArray) -> Weights:
            n = len(batch)
            preference = np.full(n, self._trained_for) if self._trained_for is not None else rng.random(n)
            place = between_knots(preference)
            seen = conditioned(inputs[batch], place)
            hidden, scores = forward(now, seen)
            chance = softmax(np.where(known[batch], scores, -np.inf))
            drawn_model = np.minimum((chance.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), chance.shape[1] - 1)
            drawn_model = np.where(known[batch, drawn_model], drawn_model, chance.argmax(axis=1))  # by rounding
            reward = preference * quality[batch, drawn_model] - (1 - preference) * cost[batch, drawn_model]
            advantage = reward - place @ baseline
            baseline[:] += NEWS * (place * advantage[:, None]).sum(axis=0) / np.maximum(place.sum(axis=0), 1.0)
            log_chance = np.log(np.maximum(chance, np.finfo(np.float64).tiny))
            disorder = -(chance * log_chance).sum(axis=1, keepdims=True)
            chosen = np.arange(chance.shape[1]) == drawn_model[:, None]
            of_scores = advantage[:, None] * (chance - chosen) + self._entropy * chance * (log_chance + disorder)
            return backward(now, seen, hidden, of_scores / n)

        start = drawn(inputs.shape[1] + len(KNOTS), self._width, known.shape[1], rng)
        passes = -(-self._steps // -(-len(rows) // self._batch))
        of_inputs = np.where(np.arange(len(start[0])) < inputs.shape[1], DECAY_OF_INPUTS, DECAY)[:, None]
        return train(
            start,
            slope,
            len(rows),
            rng,
            passes=passes,
            batch=self._batch,
            step=self._step,
            decay=(of_inputs, DECAY, DECAY, DECAY),
            grain=GRAIN,
        )


def capped_cost(history: History, cap: float | None) -> FloatArray:
    """Return min(cost / tau, 1) (n_history, n_deployments); without a cap tau is the mean cost in each unit."""
    _, mean = history.means()
    units = np.array(history.units or ("",) * len(mean))
    tau = np.array([mean[units == unit].mean() for unit in units]) if cap is None else np.full(len(mean), cap)
    result: FloatArray = np.minimum(history.cost / np.where(tau > 0, tau, 1.0), 1.0)
    return result


def conditioned(inputs: FloatArray, place: FloatArray) -> FloatArray:
    """Return what the network sees (n, n_inputs + n_knots); preferences weigh as much as all the rest together."""
    return np.column_stack([inputs, place * np.sqrt(inputs.shape[1])])


def between_knots(preference: FloatArray) -> FloatArray:
    """Return where preferences (n,) lie between the knots: shares of both neighbours (n, n_knots).

    >>> between_knots(np.array([0.0, 0.375])).tolist()
    [[1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0, 0.0]]
    """
    shares: FloatArray = np.maximum(1 - np.abs(preference[:, None] - KNOTS) * (len(KNOTS) - 1), 0.0)
    return shares
