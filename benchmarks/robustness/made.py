"""Tables that are made up, one or two things away from a middle one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.interface import FloatArray
from sim.workload import Rows, Workload

N_TOPICS, DIM = 8, 32


@dataclass(frozen=True)
class Made:
    """A table that is made up.

    A query has an embedding (its topic's place and noise) and a hardness, of whose variance the embedding shows
    ``shown``; the rest shows nowhere. A model answers right by a logistic chance of its ability, less the hardness, and
    an answer is the longer the harder the query is (``longer``). Dear models are better on the whole.

    Parameters
    ----------
    shown : float
        Share of the hardness that embeddings show, in [0, 1].
    models, history : int
    total : float
        Of the budgets, as ``budget.total``.
    worse : float
        By how much (in logits) the model of most quality per USD is worse than in the history: a winner's curse.
    harder : float
        By how much all test queries are harder than the history.
    longer : float
    """

    shown: float = 0.3
    models: int = 12
    history: int = 1000
    total: float = 1.0
    worse: float = 0.0
    harder: float = 0.0
    longer: float = 0.4

    def workload(self, queries: int, seed: int) -> Workload:
        """Draw it."""
        rng = np.random.default_rng([seed, self.models, round(100 * self.shown)])
        n = self.history + queries
        topic = rng.integers(N_TOPICS, size=n)
        away = rng.normal(size=(n, DIM)) + 0.7 * rng.normal(size=(N_TOPICS, DIM))[topic]
        hardness = np.sqrt(self.shown) * direction(away, rng) + np.sqrt(1 - self.shown) * rng.normal(size=n)
        price = np.exp(rng.uniform(np.log(3e-5), np.log(5e-3), self.models))
        ability = 0.3 + 0.35 * np.log(price / 4e-4) + rng.normal(0, 0.5, self.models)
        affinity = rng.normal(0, 0.6 * np.sqrt(self.shown), (N_TOPICS, self.models))
        logit = ability + affinity[topic] - 1.5 * hardness[:, None]
        logit[self.history :] -= self.harder
        logit[self.history :, np.argmax(1 / (1 + np.exp(-ability)) / price)] -= self.worse
        quality = (rng.logistic(size=logit.shape) < logit).astype(np.float64)
        length = self.longer * hardness + 0.3 * direction(away, rng) + rng.normal(0, 0.4, n)
        cost = price * np.exp(length[:, None] + rng.normal(0, 0.3, logit.shape))
        rows = Rows(
            embeddings=(away / np.linalg.norm(away, axis=1, keepdims=True)).astype(np.float32),
            input_tokens=np.full(n, 100),
            quality=quality,
            cost_usd=cost,
            source=np.array([f"topic-{each}" for each in topic], dtype=object),
            expected_quality=1 / (1 + np.exp(-logit)),
            expected_cost_usd=price * np.exp(length[:, None] + 0.3**2 / 2),
        )
        names = tuple(f"model-{k}" for k in range(self.models))
        return Workload(names, cut(rows, slice(None, self.history)), cut(rows, slice(self.history, None)))

    def __str__(self) -> str:
        """Say how it differs from the middle one."""
        middle = Made()
        differs = [f"{name} {value:g}" for name, value in vars(self).items() if value != getattr(middle, name)]
        return ", ".join(differs) or "the middle one"


TABLES = (
    Made(),
    Made(shown=0.0),
    Made(shown=1.0, history=4000),
    Made(models=3),
    Made(models=60, history=2000),
    Made(history=200),
    Made(history=10_000),
    Made(total=0.25),
    Made(total=4.0),
    Made(shown=0.0, models=30, history=200, total=0.25),
    Made(harder=0.5),
    Made(worse=1.0, models=4, longer=-0.4),
)


def direction(away: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return how far each query (n, dim) lies in one random direction, standardised."""
    along: FloatArray = away @ rng.normal(size=away.shape[1])
    standardised: FloatArray = (along - along.mean()) / along.std()
    return standardised


def cut(rows: Rows, which: slice) -> Rows:
    """Return some of the rows."""
    assert rows.source is not None
    expected = rows.expected_quality, rows.expected_cost_usd
    assert expected[0] is not None
    assert expected[1] is not None
    return Rows(
        rows.embeddings[which],
        rows.input_tokens[which],
        rows.quality[which],
        rows.cost_usd[which],
        source=rows.source[which],
        expected_quality=expected[0][which],
        expected_cost_usd=expected[1][which],
    )
