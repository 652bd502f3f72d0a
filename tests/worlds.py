"""Builders of worlds small enough to check by hand."""

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from sim.interface import DeploymentInfo, Features, FloatArray, History, Query, Setting, State
from sim.scenario import Scenario
from sim.workload import Rows, Workload
from sim.world.services.slots import Instant

MODELS = ("small", "medium", "large")


def tiny_rows(quality: npt.ArrayLike, cost_usd: npt.ArrayLike, output_tokens: npt.ArrayLike | None = None) -> Rows:
    """Rows with these outcomes (n, n_models), unit embeddings and 10, 20, 30, ... input tokens."""
    truth = np.array(quality, dtype=np.float64)
    return Rows(
        embeddings=np.eye(len(truth), 4, dtype=np.float32),
        input_tokens=10 * np.arange(1, len(truth) + 1),
        quality=truth,
        cost_usd=np.array(cost_usd, dtype=np.float64),
        output_tokens=None if output_tokens is None else np.array(output_tokens, dtype=np.int64),
    )


def tiny_workload(test: Rows, history: Rows | None = None) -> Workload:
    """A workload of the first of MODELS; without a history, the test rows are the history too."""
    return Workload(MODELS[: test.quality.shape[1]], history or test, test)


def tiny_scenario(workload: Workload) -> Scenario:
    """One instant deployment per model, no budgets, one arrival a second, in the given order."""
    return Scenario(workload, OnePerModel(Instant()), Unlimited(), Deterministic(1.0), given)


def tiny_setting(budgets: Sequence[float], horizon: int) -> Setting:
    """A fleet with these budgets, and a history of one row in which everything is 0."""
    nothing = np.zeros((1, len(budgets)))
    fleet = tuple(DeploymentInfo(f"deployment-{k}", f"model-{k}", "usd") for k in range(len(budgets)))
    features = Features(np.zeros((1, 2), dtype=np.float32), np.ones(1, dtype=np.int64))
    return Setting(fleet, np.array(budgets, dtype=np.float64), horizon, History(features, nothing, nothing))


def tiny_query(query_id: int, quality_hat: Sequence[float], cost_hat: Sequence[float]) -> Query:
    """A query with these estimates."""
    embedding = np.zeros(2, dtype=np.float32)
    return Query(query_id, float(query_id), embedding, 1, np.array(quality_hat, float), np.array(cost_hat, float))


def idle(n_deployments: int) -> State:
    """Nothing queued, nothing in flight, no budget spent."""
    none = np.zeros(n_deployments, dtype=np.int64)
    return State(0.0, none, none, np.full(n_deployments, np.inf), np.ones(n_deployments, dtype=np.bool_))


def best_by_trying_all(quality: FloatArray, cost: FloatArray, budgets: FloatArray) -> float:
    """The greatest quality of all (n_deployments + 1) ** n assignments, no deployment among them, within budgets."""
    n, n_deployments = quality.shape
    assignments = np.array(list(itertools.product(range(n_deployments + 1), repeat=n)))
    gained, fits = np.zeros(len(assignments)), np.ones(len(assignments), dtype=np.bool_)
    for k in range(n_deployments):
        gained += (assignments == k) @ quality[:, k]
        fits &= (assignments == k) @ cost[:, k] <= budgets[k]
    return float(gained[fits].max())


def random_program(seed: int, n: int = 8, n_deployments: int = 3) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Quality, cost and budgets for about two queries per deployment."""
    rng = np.random.default_rng(seed)
    return rng.random((n, n_deployments)), rng.uniform(1, 2, (n, n_deployments)), rng.uniform(2, 4, n_deployments)


def uneven_program(
    n: int, m: int, seed: int, tightness: float, ties: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a random program with free pairs, budgets of nothing and none, models without quality, and ties."""
    rng = np.random.default_rng(seed)
    quality, cost = rng.integers(0, 3, (n, m)) / 2, rng.lognormal(0, 2, (n, m)) * 1e-4
    if ties:
        quality, cost = np.tile(quality[0], (n, 1)), np.tile(cost[0], (n, 1))
    cost[rng.random((n, m)) < 0.2 * rng.integers(0, 2)] = 0.0
    quality[:, rng.random(m) < 0.1] = 0.0
    budgets = rng.random(m) * tightness * cost.sum(axis=0) / m
    budgets[rng.random(m) < 0.1] = np.inf
    budgets[rng.random(m) < 0.1] = 0.0
    return quality, cost, budgets
