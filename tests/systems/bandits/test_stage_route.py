"""StageRoute (arXiv 2506.17254): its programs by hand, and regret and overspending at the price of the budget.

Models arrive one by one while queries come. Scores are 0 or 1 and costs vary about their means, whatever the query.
"""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import linprog

from policies.bandits.stage_programs import best_shares, deployed
from policies.bandits.stage_route import StageRoute
from sim.interface import BoolArray, FloatArray
from tests.systems.driving import drive, setting_of
from tests.worlds import idle, tiny_query

BUDGET, SHARE = 0.4, 0.6  # the mean cost of a query, and the largest share of a model


class World(NamedTuple):
    """Means of the models, what each answer would be, and which models are there at each query."""

    mean_score: FloatArray
    mean_cost: FloatArray
    score: FloatArray
    cost: FloatArray
    there: BoolArray


def arriving(n_queries: int, n_models: int, seed: int) -> World:
    """Three models are there at the start, a cheap one among them, and the others come at even distances."""
    rng = np.random.default_rng(seed)
    mean_score = rng.uniform(0.3, 0.9, 64)[:n_models]
    mean_score[0] = 0.35
    mean_cost = np.clip(mean_score**2 + rng.normal(0, 0.05, 64)[:n_models], 0.05, 1.0)
    mean_cost[0] = 0.12
    score = (rng.random((n_queries, n_models)) < mean_score).astype(np.float64)
    cost = np.clip(mean_cost + rng.normal(0, 0.05, (n_queries, n_models)), 0.0, 1.0)
    from_query = np.arange(n_models) * n_queries // n_models
    from_query[:3] = 0
    return World(mean_score, mean_cost, score, cost, np.arange(n_queries)[:, None] >= from_query)


class Outcome(NamedTuple):
    """Regret against the best shares of the models there, what is overspent at its price, and the mean cost."""

    regret: float
    overspent: float
    cost: float

    @property
    def priced(self) -> float:
        return self.regret + self.overspent


def run(n_queries: int, seed: int, confidence: float = 0.03, cost_radii: float = 2.0, n_models: int = 15) -> Outcome:
    world = arriving(n_queries, n_models, seed)
    policy = StageRoute(
        BUDGET,
        most_deployed=6,
        share=SHARE,
        confidence=confidence,
        cost_radii=cost_radii,
        lowest_cost=0.0,
        highest_cost=1.0,
    )
    nothing = np.zeros((1, n_models))
    policy.reset(setting_of(np.zeros((1, 1)), nothing, nothing, n_queries), np.random.default_rng(seed))
    picks, _ = drive(policy, np.zeros((n_queries, 1)), world.score, world.cost, available=world.there)
    best, price = np.empty(n_queries), np.empty(n_queries)
    n_there = world.there.sum(axis=1)
    for n in np.unique(n_there):  # models come in their order
        shares, at = best_shares(world.mean_score[:n], world.mean_cost[:n], BUDGET, SHARE)
        best[n_there == n], price[n_there == n] = shares @ world.mean_score[:n], at
    regret = (best - world.mean_score[picks]).sum()
    overspent = (price * (world.mean_cost[picks] - BUDGET)).sum()
    return Outcome(float(regret), float(overspent), float(world.cost[np.arange(n_queries), picks].mean()))


def means(outcomes: list[Outcome]) -> Outcome:
    return Outcome(*np.mean(outcomes, axis=0).tolist())


def test_optimism_about_costs_overspends_so_that_regret_alone_is_negative() -> None:
    wide = means([run(2000, seed, confidence=0.1) for seed in range(3)])
    assert wide.cost > 1.2 * BUDGET
    assert wide.regret < -50
    assert wide.priced > 50
    plain = means([run(2000, seed, confidence=0.1, cost_radii=0.0) for seed in range(3)])
    assert plain.cost < 1.03 * BUDGET
    assert plain.regret > 0


@pytest.mark.slow
def test_regret_and_overspending_together_grow_about_like_the_power_two_thirds() -> None:
    sizes = (2000, 4000, 8000, 16000)
    outcomes = [means([run(size, seed) for seed in range(5)]) for size in sizes]
    assert all(outcome.regret < 0 < outcome.priced for outcome in outcomes)
    costs = [outcome.cost for outcome in outcomes]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] > BUDGET
    slope, _ = np.polyfit(np.log(sizes), np.log([outcome.priced for outcome in outcomes]), 1)
    assert 0.6 < slope < 0.8


