"""When queries arrive: processes that return non-decreasing times. Which query arrives is the order's business."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.interface import FloatArray


def check_rate(rate_per_s: float) -> None:
    """Raise ValueError unless a rate is positive and finite."""
    if not 0 < rate_per_s < float("inf"):
        raise ValueError(f"rate_per_s is {rate_per_s}; it must be positive and finite")


@dataclass(frozen=True)
class Poisson:
    """Independent exponential gaps with mean 1 / rate_per_s."""

    rate_per_s: float

    def __post_init__(self) -> None:
        """Check the rate."""
        check_rate(self.rate_per_s)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        return np.cumsum(rng.exponential(1 / self.rate_per_s, n_queries))


@dataclass(frozen=True)
class Deterministic:
    """One arrival every 1 / rate_per_s seconds, the first at 0.

    >>> Deterministic(rate_per_s=4).times_s(3, np.random.default_rng())
    array([0.  , 0.25, 0.5 ])
    """

    rate_per_s: float

    def __post_init__(self) -> None:
        """Check the rate."""
        check_rate(self.rate_per_s)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        return np.arange(n_queries) / self.rate_per_s
