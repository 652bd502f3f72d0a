"""Estimates of each history row by an estimator that was fitted without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from sim.interface import Estimates, Estimator, History, IntArray, Predictor

FOLDS = 5


@runtime_checkable
class HeldOut(Protocol):
    """A fitted estimator that knows a quicker way than to be fitted again."""

    def held_out(self) -> Estimates:
        """Return estimates (n_history, n_deployments) of each row by a fit without it."""
        ...


def held_out(estimator: Estimator, fitted: Predictor, history: History) -> Estimates:
    """Return estimates (n_history, n_deployments) of each row by a fit without it.

    A fitted estimator that is ``HeldOut`` is asked; any other is fitted ``FOLDS`` times more, each time without every
    fifth row. A history too short for that gives the fit's own estimates of it.
    """
    if isinstance(fitted, HeldOut):
        return fitted.held_out()
    n = len(history.quality)
    quality, cost = np.empty_like(history.quality), np.empty_like(history.cost)
    fold = np.arange(n) % FOLDS
    for number in range(FOLDS):
        out, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        try:
            predictor = estimator.fit(part(history, rest))
        except ValueError:  # too few rows for this estimator
            return fitted.predict(history.features)
        quality[out], cost[out] = predictor.predict(part(history, out).features)
    return Estimates(quality, cost)


class HeldOutEstimates:
    """Held-out estimates of a history, kept until another one comes.

    Parameters
    ----------
    estimator : Estimator
    """

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator
        self._known: tuple[History, Estimates] | None = None

    def of(self, history: History) -> Estimates:
        """Return estimates (n_history, n_deployments) of each row by a fit without it."""
        if self._known is None or not is_same(self._known[0], history):
            self._known = history, held_out(self._estimator, self._estimator.fit(history), history)
        return self._known[1]


def is_same(history: History, other: History) -> bool:
    """Return whether two histories hold the same rows, and know the same of them."""
    pairs = (
        (history.features.embeddings, other.features.embeddings),
        (history.features.input_tokens, other.features.input_tokens),
        (history.quality, other.quality),
        (history.cost, other.cost),
    )
    return all(mine is others or np.array_equal(mine, others, equal_nan=True) for mine, others in pairs)


def part(history: History, rows: IntArray) -> History:
    """Return some rows of a history."""
    features = replace(
        history.features,
        embeddings=history.features.embeddings[rows],
        input_tokens=history.features.input_tokens[rows],
    )
    return replace(history, features=features, quality=history.quality[rows], cost=history.cost[rows], capped=None)