@pytest.mark.slow
def test_while_models_keep_coming_faster_the_power_is_about_one_at_these_sizes() -> None:
    # The paper's bound is N^(1/3) T^(2/3), the power 0.78 where the number of models N grows like T^(1/3).
    sizes = {2000: 15, 4000: 19, 8000: 24, 16000: 30}
    outcomes = [means([run(size, seed, n_models=n) for seed in range(5)]) for size, n in sizes.items()]
    assert all(outcome.cost > 1.15 * BUDGET for outcome in outcomes)
    slope, _ = np.polyfit(np.log(list(sizes)), np.log([outcome.priced for outcome in outcomes]), 1)
    assert 0.9 < slope < 1.1


@pytest.mark.slow
def test_with_bounds_that_are_too_narrow_regret_grows_in_proportion() -> None:
    sizes = (2000, 16000)
    few, many = (means([run(size, seed, confidence=0.0003) for seed in range(5)]) for size in sizes)
    assert np.log(many.priced / few.priced) / np.log(8) > 0.9


@pytest.mark.parametrize("seed", range(40))
def test_the_best_shares_and_their_price_are_those_of_a_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, digits = int(rng.integers(1, 9)), (1, 9)[seed % 2]  # ties, or none
    reward, cost = rng.random(n).round(digits), rng.random(n).round(digits)
    budget, cap = float(rng.random()), float(rng.uniform(1 / n, 1))
    shares, price = best_shares(reward, cost, budget, cap)
    assert shares.sum() == pytest.approx(1)
    assert shares.max() <= cap + 1e-9
    one = {"A_eq": np.ones((1, n)), "b_eq": [1.0], "bounds": (0.0, cap)}
    solved = linprog(-reward, A_ub=cost[None, :], b_ub=[budget], **one)
    if solved.status == 2:  # no shares keep the budget
        assert price == np.inf
        assert shares @ cost == pytest.approx(linprog(cost, **one).fun)
    else:
        assert shares @ cost <= budget + 1e-9
        assert shares @ reward == pytest.approx(-solved.fun)
        assert price == pytest.approx(-solved.ineqlin.marginals[0], abs=1e-7)


def test_what_is_deployed_is_the_best_pair_that_keeps_the_budget_and_then_the_best_of_the_others() -> None:
    reward, cost = np.array([0.9, 0.8, 0.1, 0.5]), np.array([4.0, 3.0, 0.0, 1.0])
    # Of pairs within a mean cost of 2: 0 and 3 in halves of 1/3 and 2/3 have 0.633, 1 and 3 in halves have 0.65.
    assert deployed(reward, cost, 2.0, 1.0, 2) == [1, 3]
    assert deployed(reward, cost, 2.0, 1.0, 3) == [0, 1, 3]
    assert deployed(reward, cost, 9.0, 1.0, 2) == [0, 1]  # the first alone, and the best of the others
    assert deployed(reward, cost + 3.0, 2.0, 1.0, 2) == [0, 2]  # nothing keeps the budget: the cheapest
    assert deployed(reward, cost, 9.0, 0.5, 2) == [0, 1]
    assert deployed(reward, cost, 9.0, 1.0, 9) == [0, 1, 2, 3]


def test_a_model_that_arrives_waits_for_the_next_stage() -> None:
    policy = StageRoute(1.0, stages=2, most_deployed=2, lowest_cost=0.0, highest_cost=1.0)
    nothing = np.zeros((1, 3))
    policy.reset(setting_of(np.zeros((1, 1)), nothing, nothing, 20), np.random.default_rng(0))
    some, query = np.array([True, False, False]), tiny_query(0, [0.0] * 3, [0.0] * 3)
    seen = []
    for number in range(20):
        state = idle(3)._replace(available=some if number < 5 else np.ones(3, dtype=np.bool_))
        decision = policy.decide(query._replace(id=number), state)
        assert decision.deployment is not None
        seen.append({decision.deployment, *decision.fallbacks})
    assert seen[:10] == [{0}] * 10
    assert seen[10:] == [{0, 1}] * 10


def test_half_a_range_of_costs_and_an_unknown_spread_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lowest_cost is 0\.1 and highest_cost None; give both, or null for both"):
        StageRoute(lowest_cost=0.1)
    with pytest.raises(ValueError, match="spread is 'median'; it must be one of mean, variance"):
        StageRoute(spread="median")
