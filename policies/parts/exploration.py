"""Exploration: the first queries of a run are sent at random, and their estimates are kept."""

from __future__ import annotations

import math

import numpy as np

from policies.parts.batch import estimates
from sim.interface import Decision, FloatArray, Query, Reasons, Setting


class Exploration:
    """The first ceil(eps x horizon) queries of a run, uniformly at random over {skip} + deployments.

    Lines 1 and 2 of algorithm 1 of arXiv 2509.02718: the outcomes of these queries are not used, only their estimates.

    Parameters
    ----------
    setting : Setting
    eps : float
        Share of queries to explore on.
    rng : Generator

    Attributes
    ----------
    n_queries : int
        How many they are.
    is_over : bool
        Whether all of them have come.
    """

    def __init__(self, setting: Setting, eps: float, rng: np.random.Generator) -> None:
        n_deployments = len(setting.fleet)
        draws = rng.integers(n_deployments + 1, size=math.ceil(eps * setting.horizon)).tolist()
        self._decisions = [Decision(None if draw == n_deployments else draw, explores=True) for draw in draws]
        self.n_queries = len(draws)
        self._sample: list[Query] = []
        self.is_over = False

    def covers(self, query: Query) -> bool:
        """Return whether this is one of the first queries."""
        return query.id < self.n_queries

    @property
    def reasons(self) -> Reasons:
        """Why one of the first queries goes where it goes."""
        these = (
            "this is the first query" if self.n_queries == 1 else f"this is one of the first {self.n_queries} queries"
        )
        return Reasons(words=f"{these}, and chance decides what becomes of it, to sample what comes")

    def send(self, query: Query) -> Decision:
        """Return where chance sends one of the first queries, and keep its estimates."""
        self._sample.append(query)
        self.is_over = len(self._sample) == self.n_queries
        return self._decisions[query.id]

    def estimates(self) -> tuple[FloatArray, FloatArray]:
        """Return the estimated quality and cost of those that have come, each (n, n_deployments)."""
        return estimates(self._sample)
