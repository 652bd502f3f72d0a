"""Defines distributions of durations: of service, of gaps between arrivals, of patience. They know no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sim.errors import check_number
from sim.interface import FloatArray


class Distribution(Protocol):
    """Independent durations, each at least 0."""

    @property
    def mean_s(self) -> float:
        """The mean."""
        ...

    @property
    def cv(self) -> float:
        """The coefficient of variation: standard deviation / mean."""
        ...

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations (n,), s."""
        ...


@dataclass(frozen=True)
class Exponential:
    """Density exp(-x / mean_s) / mean_s: without memory."""

    mean_s: float
    cv = 1.0

    def __post_init__(self) -> None:
        """Check the mean."""
        check_number("mean_s", self.mean_s, above=0)

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations (n,), s."""
        return rng.exponential(self.mean_s, n)


@dataclass(frozen=True)
class Constant:
    """Always ``value_s``, which may be 0."""

    value_s: float
    cv = 0.0

    def __post_init__(self) -> None:
        """Check the value."""
        check_number("value_s", self.value_s, least=0)

    @property
    def mean_s(self) -> float:
        """The value."""
        return self.value_s

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations (n,), s."""
        return np.full(n, float(self.value_s))


@dataclass(frozen=True)
class Lognormal:
    """exp of a normal with variance sigma^2 = ln(1 + cv^2) and mean ln(mean_s) - sigma^2 / 2."""

    mean_s: float
    cv: float

    def __post_init__(self) -> None:
        """Check mean and variation."""
        check_number("mean_s", self.mean_s, above=0)
        check_number("cv", self.cv, above=0)

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations (n,), s."""
        variance = np.log1p(self.cv**2)
        return rng.lognormal(np.log(self.mean_s) - variance / 2, np.sqrt(variance), n)


@dataclass(frozen=True)
class Gamma:
    """Gamma with shape 1 / cv^2 and scale mean_s cv^2; cv = 1 is the exponential."""

    mean_s: float
    cv: float

    def __post_init__(self) -> None:
        """Check mean and variation."""
        check_number("mean_s", self.mean_s, above=0)
        check_number("cv", self.cv, above=0)

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations (n,), s."""
        return rng.gamma(self.cv**-2, self.mean_s * self.cv**2, n)


@dataclass(frozen=True)
class Hyperexponential:
    """One of two exponentials, with balanced means: p of mean m / 2p, else 1 - p of mean m / 2(1 - p); cv above 1.

    p = (1 + sqrt((cv^2 - 1) / (cv^2 + 1))) / 2 gives the mean m = mean_s and the coefficient of variation cv
    (Tijms, A First Course in Stochastic Models, Wiley 2003, appendix B).
    """

    mean_s: float
    cv: float

    def __post_init__(self) -> None:
        """Check mean and variation."""
        check_number("mean_s", self.mean_s, above=0)
        check_number("cv", self.cv, above=1)

    @property
    def probability(self) -> float:
        """The probability p of the shorter mean."""
        return (1 + math.sqrt((self.cv**2 - 1) / (self.cv**2 + 1))) / 2

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations (n,), s."""
        p = self.probability
        chosen = np.where(rng.random(n) < p, p, 1 - p)
        return rng.exponential(self.mean_s / (2 * chosen))


@dataclass(frozen=True)
class Empirical:
    """One of the measured values, each with the same probability."""

    values_s: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the values, and keep them as a tuple so that the distribution can be hashed."""
        if len(self.values_s) == 0:
            raise ValueError("values_s is empty; it needs at least one value")
        for value in self.values_s:
            if not 0 <= value < float("inf"):
                raise ValueError(f"values_s holds {value}; every value must be finite and at least 0")
        object.__setattr__(self, "values_s", tuple(self.values_s))

    @property
    def mean_s(self) -> float:
        """The mean of the values."""
        return float(np.mean(self.values_s))

    @property
    def cv(self) -> float:
        """The standard deviation of the values (divisor n) over their mean; NaN if all are 0."""
        return float(np.std(self.values_s)) / self.mean_s if self.mean_s > 0 else float("nan")

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations (n,), s."""
        return rng.choice(np.array(self.values_s, dtype=np.float64), n)
