"""WISERouter (arXiv 2607.23765): its program by hand, budgets that last, and learning from feedback."""

from dataclasses import replace

import numpy as np
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.best_predicted import BestPredicted
from policies.scored.adaptive_program import AdaptiveProgram
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.interface import Features, Feedback, History, Query, Setting
from sim.scenario import Scenario
from sim.study.experiment import compare
from sim.world.services.slots import Instant
from tests.worlds import idle, tiny_query, tiny_setting

# Two kinds of prompts, one on each axis, equally many; the first model is right on half of the first kind and none of
# the second, the other model on all; it costs 3 instead of 1.
N = 40
KIND = np.arange(N) % 2
HISTORY = History(
    Features(np.eye(2, dtype=np.float32)[KIND], np.ones(N, dtype=np.int64)),
    np.column_stack([(KIND == 0) & (np.arange(N) % 4 == 0), np.ones(N)]).astype(np.float64),
    np.tile([1.0, 3.0], (N, 1)),
)


def started(policy: AdaptiveProgram, budgets: list[float], horizon: int = 100, shared: bool = False) -> AdaptiveProgram:
    base = tiny_setting(budgets, horizon)
    accounts = np.zeros(2, dtype=np.int64) if shared else None
    policy.reset(Setting(base.fleet, base.budgets, horizon, HISTORY, accounts), np.random.default_rng(0))
    return policy


def query(number: int, kind: int) -> Query:
    return tiny_query(number, [0, 0], [0, 0])._replace(embedding=np.eye(2, dtype=np.float32)[kind])


def choices(policy: AdaptiveProgram, remaining: list[float], kind: int, n: int = 100) -> list[int | None]:
    state = idle(2)._replace(remaining=np.array(remaining))
    return [policy.decide(query(number, kind), state).deployment for number in range(n)]


def test_without_budgets_each_kind_has_its_best_model() -> None:
    policy = started(AdaptiveProgram(kinds=2, explore=0.0), [np.inf, np.inf])
    assert set(choices(policy, [np.inf, np.inf], 0)) == {1}


def test_with_a_budget_of_two_a_query_the_dear_model_is_for_the_kind_that_gains_more() -> None:
    # On the first kind the dear model gains 0.5 for 2 more, on the second 1 for 2 more; 2 a query are 1 and 3.
    for kind, expected in ((0, 0), (1, 1)):
        policy = started(AdaptiveProgram(kinds=2, explore=0.0, every=1000), [200.0, 200.0], shared=True)
        assert set(choices(policy, [200.0, 200.0], kind, 50)) == {expected}


def test_a_budget_that_pays_for_a_part_is_drawn_for_in_that_proportion() -> None:
    policy = started(AdaptiveProgram(kinds=2, explore=0.0, every=1000), [0.0, 300.0], horizon=400)
    drawn = [choice for kind in (0, 1) for choice in choices(policy, [0.0, 300.0], kind, 200)]
    assert 0.2 < drawn.count(1) / len(drawn) < 0.3  # 0.75 a query, where one costs 3
    assert drawn.count(1) + drawn.count(None) == len(drawn)


def test_feedback_moves_what_is_believed_of_a_kind() -> None:
    policy = started(AdaptiveProgram(kinds=2, explore=0.0, every=1), [np.inf, np.inf], 1000)
    assert choices(policy, [np.inf, np.inf], 0, 1) == [1]
    for number in range(60):  # the dear model fails 60 times on the first kind
        policy.learn(Feedback(query(number, 0), 1, quality=0.0, cost=3.0, latency_s=0.0))
    assert choices(policy, [np.inf, np.inf], 0, 1) == [0]
    assert choices(policy, [np.inf, np.inf], 1, 1) == [1]


def test_a_wide_bound_tries_what_is_known_least() -> None:
    few = HISTORY.quality.copy()
    few[2:, 0] = np.nan  # the first model is known on two rows
    cost = np.where(np.isnan(few), np.nan, HISTORY.cost)
    base = tiny_setting([np.inf, np.inf], 100)
    for explore, expected in ((0.0, 1), (2.0, 0)):
        policy = AdaptiveProgram(kinds=1, explore=explore)
        history = replace(HISTORY, quality=np.minimum(few, 0.5), cost=cost)  # the other model is right half of the time
        policy.reset(Setting(base.fleet, base.budgets, 100, history), np.random.default_rng(0))
        assert choices(policy, [np.inf, np.inf], 0, 1) == [expected]


@pytest.mark.parametrize("seed", [1, 2])
def test_budgets_last_to_the_end_and_buy_more_than_the_best_prediction_does(seed: int) -> None:
    workload = synthetic(n_queries=600, n_history=900, n_models=6, dim=16, seed=seed)
    scenario = Scenario(workload, OnePerModel(Instant()), Weighted(), Poisson(20), shuffled)
    policies = {"wise": AdaptiveProgram(), "greedy": BestPredicted(ExactNeighbours())}
    summary = compare(scenario, policies).set_index("policy")
    quality, cost = summary["quality"].to_dict(), summary["total_cost_usd"].to_dict()
    assert quality["wise"] > 1.3 * quality["greedy"]
    assert cost["wise"] > 0.9 * float(workload.test.cost_usd.sum(axis=0).min())  # the budget, nearly all of it
    assert summary["exhausted"].to_dict()["wise"] < 20
