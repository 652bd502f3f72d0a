"""Steward held to its theorem: what it loses in random order, what in any, and where that ends (docs/steward.md).

Embeddings tell quality and cost, so that estimates are the truth of history rows too, and service is instant.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from policies.budgeted.steward import Steward
from scenarios.arrivals import Deterministic
from scenarios.budgets import Amounts
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from sim.assignment.certified import certified
from sim.assignment.program import linear_program
from sim.instance import realise, stream
from sim.interface import Estimates, Features, FloatArray, History
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.workload import Rows, Workload
from sim.world.record.requests import SERVED
from sim.world.services.slots import Instant
from sim.world.world import simulate


@dataclass(frozen=True)
class Told:
    """What an embedding says: the qualities of all deployments, then their costs."""

    def fit(self, history: History) -> "Told":
        """Learn nothing."""
        return self

    def predict(self, features: Features) -> Estimates:
        """Read it."""
        quality, cost = np.split(features.embeddings.astype(np.float64), 2, axis=1)
        return Estimates(quality, cost)


@dataclass(frozen=True)
class Run:
    """What became of queries (n, n_deployments): the deployment of each, -1 for none, and what the best plan gets."""

    quality: FloatArray
    cost: FloatArray
    budgets: FloatArray
    chosen: np.ndarray[tuple[int], np.dtype[np.int64]]
    optimum: float

    @property
    def gained(self) -> float:
        """Quality of what was served."""
        return float(self.quality[self.chosen >= 0, self.chosen[self.chosen >= 0]].sum())


def rows(quality: FloatArray, cost: FloatArray) -> Rows:
    """Rows whose embeddings tell everything."""
    told = np.column_stack([quality, cost]).astype(np.float32)
    quality, cost = np.split(told.astype(np.float64), 2, axis=1)
    return Rows(told, np.ones(len(told), dtype=np.int64), quality, cost)


def run(history: Rows, test: Rows, budgets: list[float], solves: int | None = None) -> Run:
    """Steward on these rows in their order, prices solved at every query unless said otherwise."""
    workload = Workload(tuple(f"model-{k}" for k in range(len(budgets))), history, test)
    scenario = Scenario(workload, OnePerModel(Instant()), Amounts(budgets), Deterministic(1.0), given)
    instance = realise(scenario, 0, 0)
    steward = Steward(Told(), solves=solves or len(test))
    table = simulate("steward", steward, instance, EstimateCache().get(Told(), instance), stream(0, 0, "policy"))
    chosen = np.where(np.array(table.fate) == SERVED, np.array(table.deployment), -1)
    best = linear_program(instance.quality, instance.cost, instance.setting.budgets).value
    return Run(instance.quality, instance.cost, instance.setting.budgets, chosen, best)


def drawn(n: int, seed: int) -> Rows:
    """Two deployments; qualities and costs without ties."""
    rng = np.random.default_rng(seed)
    return rows(rng.uniform(0.2, 1, (n, 2)), rng.uniform(0.5, 1.5, (n, 2)))


def loss(n: int, seed: int) -> float:
    """What is missing to the optimum of n independent queries."""
    found = run(drawn(200, 1000 + seed), drawn(n, seed), [0.15 * n, 0.25 * n])
    return found.optimum - found.gained


def test_the_loss_grows_slower_than_the_root_of_the_number_of_independent_queries() -> None:
    few = np.mean([loss(30, seed) for seed in range(6)])
    many = np.mean([loss(270, seed) for seed in range(2)])
    assert 0 < few < many < 3 * few  # nine times the queries, of which the root is 3


@pytest.mark.parametrize("order", [1, -1])
def test_the_loss_is_what_choices_cost_at_the_best_prices_and_what_is_left_of_budgets_in_any_order(order: int) -> None:
    test = drawn(200, 5)
    best_first = np.argsort(test.quality.max(axis=1))[::order]
    sorted_ = rows(test.quality[best_first], test.cost_usd[best_first])
    found = run(drawn(400, 6), sorted_, [30.0, 50.0], solves=20)
    prices = certified(found.quality, found.cost, found.budgets).prices
    surplus = np.column_stack(
        [found.quality - prices * found.cost, np.zeros(len(found.quality))]
    )  # -1 is no deployment
    mistakes = (surplus.max(axis=1) - surplus[np.arange(len(surplus)), found.chosen]).sum()
    spent = np.bincount(found.chosen + 1, minlength=3)[1:] > 0
    left = found.budgets - [found.cost[found.chosen == k, k].sum() for k in range(2)]
    assert spent.all()
    assert found.optimum - found.gained == pytest.approx(mistakes + prices @ left, rel=0.01, abs=0.01)


def one_deployment(quality: list[float]) -> Rows:
    """Queries that all cost 1."""
    return rows(np.array(quality)[:, None], np.ones((len(quality), 1)))


HISTORY = one_deployment([0.9] * 50 + [0.1] * 50)


@pytest.mark.parametrize("quality", [[0.4] * 40 + [0.1] * 40, [0.1] * 40 + [0.9] * 40, [0.1] * 80, [0.9, 0.1] * 40])
def test_in_any_order_it_serves_all_but_one_of_the_queries_that_budgets_can_pay(quality: list[float]) -> None:
    found = run(HISTORY, one_deployment(quality), [20.0])
    assert (found.chosen >= 0).sum() >= 19
    assert found.gained >= min(quality) / max(quality) * found.optimum * 19 / 20


def test_without_more_than_that_when_the_history_promises_what_never_comes() -> None:
    # Half of the history is worth 0.9. What is worth 0.4 comes first and is declined; then only 0.1 comes.
    found = run(HISTORY, one_deployment([0.4] * 40 + [0.1] * 40), [20.0])
    assert found.gained < 0.4 * found.optimum
