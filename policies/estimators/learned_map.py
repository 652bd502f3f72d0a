"""Estimates by clusters of prompts to which a query belongs in part, by a map that is learned (UniRoute)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from policies.estimators.cluster_errors import clustered, described, nearest_centre, parted, unit_rows
from policies.estimators.exact import product
from policies.estimators.neighbours import needs_embeddings
from sim.errors import check_number
from sim.interface import Estimates, Features, FloatArray, History, Predictor

ITERATIONS = 100
LEAST = (
    0.01  # quality in a cluster is kept so far from 0 and 1 while learning, as the log loss of a certainty is infinite
)


@dataclass(frozen=True)
class LearnedMap:
    """Quality is Phi(x) Psi(model): shares of clusters for a query, times the model's quality in each.

    UniRoute's learned map (Jitkrittum et al. 2025, arXiv 2502.08773): Phi_k is proportional to exp(theta_k x), with x
    the embedding of length 1, and theta minimises the log loss of right and wrong answers over the models that are
    known on the whole history, on the rows that are not probes. Psi and costs are those of ``ClusterErrors``; so a new
    model needs only to answer the probes, and nothing is learned again.

    No code of the authors was at hand, and the following is inferred: theta begins at ``sharpness`` times the
    directions of the clusters' centres, so that a query begins with the clusters near it, and is held there by a
    squared penalty; L-BFGS makes at most 100 steps. Both numbers were chosen on ZeroEval.

    Parameters
    ----------
    clusters, probes, row_seed, seed
        As in ``ClusterErrors``.
    sharpness : float
        Of the shares to begin with: 0 for equal shares; more for more of the nearest cluster.
    penalty : float
        On the squared distance of theta from where it begins.

    Notes
    -----
    Learning adds in an order that depends on the processor, so theta, and with it quality, may differ by about 1e-6.
    """

    clusters: int = 20
    probes: int = 500
    row_seed: int = 0
    seed: int = 42
    sharpness: float = 10.0
    penalty: float = 1e-4

    def fit(self, history: History) -> Predictor:
        """Cluster the prompts, describe the models and learn the map.

        Raises
        ------
        ValueError
            If a number is out of range or the queries have no embeddings.
        """
        for name in ("clusters", "probes"):
            check_number(name, getattr(self, name), least=1)
        for name in ("sharpness", "penalty"):
            check_number(name, getattr(self, name), least=0)
        needs_embeddings(history)
        probes, others = parted(history, self.probes, self.row_seed)
        centres = clustered(history.features.embeddings[others].astype(np.float64), self.clusters, self.seed)
        quality, cost = described(history, probes, others, nearest_centre(history, centres), len(centres))
        begin = self.sharpness * unit_rows(centres)
        whole = np.logical_and.reduce(history.known, axis=0)
        theta = begin
        if whole.any() and len(centres) > 1:
            inputs = unit_rows(history.features.embeddings[others].astype(np.float64))
            theta = learned(inputs, history.quality[np.ix_(others, whole)], quality[:, whole], begin, self.penalty)
        return Shared(theta, quality, cost)


class Shared:
    """The map (n_clusters, dim), and each model's quality in every cluster and its cost."""

    def __init__(self, theta: FloatArray, quality: FloatArray, cost: FloatArray) -> None:
        self._theta = theta
        self._quality = quality
        self._cost = cost

    def predict(self, features: Features) -> Estimates:
        """Weigh the clusters, in their order, so that a row's result depends on that row alone."""
        share = softmax(product(unit_rows(features.embeddings.astype(np.float64)), self._theta.T))
        quality = np.zeros((len(share), self._quality.shape[1]))
        for weight, of_cluster in zip(share.T, self._quality, strict=True):
            quality += weight[:, None] * of_cluster
        return Estimates(quality, np.tile(self._cost, (len(share), 1)))


def learned(
    inputs: FloatArray, score: FloatArray, quality: FloatArray, begin: FloatArray, penalty: float
) -> FloatArray:
    """Return theta (n_clusters, dim) of the least log loss plus penalty.

    Parameters
    ----------
    inputs : array (n, dim)
    score : array (n, n_models)
        In [0, 1]; what lies between counts as that share of a right answer.
    quality : array (n_clusters, n_models)
    begin : array (n_clusters, dim)
    penalty : float
    """
    of_cluster = np.clip(quality, LEAST, 1 - LEAST)

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        theta = flat.reshape(begin.shape)
        share = softmax(inputs @ theta.T)
        chance = share @ of_cluster
        value = -(score * np.log(chance) + (1 - score) * np.log(1 - chance)).mean()
        by_share = ((1 - score) / (1 - chance) - score / chance) @ of_cluster.T / score.size
        by_logit = share * (by_share - (share * by_share).sum(axis=1, keepdims=True))
        away = theta - begin
        slope = by_logit.T @ inputs + penalty * away
        return float(value + penalty / 2 * (away**2).sum()), slope.ravel()

    with threadpool_limits(1):  # so that the order of additions does not depend on the machine's cores
        found = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    theta: FloatArray = found.x.reshape(begin.shape)
    return theta


def softmax(logits: FloatArray) -> FloatArray:
    """Return shares (n, n_clusters) that add up to 1; each row's are a function of that row alone."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    total = np.zeros(len(powers))
    for column in powers.T:
        total += column
    shares: FloatArray = powers / total[:, None]
    return shares
