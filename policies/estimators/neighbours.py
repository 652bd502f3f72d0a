"""Estimates from the k nearest neighbours in the history, exact or by an HNSW graph (FAISS)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from sim.interface import EmbeddingArray, Estimates, Features, FloatArray, History, IntArray, Predictor

WEIGHTS = ("uniform", "distance")
CHUNK = 16_384  # rows averaged at a time, so that a million queries need no million x k x n_deployments array


@dataclass(frozen=True)
class ExactNeighbours:
    """The k history rows of greatest cosine similarity, found by comparing with all of them.

    Parameters
    ----------
    k : int
        Number of neighbours.
    weights : str
        ``uniform`` for the plain mean of their outcomes (PORT, arXiv 2509.02718, section 4), ``distance`` for weights
        1 / (1 - cosine similarity).
    at_most : bool
        Whether a history of fewer than k rows gives all that it has, instead of being refused.
    """

    k: int = 5
    weights: str = "uniform"
    at_most: bool = False

    def fit(self, history: History) -> Predictor:
        """Index the history."""
        k = min(self.k, len(history.quality)) if self.at_most else self.k
        check(k, self.weights, history)
        vectors = unit(history.features.embeddings)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return Neighbours(index, history, k, self.weights)


@dataclass(frozen=True)
class HnswNeighbours:
    """Approximately the k history rows of greatest cosine similarity, by a navigable small-world graph.

    Parameters
    ----------
    k, weights
        As in ``ExactNeighbours``.
    m : int
        Links per node of the graph.
    ef_construction, ef_search : int
        Width of the search while building and while searching; the defaults are PORT's.

    Notes
    -----
    Malkov and Yashunin, arXiv 1603.09320. The graph is built by one thread, so that it is the same every time.
    """

    k: int = 5
    weights: str = "uniform"
    m: int = 32
    ef_construction: int = 200
    ef_search: int = 50

    def fit(self, history: History) -> Predictor:
        """Build the graph."""
        check(self.k, self.weights, history)
        vectors = unit(history.features.embeddings)
        index = faiss.IndexHNSWFlat(vectors.shape[1], self.m, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.ef_construction
        index.hnsw.efSearch = max(self.ef_search, self.k)
        with single_thread():
            index.add(vectors)
        return Neighbours(index, history, self.k, self.weights)


class Neighbours:
    """A fitted index and the outcomes of its rows."""

    def __init__(self, index: Any, history: History, k: int, weights: str) -> None:
        self._index = index
        self._history = history
        self._k = k
        self._weights = weights

    def predict(self, features: Features) -> Estimates:
        """Return the mean outcomes of each query's neighbours."""
        n, n_deployments = len(features.embeddings), self._history.quality.shape[1]
        quality, cost = np.empty((n, n_deployments)), np.empty((n, n_deployments))
        for start in range(0, n, CHUNK):
            chunk = slice(start, start + CHUNK)
            similarity, neighbours = search(self._index, unit(features.embeddings[chunk]), self._k)
            quality[chunk] = self._mean(self._history.quality, neighbours, similarity)
            cost[chunk] = self._mean(self._history.cost, neighbours, similarity)
        return Estimates(quality, cost)

    def held_out(self) -> Estimates:
        """Return the mean outcomes of each history row's neighbours, itself left out."""
        vectors = unit(self._history.features.embeddings)
        k = min(self._k, len(vectors) - 1)
        if k == 0:  # a single row has no neighbours
            return Estimates(self._history.quality, self._history.cost)
        similarity, neighbours = search(self._index, vectors, k + 1)
        others = neighbours != np.arange(len(vectors))[:, None]
        others[others.all(axis=1), -1] = False  # behind k + 1 equals: leave out any one
        shape = (len(vectors), k)
        similarity, neighbours = similarity[others].reshape(shape), neighbours[others].reshape(shape)
        return Estimates(
            self._mean(self._history.quality, neighbours, similarity),
            self._mean(self._history.cost, neighbours, similarity),
        )

    def _mean(self, outcome: FloatArray, neighbours: IntArray, similarity: FloatArray) -> FloatArray:
        if self._weights == "uniform":
            plain: FloatArray = outcome[neighbours].mean(axis=1)
            return plain
        weight = 1 / np.maximum(1 - similarity, 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        weighted: FloatArray = (outcome[neighbours] * weight[:, :, None]).sum(axis=1)
        return weighted


def search(index: Any, vectors: EmbeddingArray, k: int) -> tuple[FloatArray, IntArray]:
    """Return similarities and row numbers (n, k), nearest first, each row computed as if it were alone.

    FAISS compares many queries with a flat index by matrix products, whose last bit depends on how many there are; its
    one-by-one kernel does not.
    """
    threshold = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = len(vectors) + 1
    try:
        similarity, neighbours = index.search(vectors, k)
        lost = (neighbours < 0).any(axis=1)  # a graph of many duplicates may reach fewer than k rows
        if lost.any():
            exact = faiss.IndexFlatIP(vectors.shape[1])
            exact.add(index.reconstruct_n(0, index.ntotal))
            similarity[lost], neighbours[lost] = exact.search(vectors[lost], k)
    finally:
        faiss.cvar.distance_compute_blas_threshold = threshold
    return similarity.astype(np.float64), neighbours


def unit(embeddings: EmbeddingArray) -> EmbeddingArray:
    """Return rows of length 1, so that the inner product is the cosine; a zero row stays zero."""
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.ascontiguousarray(embeddings / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)


def check(k: int, weights: str, history: History) -> None:
    """Raise ValueError for a k or weights that cannot be."""
    n_history = len(history.features.input_tokens)
    if not 1 <= k <= n_history:
        raise ValueError(f"k is {k} for a history of {n_history} rows; it must be from 1 to {n_history}")
    if weights not in WEIGHTS:
        raise ValueError(f"weights is {weights!r}; it must be one of {', '.join(WEIGHTS)}")


@contextmanager
def single_thread() -> Iterator[None]:
    """Let FAISS use one thread, and give the others back."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
