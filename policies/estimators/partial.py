"""Fits an estimator to a history in which not every deployment is known on every row. It knows no estimator.

Deployments that are known on the same rows are learned together, from these rows alone, as if that were the history.
One that is known on no row is taken for an average one (``History.completed``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from policies.parts.held_out import HeldOut, part
from sim.interface import Estimates, Features, History, IntArray, Predictor


def by_known(fit: Callable[[History], Predictor], history: History, least: int = 1) -> Predictor:
    """Fit each deployment on the rows that it is known on; where all are known on all rows, that is ``fit`` itself.

    Parameters
    ----------
    fit : callable
        Fits a whole history, in which everything is known.
    history : History
    least : int
        How many rows ``fit`` needs; deployments known on fewer are predicted by their means.

    Raises
    ------
    ValueError
        If no deployment is known on any row, or what ``fit`` raises.
    """
    known = history.known
    if known.all():
        return fit(history)
    columns_of: dict[bytes, list[int]] = {}
    for k in range(known.shape[1]):
        columns_of.setdefault(known[:, k].tobytes(), []).append(k)
    groups = []
    for columns in columns_of.values():
        rows = np.flatnonzero(known[:, columns[0]])
        if len(rows):
            whole = chosen(part(history, rows), columns)
            groups.append(Group(rows, columns, fit(whole) if len(rows) >= least else Means(whole)))
    has_quicker = all(isinstance(group.predictor, HeldOut) for group in groups)
    return (PartialHeldOut if has_quicker else Partial)(history, groups)


class Group(NamedTuple):
    """Deployments that are known on the same rows, and what was fitted to these."""

    rows: IntArray
    columns: list[int]
    predictor: Predictor


class Partial:
    """One fitted estimator for each group of deployments."""

    def __init__(self, history: History, groups: list[Group]) -> None:
        self._history = history
        self._groups = groups

    def predict(self, features: Features) -> Estimates:
        """Predict each group by its own fit, and the others as average ones."""
        return self._joined([group.predictor.predict(features) for group in self._groups])

    def _joined(self, predicted: list[Estimates]) -> Estimates:
        shape = (len(predicted[0].quality), self._history.quality.shape[1])
        quality, cost = np.full(shape, np.nan), np.full(shape, np.nan)
        for group, estimates in zip(self._groups, predicted, strict=True):
            quality[:, group.columns], cost[:, group.columns] = estimates
        return Estimates(*self._history.completed(quality, cost))


class PartialHeldOut(Partial):
    """The same, of fits that know a quick way to leave a row out."""

    def held_out(self) -> Estimates:
        """Return the estimates of each history row by a fit without it, where it was in the fit at all."""
        predicted = []
        for group in self._groups:
            quality, cost = map(np.array, group.predictor.predict(self._history.features))
            assert isinstance(group.predictor, HeldOut)  # by_known has seen to it
            quality[group.rows], cost[group.rows] = group.predictor.held_out()
            predicted.append(Estimates(quality, cost))
        return self._joined(predicted)


class Means:
    """The mean outcomes of a few rows, whatever the query."""

    def __init__(self, history: History) -> None:
        self._means = history.means()
        self._n_history = len(history.quality)

    def predict(self, features: Features) -> Estimates:
        """Return the means for every query."""
        return self._of(len(features.input_tokens))

    def held_out(self) -> Estimates:
        """Return the means for every row, as there is nothing better."""
        return self._of(self._n_history)

    def _of(self, n: int) -> Estimates:
        quality, cost = (np.tile(mean, (n, 1)) for mean in self._means)
        return Estimates(quality, cost)


def chosen(history: History, columns: list[int]) -> History:
    """Return some deployments of a history."""
    units = tuple(history.units[k] for k in columns) if history.units else ()
    quality, cost = history.quality[:, columns], history.cost[:, columns]
    return replace(history, quality=quality, cost=cost, units=units, capped=None)
