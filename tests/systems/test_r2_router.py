"""R2-Router (arXiv 2602.02823): its regressor, its rule by hand, and what choosing the length of an answer gains."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from policies.estimators.neighbours import ExactNeighbours
from policies.estimators.plain_ridge import PlainRidge
from policies.learned.r2_router import R2Router
from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.instance import Instance, realise
from sim.interface import Decision
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.world.record import frame
from sim.world.services.slots import Instant
from sim.world.world import simulate
from tests.caps.capped import world
from tests.worlds import idle, tiny_query

NEAREST = ExactNeighbours(k=1)


# --- the regressor


@pytest.mark.parametrize("penalty", [0.5, 10.0])
def test_quality_at_every_cap_is_the_ridge_regression_of_scikit_learn(penalty: float) -> None:
    history = realise(scenario(), 0, 0).setting.history
    assert history.capped is not None
    embeddings = history.features.embeddings.astype(np.float64)
    seen = replace(history.features, embeddings=3 * history.features.embeddings)  # far out, so that some are clipped
    for place in range(len(history.capped.caps)):
        ours = PlainRidge(penalty).fit(history.at_cap(place)).predict(seen)
        theirs = Ridge(alpha=penalty).fit(embeddings, history.capped.quality[..., place])
        expected = np.clip(theirs.predict(seen.embeddings.astype(np.float64)), 0.0, 1.0)
        assert ours.quality == pytest.approx(expected, abs=1e-9)
    assert (ours.quality == 0).any()


def test_no_answer_is_predicted_to_cost_less_than_the_cheapest_of_the_history() -> None:
    history = realise(scenario(), 0, 0).setting.history
    short = replace(history.features, input_tokens=np.zeros_like(history.features.input_tokens))
    cost = PlainRidge().fit(history).predict(replace(short, embeddings=50 * short.embeddings)).cost
    assert (cost == history.cost.min(axis=0)).any()
    assert (cost >= history.cost.min(axis=0)).all()


def test_a_cost_by_the_token_is_found_whatever_the_query_says() -> None:
    history = realise(scenario(), 0, 0).setting.history
    tokens = history.features.input_tokens
    by_token = replace(history, cost=np.column_stack([tokens * price + 7 * price for price in (1.0, 2.0, 5.0)]))
    assert PlainRidge().fit(by_token).predict(history.features).cost == pytest.approx(by_token.cost, rel=1e-2)


# --- the rule


@pytest.mark.parametrize(
    ("cost_share", "choice"),
    [
        (0.0, Decision(1)),  # the whole answer of b is worth 1.0
        (1 / 3, Decision(0)),  # (2 x 0.8 - 1.1) / 3 of a; the next best is (2 x 0.4 - 0.6) / 3 of b at 20
        (0.475, Decision(1, max_output_tokens=20)),  # 0.525 x 0.4 - 0.475 x 0.6 = -0.075 of b; of a -0.09 at 20, -0.1
        (1.0, Decision(0, max_output_tokens=20)),  # the cheapest of all
    ],
)
def test_the_best_of_weighed_quality_and_cost_is_taken(cost_share: float, choice: Decision) -> None:
    policy = R2Router(NEAREST, cost_share)
    policy.reset(world(2).setting, np.random.default_rng(0))
    assert policy.decide(tiny_query(0, [0.8, 1.0], [1.1, 2.2]), idle(2)) == choice


def test_of_equals_a_cap_comes_before_the_whole_answer_and_the_first_model_before_the_next() -> None:
    setting = world(2).setting
    capped = setting.history.capped
    assert capped is not None
    alike = replace(capped, quality=np.full_like(capped.quality, 0.5), cost=np.ones_like(capped.cost))
    policy = R2Router(NEAREST, 0.5)
    policy.reset(replace(setting, history=replace(setting.history, capped=alike)), np.random.default_rng(0))
    assert policy.decide(tiny_query(0, [0.5, 0.5], [1.0, 1.0]), idle(2)) == Decision(0, max_output_tokens=20)
    whole_of_a = tiny_query(0, [0.75, 0.75], [1.0, 1.0])
    assert policy.decide(whole_of_a, idle(2)) == Decision(0)


def test_where_answers_cannot_be_cut_it_chooses_among_whole_ones() -> None:
    setting = world(2).setting
    policy = R2Router(NEAREST, 0.475)
    policy.reset(replace(setting, history=setting.history.at_cap(0)), np.random.default_rng(0))
    assert policy.decide(tiny_query(0, [0.8, 1.0], [1.1, 2.2]), idle(2)) == Decision(0)


@pytest.mark.parametrize("cost_share", [-0.1, 1.5])
def test_a_weight_outside_0_and_1_is_refused(cost_share: float) -> None:
    with pytest.raises(ValueError, match="cost_share is"):
        R2Router(NEAREST, cost_share)


# --- the claim


def scenario(cap_curve: float | None = 3.0) -> Scenario:
    """Three models, free of budgets and clocks."""
    of = synthetic(n_queries=300, n_history=600, n_models=3, dim=8, seed=3, cap_curve=cap_curve)
    return Scenario(of, OnePerModel(Instant()), Unlimited(), Deterministic(1.0), given)


def spent(instance: Instance, cost_share: float) -> tuple[float, float]:
    """Mean score and total cost of a run."""
    policy = R2Router(PlainRidge(), cost_share)
    estimates = EstimateCache().get(policy.estimator, instance)
    requests = frame(simulate("p", policy, instance, estimates, np.random.default_rng(0)), instance)
    return float(requests["quality"].mean()), float(requests["cost_usd"].sum())


def test_a_larger_weight_of_cost_costs_less() -> None:
    capped = realise(scenario(), 0, 0)
    costs = [spent(capped, cost_share)[1] for cost_share in (0.0, 0.9, 0.99, 0.999, 0.9999, 1.0)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0] / 4


@pytest.mark.parametrize(("cost_share", "at_most"), [(0.99, 0.85), (0.998, 0.75), (0.999, 0.75)])
def test_where_answers_say_early_what_they_say_better_ones_cost_less_with_caps(
    cost_share: float, at_most: float
) -> None:
    with_caps, without = (spent(realise(scenario(cap_curve), 0, 0), cost_share) for cap_curve in (30.0, None))
    assert with_caps[0] > without[0]
    assert with_caps[1] < at_most * without[1]
