"""Keeps finished steps with what they earned, cost and took, and finds those like a query. It knows no rule."""

from __future__ import annotations

import numpy as np

from policies.estimators.exact import rounded
from policies.estimators.neighbours import unit
from sim.interface import EmbeddingArray, FloatArray, History

GROWTH = 2


class StepStore:
    """Steps by their embeddings, with an outcome for each deployment that took them, NaN for the others.

    It begins with the history, whose rows every deployment took; how long that lasted is not known. Cosines are exact
    (``policies.estimators.exact``), so that no processor decides who is a neighbour.

    Parameters
    ----------
    history : History
    """

    def __init__(self, history: History) -> None:
        outcomes = np.stack([history.quality, history.cost, np.full_like(history.cost, np.nan)], axis=2)
        self._vectors = rounded(unit(history.features.embeddings))
        self._outcomes = outcomes
        self._n = len(outcomes)

    def __len__(self) -> int:
        """Return the number of steps."""
        return self._n

    def add(self, embedding: EmbeddingArray, deployment: int, score: float, cost: float, latency_s: float) -> None:
        """Append a step that one deployment took."""
        if self._n == len(self._vectors):
            more = max(self._n * (GROWTH - 1), 16)
            self._vectors = np.concatenate([self._vectors, np.zeros((more, self._vectors.shape[1]))])
            empty = np.full((more, *self._outcomes.shape[1:]), np.nan)
            self._outcomes = np.concatenate([self._outcomes, empty])
        self._vectors[self._n] = rounded(unit(embedding[None, :]))[0]
        self._outcomes[self._n, deployment] = score, cost, latency_s
        self._n += 1

    def like(self, embedding: EmbeddingArray, similarity: float, least: int, most: int) -> FloatArray:
        """Return the outcomes (n, n_deployments, 3) of the steps whose cosine with a query is at least ``similarity``.

        Score, cost and latency in seconds. The ``least`` nearest are among them however far they are, and no more than
        the ``most`` nearest; of equally near ones the later.
        """
        cosine = self._vectors[: self._n] @ rounded(unit(embedding[None, :]))[0]
        near = np.arange(self._n)
        if self._n > most:  # sorting them all would take most of a decision
            near = np.flatnonzero(cosine >= np.partition(cosine, -most)[-most])
        latest_first = near[::-1]
        places = latest_first[np.argsort(-cosine[latest_first], kind="stable")[:most]]
        found: FloatArray = self._outcomes[places[(cosine[places] >= similarity) | (np.arange(len(places)) < least)]]
        return found
