"""What a bandit sees of a query: a short vector made of its embedding. It knows no rule.

A context is fitted to the history, which holds no query that will arrive; what is fitted turns embeddings (n, dim) into
contexts (n, size), each row by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from policies.estimators.neighbours import unit
from sim.errors import check_number
from sim.interface import EmbeddingArray, FloatArray, History

DIGITS = 9  # to which coordinates are rounded, as the last ones of an eigenvector depend on the processor


class FittedContext(Protocol):
    """What turns embeddings into contexts."""

    def of(self, embeddings: EmbeddingArray) -> FloatArray:
        """Return the contexts (n, size) of embeddings (n, dim)."""
        ...


class Context(Protocol):
    """A way to see queries: hyperparameters only."""

    def fit(self, history: History) -> FittedContext:
        """Learn from the history what the contexts need."""
        ...


@dataclass(frozen=True)
class AsItIs:
    """The embedding itself, in double precision; no constant is appended."""

    def fit(self, history: History) -> AsItIs:
        """Return itself, as there is nothing to learn."""
        return self

    def of(self, embeddings: EmbeddingArray) -> FloatArray:
        """Return the embeddings."""
        return np.asarray(embeddings, dtype=np.float64)


@dataclass(frozen=True)
class Whitened:
    """Principal components of the history's embeddings, each divided by its standard deviation, and the constant 1.

    Parameters
    ----------
    components : int
        How many at most; fewer where the history has no more directions.

    Raises
    ------
    ValueError
        If ``components`` is less than 1.
    """

    components: int = 25

    def __post_init__(self) -> None:
        """Check the number."""
        check_number("components", self.components, least=1)

    def fit(self, history: History) -> Projection:
        """Find the components."""
        rows = unit(history.features.embeddings).astype(np.float64)
        centre = np.add.reduce(rows, axis=0) / len(rows)
        values, vectors = np.linalg.eigh((rows - centre).T @ (rows - centre) / max(len(rows) - 1, 1))
        order = np.argsort(values)[::-1][: self.components]
        order = order[values[order] > 1e-9 * max(float(values.max(initial=0.0)), 1e-9)]
        directions = vectors[:, order].T
        largest = np.argmax(np.abs(directions), axis=1)
        signs = np.sign(directions[np.arange(len(directions)), largest])  # an eigenvector is known but for its sign
        return Projection(centre, directions * (signs / np.sqrt(values[order]))[:, None])


@dataclass(frozen=True)
class Projection:
    """Directions (n_components, dim) from a centre (dim,), and the constant 1 after them."""

    centre: FloatArray
    directions: FloatArray

    def of(self, embeddings: EmbeddingArray) -> FloatArray:
        """Return the coordinates (n, n_components + 1), rounded."""
        result = np.ones((len(embeddings), len(self.directions) + 1))
        for row, away in enumerate(unit(embeddings) - self.centre):
            result[row, :-1] = np.add.reduce(self.directions * away, axis=1)
        return np.round(result, DIGITS)


@dataclass(frozen=True)
class Clusters:
    """The constant 1, and which of some clusters of embeddings a query is in, as 0s and a 1.

    Sequential k-means by cosine, as in GreenServ (arXiv 2601.17551): the first different embeddings are the centroids;
    then each embedding moves the nearest one towards itself by one part in as many as it has had. One pass is made over
    the history, after which the centroids stay.

    Parameters
    ----------
    n_clusters : int
        At most; fewer where the history has fewer different embeddings.

    Raises
    ------
    ValueError
        If ``n_clusters`` is less than 1.
    """

    n_clusters: int = 3

    def __post_init__(self) -> None:
        """Check the number."""
        check_number("n_clusters", self.n_clusters, least=1)

    def fit(self, history: History) -> Centroids:
        """Pass over the history once."""
        rows = unit(history.features.embeddings).astype(np.float64)
        centroids: list[FloatArray] = []
        counts: list[int] = []
        for row in rows:
            if len(centroids) < self.n_clusters and not any(np.array_equal(row, one) for one in centroids):
                centroids.append(row.copy())
                counts.append(1)
                continue
            place = nearest(np.array(centroids), row)
            counts[place] += 1
            centroids[place] += (row - centroids[place]) / counts[place]
        return Centroids(np.array(centroids))


@dataclass(frozen=True)
class Centroids:
    """Centroids (n_clusters, dim) that stay."""

    centroids: FloatArray

    def of(self, embeddings: EmbeddingArray) -> FloatArray:
        """Return the constant and the cluster (n, n_clusters + 1) of embeddings."""
        result = np.zeros((len(embeddings), len(self.centroids) + 1))
        result[:, 0] = 1.0
        for number, row in enumerate(unit(embeddings).astype(np.float64)):
            result[number, 1 + nearest(self.centroids, row)] = 1.0
        return result


def nearest(centroids: FloatArray, row: FloatArray) -> int:
    """Return the centroid (of n_clusters, dim) with the largest cosine to an embedding (dim,), the first among equals.

    >>> nearest(np.array([[0.0, 5.0], [1.0, 0.0]]), np.array([0.9, 0.1]))
    1
    """
    lengths = np.sqrt(np.add.reduce(centroids * centroids, axis=1))
    return int(np.argmax(np.add.reduce(centroids * row, axis=1) / np.maximum(lengths, 1e-12)))
