"""Keep a floor of true quality at the least cost: a price of quality, set on the history, that follows feedback."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np

from policies.parts.held_out import HeldOutEstimates
from policies.parts.ranked import by_score
from sim.errors import check_number
from sim.interface import Decision, Estimator, Feedback, FloatArray, Policy, Query, Setting, State

PRICES = np.concatenate([[0.0], np.logspace(-3, 5, 65)])  # of quality, in mean costs, that are tried on the history
MOST = 0.5  # by so much feedback may move the floor


class FloorTracking(Policy):
    """argmin_i cost_hat_i / mean cost - price(floor + correction) x quality_hat_i, ties to the lowest index.

    A router with an accuracy target at run time, after PROTEUS (arXiv 2601.19402), of which the abstract and notes were
    at hand: a policy that is conditioned on the target, with a learned dual price. There reinforcement learning finds
    the policy. *Inferred* here: price(target) is the least of a grid of prices at which the choices by held-out
    estimates of the history have a mean *true* quality of the target, so that what is predicted too well is allowed
    for; a target that no price reaches has the price of the best quality. Online, correction <- correction + rate x
    (target - score) after each score, within -0.5 and 0.5: it grows while answers are worse than asked for.

    With ``by_preference`` the target of a query is its own (``Query.preference``), so that one policy serves all.
    Where its choice cannot take a query, the others follow in the same order.

    Parameters
    ----------
    estimator : Estimator
    floor : float
        Of the mean true quality, in [0, 1].
    rate : float
        How much of the miss of one answer goes into the correction; 0 for what the history says alone.
    by_preference : bool
        Whether each query brings its own floor.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(
        self, estimator: Estimator, floor: float = 0.7, rate: float = 0.002, by_preference: bool = False
    ) -> None:
        check_number("floor", floor, least=0, most=1)
        check_number("rate", rate, least=0, below=1)
        self.estimator = estimator
        self._floor = floor
        self._rate = rate
        self._by_preference = by_preference
        self._held_out = HeldOutEstimates(estimator)

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find what every price gives on the history, and forget all feedback."""
        history = setting.history
        quality, cost = self._held_out.of(history)
        _, mean_cost = history.means()
        total = float(mean_cost.mean())
        self._unit = total if total > 0 else 1.0
        found = [reached(quality, cost / self._unit, price, history.quality) for price in PRICES]
        self._reached: list[float] = np.maximum.accumulate(found).tolist()  # by that price or a lower one
        self._prices: list[float] = [*PRICES.tolist(), float(PRICES[int(np.argmax(found))])]
        self._correction = 0.0

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmin at the price of the query's floor, and the others in order."""
        price = self._price(self._target(query) + self._correction)
        return by_score(price * query.quality_hat - query.cost_hat / self._unit)

    def learn(self, feedback: Feedback) -> None:
        """Move the floor that is aimed at by what an answer missed."""
        if self._rate and not math.isnan(feedback.quality):
            missed = self._target(feedback.query) - feedback.quality
            self._correction = min(MOST, max(-MOST, self._correction + self._rate * missed))

    def learn_score(self, feedback: Feedback) -> None:
        """Do the same with a score that came late."""
        self.learn(feedback)

    def _target(self, query: Query) -> float:
        return query.preference if self._by_preference else self._floor

    def _price(self, floor: float) -> float:
        """Return the least price that reached a floor on the history, or that of the best quality."""
        return self._prices[bisect_left(self._reached, floor)]


def reached(quality: FloatArray, cost: FloatArray, price: float, truth: FloatArray) -> float:
    """Return the mean true quality (of what is known) of the choices at a price, over history rows.

    Parameters
    ----------
    quality, cost, truth : arrays (n_history, n_deployments)
        The last NaN where nothing is known; a row whose choice is not known does not count.
    """
    scores = truth[np.arange(len(truth)), (price * quality - cost).argmax(axis=1)]
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else 0.0
