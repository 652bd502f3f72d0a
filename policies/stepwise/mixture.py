"""A mixture of two normal laws on a line, fitted by expectation and maximisation, and the cut between them.

All sums are exact and the cut is rounded, so that no processor's last bit decides. It knows no policy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.interface import FloatArray

LEAST_SD = 1e-3  # of a component, as a share of the sample's own, so that none collapses onto a point
DIGITS = 9


class Component(NamedTuple):
    """A normal law and its share of the mixture."""

    share: float
    mean: float
    sd: float

    def heights(self, values: FloatArray) -> FloatArray:
        """Return the logarithms of share x density at some numbers (n,), but for a constant that all have."""
        away = (values - self.mean) / self.sd
        return math.log(self.share / self.sd) - away * away / 2

    def height(self, value: float) -> float:
        """Return the same of one number."""
        return float(self.heights(np.array([value]))[0])


def two_components(values: Sequence[float], iterations: int = 50) -> tuple[Component, Component] | None:
    """Return the lower and the upper component of some numbers; None where these are too much alike to have two.

    It begins with the lower and the upper half.

    >>> low, high = two_components([0.0, 0.1, 0.2, 4.9, 5.0, 5.1, 5.2, 4.8])
    >>> round(low.mean, 3), round(high.mean, 3), round(low.share, 3)
    (0.1, 5.0, 0.375)
    """
    ordered = np.sort(np.array(values, dtype=np.float64))
    n = len(ordered)
    if n < 4:
        return None
    least_sd = LEAST_SD * moments(ordered, np.ones(n)).sd
    if least_sd == 0:
        return None
    low, high = both(ordered, np.where(np.arange(n) < n // 2, 1.0, 0.0), least_sd)
    for _ in range(iterations):
        odds = np.minimum(high.heights(ordered) - low.heights(ordered), 700.0).tolist()
        weights = np.array([1 / (1 + math.exp(one)) for one in odds])  # NumPy's exp depends on the processor
        if not 1.0 <= math.fsum(weights.tolist()) <= n - 1.0:
            return None
        low, high = both(ordered, weights, least_sd)
    return (low, high) if low.mean < high.mean else (high, low)


def both(values: FloatArray, weights: FloatArray, least_sd: float) -> tuple[Component, Component]:
    """Return the component of the numbers (n,) by these weights (n,), and that by what they leave of 1."""
    first, second = (moments(values, of_one) for of_one in (weights, 1.0 - weights))
    return (first._replace(sd=max(first.sd, least_sd)), second._replace(sd=max(second.sd, least_sd)))


def moments(values: FloatArray, weights: FloatArray) -> Component:
    """Return share, mean and standard deviation of numbers (n,) by weights (n,)."""
    total = math.fsum(weights.tolist())
    mean = math.fsum((weights * values).tolist()) / total
    away = values - mean
    squares = math.fsum((weights * (away * away)).tolist())
    return Component(total / len(values), mean, math.sqrt(squares / total))


def cut_between(values: Sequence[float]) -> float:
    """Return the number below which a value more likely belongs to the lower component; ``-inf`` without two.

    It is sought between both means by halving, as the lower one is the likelier at its mean and the upper one at its
    own; where a component is so broad that it is not so, the middle of both means.

    >>> 0.3 < cut_between([0.0, 0.1, 0.2, 4.9, 5.0, 5.1, 5.2, 4.8]) < 4.7
    True
    """
    found = two_components(values)
    if found is None:
        return -math.inf
    low, high = found
    below, above = low.mean, high.mean
    if low.height(below) < high.height(below) or low.height(above) > high.height(above):
        return round((below + above) / 2, DIGITS)
    for _ in range(60):
        middle = (below + above) / 2
        if low.height(middle) >= high.height(middle):
            below = middle
        else:
            above = middle
    return round(below, DIGITS)
