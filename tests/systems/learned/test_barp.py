"""BaRP (arXiv 2510.07429): one policy for every preference, beside five that are each trained for one."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from policies.learned.barp import BaRP, capped_cost
from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.instance import realise
from sim.interface import Features, FloatArray, History, Setting, State
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.workload import Workload
from sim.world.record import frame
from sim.world.services.slots import Instant
from sim.world.world import simulate
from tests.worlds import idle, tiny_query, tiny_setting

# --- a history of two models by hand


def setting(quality: FloatArray, cost: FloatArray) -> Setting:
    """Queries that nothing tells apart, with these outcomes (n_history, n_deployments)."""
    n, n_deployments = quality.shape
    features = Features(np.zeros((n, 2), dtype=np.float32), np.ones(n, dtype=np.int64))
    return replace(tiny_setting([np.inf] * n_deployments, 10), history=History(features, quality, cost))


def choice(policy: BaRP, preference: float, state: State | None = None, n_deployments: int = 2) -> int | None:
    """Where a query with this preference goes."""
    query = tiny_query(0, [0.5] * n_deployments, [1.0] * n_deployments)._replace(preference=preference)
    return policy.decide(query, state or idle(n_deployments)).deployment


SMALL_AND_LARGE = setting(np.tile([0.4, 1.0], (200, 1)), np.tile([1.0, 5.0], (200, 1)))


def test_a_cost_of_one_is_the_mean_in_a_unit_and_nothing_counts_as_more() -> None:
    of = replace(SMALL_AND_LARGE.history, cost=np.tile([[1.5, 4.0], [1.5, 5.0]], (100, 1)))
    assert capped_cost(of, None)[:2].tolist() == [[0.5, 1.0], [0.5, 1.0]]
    assert capped_cost(of, 5.0)[:2] == pytest.approx(np.array([[0.3, 0.8], [0.3, 1.0]]))
    assert capped_cost(replace(of, units=("usd", "tokens")), None)[0] == pytest.approx([1.0, 4.0 / 4.5])


def test_it_changes_over_where_the_dearer_answer_is_worth_its_cost() -> None:
    # 0.4 w - (1 - w) / 3 is below w - (1 - w) where w is above 10/19: 0.526.
    policy = BaRP(steps=300)
    policy.reset(SMALL_AND_LARGE, np.random.default_rng(0))
    assert [choice(policy, w) for w in (0.0, 0.25, 0.4, 0.65, 0.85, 1.0)] == [0, 0, 0, 1, 1, 1]


def test_a_preference_of_its_own_stands_in_the_place_of_the_queries() -> None:
    for preference, chosen in ((0.0, 0), (1.0, 1)):
        policy = BaRP(preference=preference, steps=300)
        policy.reset(SMALL_AND_LARGE, np.random.default_rng(0))
        assert {choice(policy, w) for w in (0.0, 0.5, 1.0)} == {chosen}


def test_what_is_not_available_or_was_never_seen_is_not_chosen() -> None:
    quality, cost = (
        np.column_stack([of, np.full(200, np.nan)]) for of in (np.tile([0.4, 1.0], (200, 1)), np.ones((200, 2)))
    )
    policy = BaRP(steps=300)
    policy.reset(setting(quality, cost), np.random.default_rng(0))
    assert choice(policy, 1.0, n_deployments=3) == 1
    down = idle(3)._replace(available=np.array([True, False, True]))
    assert choice(policy, 1.0, down, n_deployments=3) == 0


def test_the_same_random_numbers_train_the_same_policy() -> None:
    first, second = BaRP(steps=10), BaRP(steps=10)
    for policy in (first, second):
        policy.reset(SMALL_AND_LARGE, np.random.default_rng(7))
    assert [choice(first, w) for w in np.linspace(0, 1, 9)] == [choice(second, w) for w in np.linspace(0, 1, 9)]


def test_a_preference_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"preference is 1\.5; it must be from 0 to 1, or null for each query's own"):
        BaRP(preference=1.5)
    with pytest.raises(ValueError, match=r"trained_for is -0\.1; it must be from 0 to 1, or null for all preferences"):
        BaRP(trained_for=-0.1)


# --- the claim

PREFERENCES = (0.0, 0.25, 0.5, 0.75, 1.0)
SOURCE = synthetic(n_queries=1000, n_history=3000, dim=32, seed=6)


def with_preferences(preferences: FloatArray) -> Scenario:
    """All queries once for each preference, in turn."""
    rows = np.repeat(np.arange(len(SOURCE.test)), len(preferences))
    test = replace(SOURCE.test.take(rows), preference=np.tile(preferences, len(SOURCE.test)))
    of = Workload(SOURCE.models, SOURCE.history, test)
    return Scenario(of, OnePerModel(Instant()), Unlimited(), Deterministic(1.0), given)


@cache
def by_preference(trained_for: float | None) -> pd.DataFrame:
    """Mean quality, cost and reward of one trained policy at each preference (or at that it is trained for)."""
    preferences = np.array(PREFERENCES if trained_for is None else [trained_for])
    of = with_preferences(preferences)
    instance = realise(of, 0, 0)
    policy = BaRP(trained_for=trained_for)
    table = simulate("p", policy, instance, EstimateCache().get(None, instance), np.random.default_rng(0))
    requests = frame(table, instance)
    cap = SOURCE.history.cost_usd.mean()
    requests["preference"] = np.tile(preferences, len(SOURCE.test))
    w, cost = requests["preference"], np.minimum(requests["cost_usd"] / cap, 1.0)
    requests["reward"] = w * requests["quality"] - (1 - w) * cost
    return requests.groupby("preference")[["quality", "cost_usd", "reward"]].mean()


def test_cost_and_quality_of_one_policy_rise_with_the_preference_for_quality() -> None:
    found = by_preference(None)
    assert found["quality"].is_monotonic_increasing
    assert found["cost_usd"].is_monotonic_increasing
    assert found["cost_usd"].iloc[-1] > 10 * found["cost_usd"].iloc[0]


@pytest.mark.slow
def test_one_policy_is_about_as_good_at_each_preference_as_one_trained_for_it_alone() -> None:
    found = by_preference(None)["reward"]
    for preference in PREFERENCES:
        assert found[preference] > by_preference(preference)["reward"].iloc[0] - 0.02


def test_it_is_above_the_best_single_model_where_quality_and_cost_both_count() -> None:
    cap = SOURCE.history.cost_usd.mean()
    cost = np.minimum(SOURCE.test.cost_usd / cap, 1.0)
    found = by_preference(None)["reward"]
    for w in (0.25, 0.5, 0.75):
        assert found[w] > (w * SOURCE.test.quality - (1 - w) * cost).mean(axis=0).max()
