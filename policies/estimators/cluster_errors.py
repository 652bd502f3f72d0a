"""Estimates by clusters of prompts: how often each model was wrong on labelled prompts of the cluster (UniRoute)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from policies.estimators.exact import product, rounded
from policies.estimators.neighbours import needs_embeddings, unit
from sim.errors import check_number
from sim.interface import Estimates, Features, FloatArray, History, IntArray, Predictor


@dataclass(frozen=True)
class ClusterErrors:
    """Quality is 1 - the model's mean error on the probes in the query's cluster; cost is the model's mean cost.

    UniRoute's K-means form (Jitkrittum et al. 2025, arXiv 2502.08773): prompts are clustered without labels, and a
    model is described by its mean error in each cluster on a small labelled set, the probes. So a new model needs only
    to answer the probes. With one cluster it is a constant error per model, by which every query gets the same choice.

    The history is permuted; its first rows are the probes, and the others are clustered and give the mean costs. A
    probe belongs to the nearest centre, a query to the centre of greatest cosine, as in a published re-implementation
    (rezashkv/cscr). In a cluster without probes the model's error over all of its probes counts. For a model that is
    not known on the whole history, the rows that it is known on are its probes, and its cost is their mean.

    Parameters
    ----------
    clusters : int
        At most as many as there are different embeddings.
    probes : int
        Labelled rows that describe a model, at most half of the history.
    row_seed : int
        Of the permutation of the history.
    seed : int
        Of scikit-learn's k-means++.

    Notes
    -----
    scikit-learn's k-means adds in an order that depends on the processor, so centres may differ in their last bits.
    They are rounded to 25 bits; a row that is equally near to two centres to within about 1e-8 may change clusters.
    """

    clusters: int = 20
    probes: int = 500
    row_seed: int = 0
    seed: int = 42

    def fit(self, history: History) -> Predictor:
        """Cluster the prompts and describe the models.

        Raises
        ------
        ValueError
            If a number is below 1, or there are several clusters and the queries have no embeddings.
        """
        for name in ("clusters", "probes"):
            check_number(name, getattr(self, name), least=1)
        if self.clusters > 1:
            needs_embeddings(history)
        probes, others = parted(history, self.probes, self.row_seed)
        centres = clustered(history.features.embeddings[others].astype(np.float64), self.clusters, self.seed)
        return Clusters(centres, *described(history, probes, others, nearest_centre(history, centres), len(centres)))


class Clusters:
    """Centres of clusters (n_clusters, dim), and each model's quality in them and its cost."""

    def __init__(self, centres: FloatArray, quality: FloatArray, cost: FloatArray) -> None:
        self._directions = unit_rows(centres)
        self._quality = quality
        self._cost = cost

    def predict(self, features: Features) -> Estimates:
        """Look up the cluster of each query."""
        n = len(features.input_tokens)
        cluster = np.zeros(n, dtype=np.int64)
        if len(self._directions) > 1:
            cluster = product(unit(features.embeddings).astype(np.float64), self._directions.T).argmax(axis=1)
        return Estimates(self._quality[cluster], np.tile(self._cost, (n, 1)))


def parted(history: History, n_probes: int, seed: int) -> tuple[IntArray, IntArray]:
    """Return the rows that are probes and the rows that are not; of a single row, that row twice."""
    n = len(history.features.input_tokens)
    rows = np.random.RandomState(seed).permutation(n).astype(np.int64)
    n_probes = min(n_probes, max(1, n // 2))
    return rows[:n_probes], rows[n_probes:] if n > 1 else rows


def clustered(embeddings: FloatArray, n_clusters: int, seed: int) -> FloatArray:
    """Return the centres (n_clusters, dim) of k-means; the mean of all rows for one cluster."""
    n_clusters = min(n_clusters, len(np.unique(embeddings, axis=0)))
    if n_clusters == 1:
        centre: FloatArray = embeddings.mean(axis=0, keepdims=True)
        return centre
    with threadpool_limits(1):  # so that the order of additions does not depend on the machine's cores
        centres = KMeans(n_clusters, random_state=seed, n_init="auto").fit(embeddings).cluster_centers_
    return rounded(centres)


def nearest_centre(history: History, centres: FloatArray) -> IntArray:
    """Return the number of the centre that is nearest (Euclid) to each history row (n_history,)."""
    if len(centres) == 1:
        return np.zeros(len(history.features.input_tokens), dtype=np.int64)
    rows = history.features.embeddings.astype(np.float64)
    nearness = 2 * product(rows, centres.T) - (centres**2).sum(axis=1)  # the row's own length is the same for all
    nearest: IntArray = nearness.argmax(axis=1)
    return nearest


def described(
    history: History, probes: IntArray, others: IntArray, cluster: IntArray, n_clusters: int
) -> tuple[FloatArray, FloatArray]:
    """Return the mean quality of each model in each cluster (n_clusters, n_deployments), and its mean cost."""
    known = history.known
    n_deployments = known.shape[1]
    quality, cost = np.full((n_clusters, n_deployments), np.nan), np.full(n_deployments, np.nan)
    for k in range(n_deployments):
        is_whole = bool(known[:, k].all())
        labelled = probes if is_whole else np.flatnonzero(known[:, k])
        if not len(labelled):
            continue
        score = history.quality[labelled, k]
        quality[:, k] = score.mean()
        for number in np.unique(cluster[labelled]).tolist():
            quality[number, k] = score[cluster[labelled] == number].mean()
        cost[k] = history.cost[others if is_whole else labelled, k].mean()
    return history.completed(quality, cost)


def unit_rows(rows: FloatArray) -> FloatArray:
    """Return rows of length 1; a zero row stays zero."""
    rows = np.ascontiguousarray(rows)  # a row's length is added in one order
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    result: FloatArray = rows / np.maximum(length, np.finfo(np.float64).tiny)
    return result
