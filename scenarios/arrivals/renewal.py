"""Draws independent gaps of one distribution: Poisson, deterministic, gamma and Weibull.

The first query arrives after a whole first gap (deterministic: at 0), so these are ordinary, not equilibrium,
processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma

import numpy as np

from scenarios.arrivals.rates import LEAST, MOST
from sim.errors import check_number
from sim.interface import FloatArray


@dataclass(frozen=True)
class Poisson:
    """Independent exponential gaps with mean 1 / rate_per_s."""

    rate_per_s: float

    def __post_init__(self) -> None:
        """Check the rate."""
        check_number("rate_per_s", self.rate_per_s, least=LEAST, most=MOST)

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
        check_number("rate_per_s", self.rate_per_s, least=LEAST, most=MOST)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        return np.arange(n_queries) / self.rate_per_s


@dataclass(frozen=True)
class Gamma:
    """Independent gamma gaps with mean 1 / rate_per_s and a given coefficient of variation.

    The shape is 1 / cv^2 and the scale cv^2 / rate_per_s. Load generators such as vLLM's ask for a ``burstiness``,
    which is not this ``cv`` but the *shape*: burstiness b is cv = 1 / sqrt(b), so their burstier traffic has the
    *smaller* number.

    Parameters
    ----------
    rate_per_s : float
        Queries per second on average; positive.
    cv : float
        Standard deviation of a gap over its mean, positive; 1 is Poisson, above 1 is burstier.

    Raises
    ------
    ValueError
        If either is not positive and finite.
    """

    rate_per_s: float
    cv: float

    def __post_init__(self) -> None:
        """Check the rate and the coefficient of variation."""
        check_number("rate_per_s", self.rate_per_s, least=LEAST, most=MOST)
        check_number("cv", self.cv, least=LEAST, most=MOST)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        return np.cumsum(rng.gamma(1 / self.cv**2, self.cv**2 / self.rate_per_s, n_queries))


@dataclass(frozen=True)
class Weibull:
    """Independent Weibull gaps with mean 1 / rate_per_s.

    A Weibull variable of scale c and shape k has mean c Gamma(1 + 1/k), so c = 1 / (rate_per_s Gamma(1 + 1/k)).

    Parameters
    ----------
    rate_per_s : float
        Queries per second on average; positive.
    shape : float
        From 0.05 on; 1 is Poisson, below 1 is burstier.

    Raises
    ------
    ValueError
        If the rate is not positive, or the shape is below 0.05: there Gamma(1 + 1/k) exceeds 10^18, and hardly a run
        would meet a gap that is not about 0.
    """

    rate_per_s: float
    shape: float

    def __post_init__(self) -> None:
        """Check the rate and the shape."""
        check_number("rate_per_s", self.rate_per_s, least=LEAST, most=MOST)
        check_number("shape", self.shape, least=0.05)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        scale_s = 1 / (self.rate_per_s * gamma(1 + 1 / self.shape))
        return np.cumsum(scale_s * rng.weibull(self.shape, n_queries))
