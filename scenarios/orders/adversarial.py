"""Makes orders that hurt a router: a misleading prefix, and a family to search. They know the truth, no router."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scenarios.orders.ranked import ascending, density, least_cost_usd, mean_quality
from scenarios.orders.topics import topics
from sim.errors import check_number
from sim.interface import FloatArray, IntArray
from sim.scenario import exact_share
from sim.workload import Rows

TOPIC = "topic="


@dataclass(frozen=True)
class AdversarialPrefix:
    """The queries of greatest density first, in random order, then the rest in random order.

    A router that prices the budgets on its first queries sees more quality per dollar there than ever again, sets
    prices that are too high, and declines what is left; one that learns nothing loses nothing. Without ``densest`` the
    prefix is that of least density: prices are too low, and the budgets are gone before the better queries come, which
    hurts every policy that spends at once.

    Parameters
    ----------
    share : float
        Of the queries that are in the prefix, rounded up; in (0, 1). The default is the share that PORT learns from.
    densest : bool

    Raises
    ------
    ValueError
        If the share is out of range. From the call, if a query costs nothing at some model.
    """

    share: float = 0.025
    densest: bool = True

    def __post_init__(self) -> None:
        """Check the share."""
        check_number("share", self.share, above=0, below=1)

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the row numbers (n_queries,)."""
        shuffle = rng.permutation(len(rows))
        ranked = ascending(-density(rows) if self.densest else density(rows), shuffle)
        n_prefix = math.ceil(exact_share(self.share) * len(rows))
        return np.concatenate([rng.permutation(ranked[:n_prefix]), rng.permutation(ranked[n_prefix:])])


@dataclass(frozen=True)
class WeightedSum:
    """Sort by ascending sum_f weight_f z_f, z_f the feature f with mean 0 and standard deviation 1.

    Features: ``log_cost`` of the least cost; ``quality``, the mean over models; ``log_density``; ``topic=NAME``, 1 on a
    topic and 0 elsewhere; ``noise``, standard normal. One weight alone is a sorted order or a topic at one end; no
    weight is a random permutation, the one of ``shuffled``.

    Parameters
    ----------
    weights : mapping of str to float
        By feature; a feature without one has weight 0.
    """

    weights: Mapping[str, float]

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the row numbers (n_queries,)."""
        shuffle = rng.permutation(len(rows))
        noise = rng.normal(size=len(rows))
        score = np.zeros(len(rows))
        for name, weight in self.weights.items():
            if weight != 0:
                score += weight * standardised(feature(name, rows, noise))
        return ascending(score, shuffle)


@dataclass(frozen=True)
class WeightedSums:
    """The family of ``WeightedSum``, for a search over weights.

    Parameters
    ----------
    n_topics : int
        How many topics have a weight, the most frequent ones.
    """

    n_topics: int = 8

    def __post_init__(self) -> None:
        """Check the number."""
        check_number("n_topics", self.n_topics, least=0)

    def names(self, rows: Rows) -> tuple[str, ...]:
        """Return the features that the rows have: no density where something is free, no topics without ``source``."""
        names = ["log_cost", "quality"]
        if (rows.cost_usd > 0).all():
            names.append("log_density")
        if rows.source is not None:
            found, topic = topics(rows)
            by_frequency = np.argsort(-np.bincount(topic), kind="stable")
            names += [TOPIC + found[number] for number in by_frequency[: self.n_topics]]
        return (*names, "noise")

    def order(self, weights: Mapping[str, float]) -> WeightedSum:
        """Return the order of these weights."""
        return WeightedSum(weights)


def feature(name: str, rows: Rows, noise: FloatArray) -> FloatArray:
    """Return a feature (n,) of the rows."""
    if name == "noise":
        return noise
    if name == "quality":
        return mean_quality(rows)
    if name.startswith(TOPIC):
        names, topic = topics(rows)
        return np.array([name == TOPIC + each for each in names], dtype=np.float64)[topic]
    return logarithm(least_cost_usd(rows) if name == "log_cost" else density(rows))


def logarithm(values: FloatArray) -> FloatArray:
    """Return natural logarithms; zeros, which have none, come one below the least of the others."""
    is_positive = values > 0
    if not is_positive.any():
        return np.zeros(len(values))
    logs = np.log(np.where(is_positive, values, 1.0))
    return np.where(is_positive, logs, logs[is_positive].min() - 1)


def standardised(values: FloatArray) -> FloatArray:
    """Return the values with mean 0 and standard deviation 1; zeros if they are all the same."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))
