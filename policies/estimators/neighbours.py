"""Estimates from the k nearest neighbours in the history, exact or by an HNSW graph (FAISS).

What is predicted for a query depends on nothing but the query, to the last bit: see ``policies.estimators.exact``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from policies.estimators.exact import rounded, whole
from policies.estimators.partial import by_known
from sim.errors import check_number, check_one_of
from sim.interface import EmbeddingArray, Estimates, Features, FloatArray, History, IntArray, Predictor

WEIGHTS = ("uniform", "distance")
CHUNK = 16_384  # rows averaged at a time, so that a million queries need no million x k x n_deployments array
SPARE = 11  # proposals beyond k: by so many a row may fall behind through rounding
ENTRIES = 2**23  # of a matrix of similarities, or of the vectors compared, at a time


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
        """Index the history; a deployment that fewer than k rows know has the mean of all of these."""
        check(min(self.k, len(history.quality)) if self.at_most else self.k, self.weights, history)
        return by_known(self._fit, history)

    def _fit(self, history: History) -> Predictor:
        return of_all_rows(history, self.k, self.weights)


@dataclass(frozen=True)
class HnswNeighbours:
    """Approximately the k history rows of greatest cosine similarity, by a navigable small-world graph.

    Parameters
    ----------
    k : int
        Number of neighbours.
    weights : str
        ``uniform`` or ``distance``, as in ``ExactNeighbours``.
    m : int
        Links per node of the graph.
    ef_construction, ef_search : int
        Width of the search while building and while searching; the defaults are PORT's.

    Notes
    -----
    Malkov and Yashunin, arXiv 1603.09320. The graph is built by one thread, from vectors whose products are exact in
    single precision (``policies.estimators.exact.whole``), so that it is the same every time and on every processor.
    """

    k: int = 5
    weights: str = "uniform"
    m: int = 32
    ef_construction: int = 200
    ef_search: int = 50

    def __post_init__(self) -> None:
        """Check the graph's numbers, which FAISS does not."""
        for name, least, most in (("m", 2, 1024), ("ef_construction", 1, 100_000), ("ef_search", 1, 100_000)):
            check_number(name, getattr(self, name), least=least, most=most)

    def fit(self, history: History) -> Predictor:
        """Build the graph; a deployment that fewer than k rows know has the mean of all of these."""
        check(self.k, self.weights, history)
        return by_known(self._fit, history)

    def _fit(self, history: History) -> Predictor:
        vectors = whole(unit(history.features.embeddings))
        index = faiss.IndexHNSWFlat(vectors.shape[1], self.m, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.ef_construction
        index.hnsw.efSearch = max(self.ef_search, self.k)
        with single_thread():
            index.add(vectors)
        return Neighbours(index, history, min(self.k, len(vectors)), self.weights, is_graph=True)


class Neighbours:
    """A fitted index, of all rows or a graph, and the outcomes of its rows; ``k_cost`` is the k of cost, if another."""

    def __init__(
        self, index: Any, history: History, k: int, weights: str, is_graph: bool = False, k_cost: int | None = None
    ) -> None:
        self._index = index
        self._history = history
        self._vectors = rounded(unit(history.features.embeddings))
        self._k_quality, self._k_cost = k, k if k_cost is None else k_cost
        self._k = max(self._k_quality, self._k_cost)
        self._weights = weights
        self._is_graph = is_graph

    def predict(self, features: Features) -> Estimates:
        """Return the mean outcomes of each query's neighbours."""
        n, n_deployments = len(features.embeddings), self._history.quality.shape[1]
        quality, cost = np.empty((n, n_deployments)), np.empty((n, n_deployments))
        for start in range(0, n, CHUNK):
            chunk = slice(start, start + CHUNK)
            similarity, neighbours = self._search(unit(features.embeddings[chunk]), self._k)
            quality[chunk], cost[chunk] = self._means(neighbours, similarity)
        return Estimates(quality, cost)

    def held_out(self) -> Estimates:
        """Return the mean outcomes of each history row's neighbours, itself left out."""
        vectors = unit(self._history.features.embeddings)
        k = min(self._k, len(vectors) - 1)
        if k == 0:  # a single row has no neighbours
            return Estimates(self._history.quality, self._history.cost)
        similarity, neighbours = self._search(vectors, k + 1)
        others = neighbours != np.arange(len(vectors))[:, None]
        others[others.all(axis=1), -1] = False  # behind k + 1 equals: leave out any one
        shape = (len(vectors), k)
        similarity, neighbours = similarity[others].reshape(shape), neighbours[others].reshape(shape)
        return self._means(neighbours, similarity)

    def _search(self, vectors: EmbeddingArray, k: int) -> tuple[FloatArray, IntArray]:
        """Return similarities and row numbers (n, k), nearest first and ties by row number.

        FAISS proposes rows; how similar they are is computed here, because the last bit of its similarities depends on
        the processor and on how many queries there are. Where that bit may have kept a row from being proposed, or the
        graph reached fewer than k (a graph of many duplicates may), the query is compared with every row.
        """
        width = max(k, self._index.hnsw.efSearch) if self._is_graph else len(self._vectors)
        n_proposed = min(k + SPARE, width, len(self._vectors))
        proposed, neighbours = self._index.search(whole(vectors) if self._is_graph else vectors, n_proposed)
        neighbours.sort(axis=1)
        queries = rounded(vectors)
        similarity = np.empty(neighbours.shape)
        step = max(1, ENTRIES // (n_proposed * vectors.shape[1]))
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            similarity[part] = np.einsum("nd,nkd->nk", queries[part], self._vectors[neighbours[part]])
        similarity[neighbours < 0] = -np.inf
        similarity, found = in_order(similarity, neighbours, k)
        doubtful = found[:, -1] < 0
        if not self._is_graph and k < n_proposed < len(self._vectors):
            error = 2.0**-22 * (vectors.shape[1] + 1)  # more than single precision can lose
            doubtful |= similarity[:, -1] <= proposed[:, -1] + error
        if doubtful.any():
            similarity[doubtful], found[doubtful] = nearest(queries[doubtful], self._vectors, k)
        return similarity, found

    def _means(self, neighbours: IntArray, similarity: FloatArray) -> Estimates:
        """Return the mean quality and cost of rows (n, k), nearest first, of each over as many as it has."""
        of_quality, of_cost = slice(self._k_quality), slice(self._k_cost)
        return Estimates(
            self._mean(self._history.quality, neighbours[:, of_quality], similarity[:, of_quality]),
            self._mean(self._history.cost, neighbours[:, of_cost], similarity[:, of_cost]),
        )

    def _mean(self, outcome: FloatArray, neighbours: IntArray, similarity: FloatArray) -> FloatArray:
        """Return weighted means (n, n_deployments), added neighbour by neighbour: one order, whatever the shape."""
        weight = np.ones_like(similarity) if self._weights == "uniform" else 1 / np.maximum(1 - similarity, 1e-6)
        total, weights = np.zeros((len(neighbours), outcome.shape[1])), np.zeros((len(neighbours), 1))
        for row, share in zip(neighbours.T, weight.T[:, :, None], strict=True):
            total += outcome[row] * share
            weights += share
        return total / weights


def of_all_rows(history: History, k: int, weights: str, k_cost: int | None = None) -> Neighbours:
    """Return the neighbours among all rows of a history, or all of them where it has fewer than k."""
    vectors = unit(history.features.embeddings)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return Neighbours(index, history, min(k, len(vectors)), weights, k_cost=k_cost)


def nearest(queries: FloatArray, vectors: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
    """Return the greatest inner products of rounded rows, and whose they are (n, k), ties by row number."""
    similarity, neighbours = np.empty((len(queries), k)), np.empty((len(queries), k), dtype=np.int64)
    step = max(1, ENTRIES // len(vectors))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        every = queries[part] @ vectors.T
        found = np.argpartition(every, -k, axis=1)[:, -k:]
        least = np.take_along_axis(every, found[:, :1], axis=1)
        for row in np.flatnonzero((every >= least).sum(axis=1) > k):  # as similar as the last: the first rows count
            above, equal = np.flatnonzero(every[row] > least[row]), np.flatnonzero(every[row] == least[row])
            found[row] = np.concatenate([above, equal[: k - len(above)]])
        found.sort(axis=1)
        similarity[part], neighbours[part] = in_order(np.take_along_axis(every, found, axis=1), found, k)
    return similarity, neighbours


def in_order(similarity: FloatArray, neighbours: IntArray, k: int) -> tuple[FloatArray, IntArray]:
    """Return the k nearest of each row, nearest first; ties stay as they are."""
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarity, order, axis=1), np.take_along_axis(neighbours, order, axis=1)


def unit(embeddings: EmbeddingArray) -> EmbeddingArray:
    """Return rows of length 1, so that the inner product is the cosine; a zero row stays zero."""
    embeddings = np.ascontiguousarray(embeddings)  # a row's length is added in one order
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.ascontiguousarray(embeddings / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)


def needs_embeddings(history: History) -> None:
    """Raise ValueError for queries that nothing tells apart."""
    if history.features.embeddings.shape[1] == 0:
        raise ValueError(
            "nearest neighbours (estimator=exact, hnsw or blend) and clusters need embeddings, and the queries have "
            "none: give workload.embeddings=FILE.npy or a column 'prompt'; or choose policies without an estimator or "
            "estimator=ridge, which goes by input tokens; the bounds of compare: estimator@oracle.estimator=ridge"
        )


def check(k: int, weights: str, history: History) -> None:
    """Raise ValueError for a k or weights that cannot be, and for queries that nothing tells apart."""
    needs_embeddings(history)
    n_history = len(history.features.input_tokens)
    if not 1 <= k <= n_history:
        raise ValueError(f"k is {k} for a history of {n_history} rows; it must be from 1 to {n_history}")
    check_one_of("weights", weights, WEIGHTS)


@contextmanager
def single_thread() -> Iterator[None]:
    """Let FAISS use one thread, and give the others back."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
