"""Corrections of a query's estimates by the outcomes of queries near it."""

from __future__ import annotations

import numpy as np

from policies.estimators.exact import whole
from sim.interface import EmbeddingArray, FloatArray

MOST = 5000  # outcomes remembered; then the oldest make room
PRIOR = 0.5  # how many outcomes of equal direction the estimates are worth


class Residuals:
    """Corrections of quality and log cost, shared by all deployments: what a query is like, not who answered it.

    The correction at x is  sum_s w_s r_s / (sum_s w_s + PRIOR)  over the outcomes s known so far, with residual r_s and
    w_s = max(0, cos(x - m, x_s - m))^2, where m is the mean embedding of the history: kernel regression of residuals,
    drawn to 0 where nothing near has been seen. Directions are rounded so that cosines are exact, on every processor.

    Parameters
    ----------
    centre : array (dim,)
        m.
    horizon : int
        Number of queries that will arrive.
    """

    def __init__(self, centre: EmbeddingArray, horizon: int) -> None:
        size = max(1, min(horizon, MOST))
        self._centre = centre
        self._directions = np.zeros((size, len(centre)), dtype=np.float32)
        self._residuals = np.zeros((size, 2))
        self._is_known = np.zeros((size, 2))
        self._count = 0

    def add(self, embedding: EmbeddingArray, quality: float, log_cost: float) -> None:
        """Remember by how much an outcome exceeded its estimates; NaN for what is not known."""
        place = self._count % len(self._directions)
        self._directions[place] = whole(self._direction(embedding))
        self._is_known[place] = not np.isnan(quality), not np.isnan(log_cost)
        self._residuals[place] = np.nan_to_num([quality, log_cost])
        self._count += 1

    def at(self, embedding: EmbeddingArray) -> tuple[float, float]:
        """Return the corrections of quality and log cost of a query."""
        n = min(self._count, len(self._directions))
        if n == 0:
            return 0.0, 0.0
        cosines = (self._directions[:n] @ whole(self._direction(embedding))).astype(np.float64) / 2.0**24
        weights = np.maximum(cosines, 0.0) ** 2
        totals: FloatArray = np.add.reduce(weights[:, None] * self._residuals[:n], axis=0)
        corrections = totals / (np.add.reduce(weights[:, None] * self._is_known[:n], axis=0) + PRIOR)
        return float(corrections[0]), float(corrections[1])

    def _direction(self, embedding: EmbeddingArray) -> EmbeddingArray:
        length = float(np.linalg.norm(embedding))
        away: EmbeddingArray = embedding / max(length, 1e-12) - self._centre
        return away / max(float(np.linalg.norm(away)), 1e-12)
