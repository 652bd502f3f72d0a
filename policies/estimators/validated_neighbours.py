"""Estimates from nearest neighbours, as many of them as predict left-out parts of the history best: CARROT's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.estimators.exact import rounded
from policies.estimators.neighbours import check, nearest, of_all_rows, unit
from policies.estimators.partial import by_known
from sim.errors import check_number
from sim.interface import FloatArray, History, Predictor

FOLDS = 5


@dataclass(frozen=True)
class ValidatedNeighbours:
    """Plain means of the k most similar history rows, with a k of its own for quality and for cost.

    Each k is the one of 2, 4, 8, ... up to ``most`` with the largest coefficient of determination, averaged over
    deployments, over five consecutive fifths of the history that are left out in turn (not shuffled); ties go to the
    smaller k. CARROT-KNN (arXiv 2502.03261), as in the authors' released code. Costs are predicted as such, as the
    authors do on RouterBench: a history has no prices, so their other form, predicted output tokens times a price, is
    not here. Deployments that are known on the same rows share their two numbers.

    Parameters
    ----------
    most : int
        The largest k that is tried, at least 2. A fifth of the history leaves four fifths to choose neighbours from,
        and no k above that is tried; a history of fewer than ten rows is not cut, and k is 2.
    """

    most: int = 512

    def fit(self, history: History) -> Predictor:
        """Choose both numbers and index the history.

        Raises
        ------
        ValueError
            If ``most`` is below 2, or the queries have no embeddings.
        """
        check_number("most", self.most, least=2)
        check(1, "uniform", history)
        return by_known(self._fit, history)

    def _fit(self, history: History) -> Predictor:
        k_quality, k_cost = validated(history, self.most)
        return of_all_rows(history, k_quality, "uniform", k_cost)


def validated(history: History, most: int) -> tuple[int, int]:
    """Return how many neighbours predict the left-out quality best, and how many the cost."""
    n = len(history.quality)
    if n < 2 * FOLDS:
        return min(2, n), min(2, n)
    fewest = n - -(-n // FOLDS)  # rows to choose from, in the smallest of the five
    tried = [2**power for power in range(1, 64) if 2**power <= min(most, fewest)]
    vectors = rounded(unit(history.features.embeddings))
    score = np.zeros((2, len(tried)))
    for left_out in np.array_split(np.arange(n), FOLDS):
        others = np.setdiff1d(np.arange(n), left_out)
        _, found = nearest(vectors[left_out], vectors[others], tried[-1])
        for number, outcome in enumerate((history.quality, history.cost)):
            total = np.zeros((len(left_out), outcome.shape[1]))
            for k, neighbour in enumerate(others[found].T, start=1):
                total += outcome[neighbour]
                if k in tried:
                    score[number, tried.index(k)] += determination(outcome[left_out], total / k)
    k_quality, k_cost = (tried[best] for best in score.argmax(axis=1).tolist())
    return k_quality, k_cost


def determination(truth: FloatArray, predicted: FloatArray) -> float:
    """Return the mean coefficient of determination of columns (n, n_deployments).

    A column that never varies counts as scikit-learn has it: 1 if it is predicted exactly, else 0.

    >>> determination(np.array([[0.0], [1.0]]), np.array([[0.5], [0.5]]))
    0.0
    """
    missed = ((truth - predicted) ** 2).sum(axis=0)
    varied = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    explained = 1 - np.divide(missed, varied, out=(missed != 0).astype(np.float64), where=varied > 0)
    return float(explained.mean())
