"""Which queries are still to come: the history less what has arrived, and what the history has never seen.

It knows no price and no budget. A prefix of an unknown order says nothing reliable about the rest; the history does,
as long as the queries are like it. So the forecast of the rest is the history, scaled to the horizon, less the queries
that have come: after the hard ones the easy ones are expected. Queries unlike anything in the history are counted
apart, and their share of the future is their share of the past.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from policies.estimators.exact import whole
from policies.estimators.neighbours import unit
from sim.interface import EmbeddingArray, Estimates, FloatArray, History, IntArray, Query

KINDS = 30  # of queries, by their estimates
ROWS = 2000  # of the history at most, in the forecast and to be compared with
NEAR = 5  # history rows whose mean similarity says how well known a query is
STRANGE = 0.01  # the share of the history that counts as unlike the rest of it
DOUBT = 0.02  # share of the horizon that must have come before strange queries are believed
LEAST = 0.1  # of its plain share of the future, what is expected of a kind that has come in full


class Sample(NamedTuple):
    """Queries that stand for those to come: quality and cost (n, n_deployments) and how many each is worth (n,)."""

    quality: FloatArray
    cost: FloatArray
    weights: FloatArray


class Known:
    """What the history says of queries in general; the same for every run.

    Parameters
    ----------
    history : History
    estimates : Estimates
        Of each history row, by a fit without it.
    """

    def __init__(self, history: History, estimates: Estimates) -> None:
        n = len(history.quality)
        rows = np.arange(n) if n <= ROWS else np.linspace(0, n - 1, ROWS).astype(np.int64)
        self.quality, self.cost = estimates.quality[rows], estimates.cost[rows]
        spread = (self.quality.std(axis=0).mean(), logs(self.cost).std(axis=0).mean())
        self._quality_scale, self._cost_scale = (max(float(each), 1e-9) for each in spread)
        features = self._features(self.quality, self.cost)
        n_kinds = min(KINDS, len(np.unique(features, axis=0)))
        with threadpool_limits(1):
            grouped = KMeans(n_kinds, n_init=1, random_state=0).fit(features)
        self.centres: FloatArray = grouped.cluster_centers_
        self.kinds: IntArray = grouped.labels_.astype(np.int64)
        self.shares: FloatArray = np.bincount(self.kinds, minlength=n_kinds) / len(rows)
        self._vectors = whole(unit(history.features.embeddings[rows]))
        similarity = self._vectors @ self._vectors.T / np.float32(2**24)
        np.fill_diagonal(similarity, -1.0)
        self._threshold = float(np.quantile(nearest_mean(similarity), STRANGE)) if len(rows) > NEAR else -np.inf

    def is_strange(self, embedding: EmbeddingArray) -> bool:
        """Return whether a query is less like the history than nearly all of the history is like itself."""
        similarity = self._vectors @ whole(unit(embedding[None]))[0] / np.float32(2**24)
        return bool(nearest_mean(similarity[None])[0] < self._threshold)

    def kind(self, quality: FloatArray, cost: FloatArray) -> int:
        """Return the kind of a query with these estimates (n_deployments,)."""
        away = self.centres - self._features(quality[None], cost[None])
        return int((away**2).sum(axis=1).argmin())

    def _features(self, quality: FloatArray, cost: FloatArray) -> FloatArray:
        return np.column_stack([quality / self._quality_scale, logs(cost) / self._cost_scale])


class Forecast:
    """The queries to come in one run.

    Parameters
    ----------
    known : Known
    horizon : int
        Number of queries that will arrive.
    """

    def __init__(self, known: Known, horizon: int) -> None:
        self._known = known
        self._horizon = horizon
        self._arrived = np.zeros(len(known.shares))
        self._strange: list[tuple[FloatArray, FloatArray]] = []

    def see(self, query: Query, quality: FloatArray, cost: FloatArray) -> None:
        """Take note of an arrival and its corrected estimates (n_deployments,)."""
        if self._known.is_strange(query.embedding):
            self._strange.append((quality, cost))
        else:
            self._arrived[self._known.kind(query.quality_hat, query.cost_hat)] += 1

    def rest(self, better: float = 0.0, dearer: float = 0.0) -> Sample:
        """Return what is still to come, where the history's like differs so much in quality and in log cost."""
        known, n_strange = self._known, len(self._strange)
        n_arrived = float(self._arrived.sum()) + n_strange
        left = max(self._horizon - n_arrived, 1.0)  # tasks may bring more queries than are expected
        share = max(0.0, (n_strange - STRANGE * n_arrived) / (n_arrived + DOUBT * self._horizon))
        familiar = (1 - share) * known.shares
        kinds = np.maximum(self._horizon * familiar - self._arrived, LEAST * left * familiar)
        strange = max(self._horizon * share - n_strange, LEAST * left * share)
        scale = left / max(float(kinds.sum()) + strange, 1e-12)
        weights = (scale * kinds / (known.shares * len(known.kinds)))[known.kinds]
        quality, cost = np.clip(known.quality + better, 0.0, 1.0), known.cost * np.exp(dearer)
        if not strange > 0:
            return Sample(quality, cost, weights)
        seen_quality, seen_cost = (np.array(part) for part in zip(*self._strange, strict=True))
        return Sample(
            np.vstack([quality, seen_quality]),
            np.vstack([cost, seen_cost]),
            np.concatenate([weights, np.full(n_strange, scale * strange / n_strange)]),
        )


def logs(cost: FloatArray) -> FloatArray:
    """Return log costs, a cost of 0 counting as next to nothing."""
    return np.log(np.maximum(cost, 1e-12))


def nearest_mean(similarity: EmbeddingArray) -> FloatArray:
    """Return the mean of each row's ``NEAR`` greatest similarities, (n,)."""
    near = min(NEAR, similarity.shape[1])
    mean: FloatArray = np.partition(similarity, -near, axis=1)[:, -near:].mean(axis=1, dtype=np.float64)
    return mean
