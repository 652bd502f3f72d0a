"""Drives a policy over arrays of outcomes as papers do: a query, its outcome, the next query; no clock, no budget."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.interface import (
    BoolArray,
    DeploymentInfo,
    EmbeddingArray,
    Features,
    Feedback,
    FloatArray,
    History,
    IntArray,
    Policy,
    Query,
    Setting,
    State,
)

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test where a reference file is absent."""
    return pytest.mark.skipif(not (REFERENCE / name).exists(), reason=f"{name} is not at ../shared/reference")


def setting_of(
    embeddings: EmbeddingArray | FloatArray, quality: FloatArray, cost: FloatArray, horizon: int, budget: float = np.inf
) -> Setting:
    """A fleet without slots, whose history has these rows, and one account with this budget for all."""
    n_history, n_deployments = quality.shape
    fleet = tuple(DeploymentInfo(f"deployment-{k}", f"model-{k}", "usd") for k in range(n_deployments))
    features = Features(np.asarray(embeddings), np.ones(n_history, dtype=np.int64))
    budgets, accounts = np.full(n_deployments, budget), np.zeros(n_deployments, dtype=np.int64)
    return Setting(fleet, budgets, horizon, History(features, quality, cost), accounts)


def drive(
    policy: Policy,
    embeddings: EmbeddingArray | FloatArray,
    quality: FloatArray,
    cost: FloatArray,
    *,
    start: int = 0,
    available: BoolArray | None = None,
    energy_j: FloatArray | None = None,
    watch: Callable[[], Any] = lambda: None,
) -> tuple[IntArray, list[Any]]:
    """Send every query where a policy, which has been reset, sends it, and tell it the outcome at once.

    Parameters
    ----------
    policy : Policy
    embeddings : array (n, dim)
    quality, cost : arrays (n, n_deployments)
    start : int
        Id of the first query.
    available : array (n, n_deployments) or None
        Which deployments there are; None for all.
    energy_j : array (n, n_deployments) or None
    watch : callable
        What to note before each decision.

    Returns
    -------
    picks : array (n,)
    noted : list
    """
    n, n_deployments = quality.shape
    none, rest = np.zeros(n_deployments, dtype=np.int64), np.full(n_deployments, np.inf)
    every = np.ones((n, n_deployments), dtype=np.bool_) if available is None else available
    picks, noted = np.empty(n, dtype=np.int64), []
    unknown = np.zeros(n_deployments)
    for row in range(n):
        noted.append(watch())
        query = Query(start + row, float(row), np.asarray(embeddings[row]), 1, unknown, unknown)
        chosen = policy.decide(query, State(float(row), none, none, rest, every[row])).deployment
        assert chosen is not None
        picks[row] = chosen
        energy = float("nan") if energy_j is None else float(energy_j[row, chosen])
        policy.learn(Feedback(query, chosen, float(quality[row, chosen]), float(cost[row, chosen]), 0.0, energy))
    return picks, noted
