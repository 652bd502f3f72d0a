"""A step for a policy to decide on, of a fleet that is idle, and a setting of a small and a large model."""

from collections.abc import Sequence

import numpy as np

from sim.interface import EmbeddingArray, FloatArray, Query, State, Task
from tests.systems.driving import setting_of

COST = (1.0, 5.0)
SETTING = setting_of(np.ones((2, 1)), np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([COST, COST]), 10)


def step(
    cost: Sequence[float] = COST,
    task: Task | None = None,
    quality: Sequence[float] = (0.0, 0.0),
    embedding: FloatArray | EmbeddingArray | None = None,
) -> Query:
    """A step with these estimates."""
    features = np.ones(1, dtype=np.float32) if embedding is None else np.asarray(embedding, dtype=np.float32)
    return Query(0, 0.0, features, 1, np.array(quality), np.array(cost), task=task)


def idle(n_deployments: int = 2) -> State:
    """Deployments without a limit, which have nothing to do."""
    none = np.zeros(n_deployments, dtype=np.int64)
    return State(0.0, none, none, np.full(n_deployments, np.inf), np.ones(n_deployments, dtype=np.bool_))
