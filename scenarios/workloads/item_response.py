"""Sets the ability of a model so that it answers a given number of queries right, as item-response theory has it.

A model is right where ability - hardness + logistic noise is positive (the Rasch model).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from sim.interface import FloatArray, IntArray


def draw_scores(hardness: FloatArray, count: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Draw the scores of queries of a hardness (n,): ``count`` of them are 1, the others 0.

    Returns
    -------
    array (n,), array (n,)
        The scores, and the chance of 1 given the hardness.
    """
    return lowest(hardness - rng.logistic(size=len(hardness)), count), chances(hardness, count)


def chances(hardness: FloatArray, count: int) -> FloatArray:
    """Return the chance (n,) that logistic noise exceeds hardness - ability, at the ability that expects ``count``.

    The chance is 1 / (1 + exp(hardness - ability)).
    """
    if not 0 < count < len(hardness):
        return np.full(len(hardness), float(count > 0))

    def excess(ability: float) -> float:
        return float(expit(ability - hardness).sum()) - count

    far = np.log(len(hardness)) + 1.0  # below all by so much it expects less than one, above all less than one wrong
    ability = brentq(excess, hardness.min() - far, hardness.max() + far, xtol=1e-9)
    return np.asarray(expit(ability - hardness))


def lowest(thresholds: FloatArray, count: int) -> IntArray:
    """Return 1 for the ``count`` lowest of the thresholds, else 0: the ability that meets the mean, set exactly."""
    right = np.zeros(len(thresholds), dtype=np.int64)
    right[np.argpartition(thresholds, min(count, len(thresholds) - 1))[:count]] = 1
    return right
