"""The optimum on chances: what luck is, that no policy beats it in expectation, and that nobody sees it in a run."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Amounts, Weighted
from scenarios.fleets import Listed, OnePerModel
from scenarios.orders import given, shuffled
from scenarios.workloads.synthetic import synthetic
from sim.assignment.certified import certified
from sim.deployment import Deployment
from sim.instance import realise, stream
from sim.interface import Estimates, Features, History, Policy, Query
from sim.scenario import Scenario
from sim.study.experiment import EstimateCache, Oracle, compare
from sim.study.explain.explanation import explanations
from sim.study.replay import Replay, Watched, planned
from sim.workload import Workload
from sim.world.services.slots import Instant
from sim.world.world import simulate
from tests.configured import NAMES, configured_policy
from tests.scripted import At, Scripted
from tests.worlds import MODELS, tiny_rows

INF = float("inf")
BOTH = Oracle(("optimum",))


@dataclass(frozen=True, eq=False)
class Told:
    """An estimator that was told what to say of each tiny row, which its input tokens number; every cost is 1."""

    quality: npt.ArrayLike

    def fit(self, history: History) -> "Told":
        return self

    def predict(self, features: Features) -> Estimates:
        said = np.array(self.quality, float)[features.input_tokens // 10 - 1]
        return Estimates(said, np.ones_like(said))


def coins(
    fell: Sequence[Sequence[float]],
    chances: npt.ArrayLike,
    budgets: Sequence[float],
    cost_usd: npt.ArrayLike | None = None,
) -> Scenario:
    """Queries that cost 1 USD, unless it is said otherwise, and whose scores fell as written."""
    rows = tiny_rows(fell, np.ones_like(fell) if cost_usd is None else cost_usd)
    rows = replace(rows, expected_quality=np.array(chances, dtype=np.float64))
    names = MODELS[: rows.quality.shape[1]]
    fleet = Listed([Deployment(name, name, Instant()) for name in names])
    return Scenario(Workload(names, rows, rows), fleet, Amounts(budgets), At(tuple(range(len(fell)))), given)


def terms(scenario: Scenario, policy: Policy) -> dict[str, float]:
    """Return the terms that are not 0, to three digits, since optima are known to a gap of 1e-4."""
    [explanation] = explanations(scenario, {"one": policy}, seed=0, replications=1, moments=1)
    found = dict(zip(explanation.quality["term"], explanation.quality["quality"], strict=True))
    return {term: round(value, 3) for term, value in found.items() if round(value, 3) != 0}


def deciding(script: Sequence[object], quality_hat: npt.ArrayLike) -> Scripted:
    policy = Scripted(script)
    policy.estimator = Told(quality_hat)
    return policy


# --- luck and error, by hand


def test_what_only_the_fall_of_coins_could_tell_is_luck() -> None:
    # The optimum takes the coin that falls right, twice; whoever knows the chances gets one of two.
    half = [[0.5, 0.5], [0.5, 0.5]]
    world = coins([[1, 0], [0, 1]], half, [INF, INF])
    assert terms(world, deciding([0, 0], half)) == {"optimum": 2, "luck_of_outcomes": 1, "achieved": 1}


def test_luck_of_the_run_itself_is_luck_too() -> None:
    half = [[0.5, 0.5], [0.5, 0.5]]
    world = coins([[1, 0], [0, 1]], half, [INF, INF])
    assert terms(world, deciding([0, 1], half)) == {"optimum": 2, "achieved": 2}
    assert terms(world, deciding([1, 0], half)) == {"optimum": 2, "luck_of_outcomes": 2}


@pytest.mark.parametrize(("fell", "luck"), [([1, 0], 1 - 0.5), ([1, 1], -0.5), ([0, 1], 0 - 0.5), ([0, 0], -0.5)])
def test_a_wrong_choice_is_the_same_error_however_the_coins_fall(fell: list[float], luck: float) -> None:
    # The policy takes the coin of chance 0.2 for the better one, which has 0.7.
    world = coins([fell], [[0.7, 0.2]], [INF, INF])
    found = terms(world, deciding([1], [[0.1, 0.9]]))
    assert found["estimation_error"] == 0.5
    assert found.get("luck_of_outcomes", 0) == pytest.approx(luck)


def test_where_the_chances_are_not_known_luck_stays_in_the_error() -> None:
    world = coins([[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], [INF, INF])
    rows = replace(world.workload.test, expected_quality=None)
    unknown = replace(world, workload=Workload(world.workload.models, rows, rows))
    found = terms(unknown, deciding([0, 0], [[0.5, 0.5], [0.5, 0.5]]))
    assert found == {"optimum": 2, "estimation_error_with_luck": 1, "achieved": 1}


def test_what_costs_turn_out_to_be_is_luck() -> None:
    # The budget of 1 USD pays either query by what is expected; the first, of chance 0.9, turns out to cost 2 USD.
    world = coins([[1], [1]], [[0.9], [0.5]], [1.0], cost_usd=[[2.0], [1.0]])
    rows = replace(world.workload.test, expected_cost_usd=np.array([[1.0], [1.0]]))
    world = replace(world, workload=Workload(world.workload.models, rows, rows))
    found = terms(world, deciding([0, None], [[0.9], [0.5]]))
    assert found["optimum"] == pytest.approx(1.0)
    assert found["luck_of_outcomes"] == pytest.approx(1.0)  # the plan on what is expected is refused as well
    assert set(found) == {"optimum", "luck_of_outcomes"}


class Corrected(Scripted):
    """Knows better than its estimator, and says so."""

    def believes(self, query: Query) -> Estimates:
        return Estimates(np.array([0.7, 0.2]), query.cost_hat)


def test_a_policy_that_corrects_its_estimates_is_held_to_what_it_believed() -> None:
    world = coins([[1, 0]], [[0.7, 0.2]], [INF, INF])
    wrong = [[0.1, 0.9]]
    assert terms(world, deciding([0], wrong))["estimation_error"] == 0.5
    policy = Corrected([0])
    policy.estimator = Told(wrong)
    assert "estimation_error" not in terms(world, policy)


def test_steward_believes_its_estimator_until_it_has_learned() -> None:
    workload = synthetic(n_queries=200, n_history=100, n_models=4, dim=8, seed=1)
    instance = realise(Scenario(workload, OnePerModel(Instant()), Weighted(), Poisson(20), given), 0, 0)
    policy = configured_policy("steward")
    predicted = EstimateCache().get(policy.estimator, instance)
    watched = Watched(policy, asks=True)
    simulate("steward", watched, instance, predicted, stream(0, 0, "policy"))
    believed = watched.estimates()
    assert np.array_equal(believed.quality[0], predicted.quality[instance.rows[0]])
    moved = np.abs(believed.quality - predicted.quality[instance.rows]).max(axis=1)
    assert moved[-50:].mean() > 0.01


# --- the ratio


def test_coins_of_a_half_give_what_was_expected_in_the_mean_of_all_their_falls() -> None:
    # The budget pays one of two queries: 0.5 is expected of any choice, and 0.75 of who sees the coins.
    falls = [coins([[first], [second]], [[0.5], [0.5]], [1.0]) for first, second in itertools.product((0, 1), repeat=2)]
    policies = {"first": Scripted([0, None]), "second": Scripted([None, 0]), "greedy": Scripted([0, 0])}
    runs = pd.concat([compare(world, policies, oracle=BOTH) for world in falls])
    means = runs.groupby("policy")["bayes_ratio"].mean()
    assert means.to_dict() == pytest.approx({"first": 1, "second": 1, "greedy": 1, "optimum": 0.75 / 0.5}, rel=1e-3)
    assert not (runs["optimum_ratio"] > 1).any()


def test_costs_are_true_ones_because_a_budget_refuses_what_it_cannot_pay() -> None:
    # Each of two queries costs 0.5 or 9.5 USD, 5 in the mean, so that by expectation 1 USD pays a fifth of one. Sent
    # there anyway they bring 1 in the mean, as the dear ones are refused and cost nothing.
    worlds = [coins([[1], [1]], [[1], [1]], [1.0], [[a], [b]]) for a, b in itertools.product((0.5, 9.5), repeat=2)]
    runs = pd.concat([compare(world, {"all": Scripted([0, 0])}, oracle=BOTH) for world in worlds])
    quality = runs.loc[runs["policy"] == "all", "quality"].mean()
    assert quality == 1
    assert certified(np.ones((2, 1)), np.full((2, 1), 5.0), np.array([1.0])).upper == pytest.approx(0.2, rel=1e-3)
    assert runs["bayes_ratio"].max() <= 1 + 1e-9


def test_without_chances_without_the_optimum_or_without_a_bound_there_is_no_ratio() -> None:
    half = [[0.5], [0.5]]
    world = coins([[1], [0]], half, [1.0])
    policies = {"first": Scripted([0, None])}
    assert compare(world, policies)["bayes_ratio"].isna().all()
    assert compare(replace(world, reserve="estimate"), policies, oracle=BOTH)["bayes_ratio"].isna().all()
    rows = replace(world.workload.test, expected_quality=None)
    unknown = replace(world, workload=Workload(world.workload.models, rows, rows))
    assert compare(unknown, policies, oracle=BOTH)["bayes_ratio"].isna().all()


SEEDS = range(6)


@cache
def drawn(seed: int) -> Scenario:
    """A small synthetic world, with other coins for each seed."""
    workload = synthetic(n_queries=150, n_history=100, n_models=3, dim=8, seed=seed)
    return Scenario(workload, OnePerModel(Instant()), Weighted(total=1.0), Poisson(20), shuffled)


@pytest.mark.parametrize("name", NAMES)
def test_no_policy_beats_the_optimum_on_chances_in_the_mean(name: str) -> None:
    runs = pd.concat([compare(drawn(seed), {name: configured_policy(name)}, oracle=BOTH) for seed in SEEDS])
    of_policy = runs[runs["policy"] == name]
    error = of_policy["bayes_ratio"].std() / np.sqrt(len(of_policy))
    assert of_policy["bayes_ratio"].mean() <= 1 + 3 * error
    assert (of_policy["optimum_ratio"] <= 1).all()
    assert (runs.loc[runs["policy"] == "optimum", "bayes_ratio"] > 1.2).all()  # who sees the coins beats it by far


def test_the_plan_on_chances_reaches_what_it_promises_in_the_mean() -> None:
    found = []
    for seed in range(30):
        scenario = replace(drawn(seed), order=given)
        instance = realise(scenario, 0, 0)
        assert instance.expected is not None
        plan = certified(instance.expected.quality, instance.cost, instance.setting.budgets).bound.plan
        runs = compare(scenario, {"plan": Replay(planned(plan))}, oracle=BOTH).set_index("policy")
        found.append(float(runs.loc["plan", "bayes_ratio"]))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert error < 0.02
    assert abs(np.mean(found) - 1) < 3 * error + 0.02  # a plan rounds at most three queries of about 60
