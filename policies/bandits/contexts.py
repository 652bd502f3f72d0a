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
        order = order[values[order] > 1e-9 * max(float(values[-1]), 1e-9)]
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
