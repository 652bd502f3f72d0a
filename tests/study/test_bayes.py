"""The optimum on chances: what luck is, that no policy beats it in expectation, and that nobody sees it in a run."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Amounts, Weighted
from scenarios.fleets import Listed, OnePerModel
from scenarios.orders import given, shuffled
from scenarios.workloads.hard import greedy_half
from scenarios.workloads.synthetic import synthetic
from sim.assignment.certified import certified
from sim.deployment import Deployment
from sim.instance import realise, stream
from sim.interface import Estimates, Features, History, Policy, Query, reviews
from sim.scenario import Scenario
from sim.study.experiment import compare
from sim.study.explain.explanation import explanations
from sim.study.oracles import EstimateCache, Oracle
from sim.study.replay import Replay, Watched, planned
from sim.workload import Workload
from sim.world.services.slots import Instant
from sim.world.world import simulate
from tests.configured import MOST_SLOW, configured_policy
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


# --- what a workload knows


def test_of_coins_with_nearly_the_same_chance_as_many_fall_as_is_expected() -> None:
    test = synthetic(n_queries=20_000, n_history=10, dim=2, seed=5).test
    assert test.expected_quality is not None
    assert test.expected_quality.mean(axis=0) == pytest.approx(test.quality.mean(axis=0), abs=1e-9)  # set by the draw
    band = (test.expected_quality * 10).astype(int)
    for k in range(10):
        chance, score = test.expected_quality[band == k], test.quality[band == k]
        error = np.sqrt((chance * (1 - chance)).sum()) / len(chance)
        assert abs(score.mean() - chance.mean()) < 4 * error


def test_answers_and_costs_are_as_long_and_dear_as_is_expected_of_easy_and_of_hard_queries() -> None:
    test = synthetic(n_queries=20_000, n_history=10, dim=2, seed=5).test
    for expected, came in (
        (test.expected_output_tokens, test.output_tokens),
        (test.expected_cost_usd, test.cost_usd),
    ):
        assert expected is not None
        assert came is not None
        for k in range(came.shape[1]):
            for part in np.array_split(np.argsort(expected[:, k], kind="stable"), 5):
                assert came[part, k].mean() == pytest.approx(expected[part, k].mean(), rel=0.03)


def test_expectations_follow_their_rows_into_a_replication_and_its_fleet() -> None:
    workload = synthetic(n_queries=60, n_history=40, n_models=3, dim=4, seed=1)
    test = workload.test
    assert test.expected_quality is not None
    assert test.expected_output_tokens is not None
    taken = test.take(np.array([7, 3])).expected_quality
    assert taken is not None
    assert np.array_equal(taken, test.expected_quality[[7, 3]])
    names = [workload.models[2], workload.models[0]]
    priced = Deployment(
        names[0], names[0], Instant(), price_input_usd_per_million=0.0, price_output_usd_per_million=2e6
    )
    fleet = Listed([priced, Deployment(names[1], names[1], Instant())])
    instance = realise(
        Scenario(workload, fleet, Amounts([1.0, 9.0], unit=["usd", "tokens"]), Poisson(1.0), given), 0, 0
    )
    assert instance.expected is not None
    assert np.array_equal(instance.expected.quality, test.expected_quality[:, [2, 0]])
    assert instance.expected.cost[:, 0] == pytest.approx(2 * test.expected_output_tokens[:, 2])
    assert instance.expected.cost[:, 1] == pytest.approx(test.input_tokens + test.expected_output_tokens[:, 0])


def test_of_a_hard_instance_what_comes_is_expected() -> None:
    test = greedy_half(budget=5).test
    assert test.expected_quality is not None
    assert np.array_equal(test.expected_quality, test.quality)


BAD = {
    "a chance above 1": ("expected_quality", 1.5, "the expected score of model 'small' is 1.5 in test row 0"),
    "a cost below 0": ("expected_cost_usd", -1.0, "the expected cost of model 'small' is -1.0 in test row 0"),
    "endless tokens": (
        "expected_output_tokens",
        INF,
        "the expected output tokens of model 'small' is inf in test row 0",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_an_expectation_that_cannot_be_right_is_refused(what: str) -> None:
    name, value, message = BAD[what]
    rows = tiny_rows([[1.0]], [[1.0]])
    wrong: dict[str, Any] = {name: np.array([[value]])}
    too_long: dict[str, Any] = {name: np.zeros((2, 1))}
    with pytest.raises(ValueError, match=message):
        Workload(("small",), rows, replace(rows, **wrong))
    with pytest.raises(ValueError, match=rf"test {name} has shape \(2, 1\), not \(1, 1\)"):
        Workload(("small",), rows, replace(rows, **too_long))


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


@pytest.mark.parametrize("name", MOST_SLOW)
def test_no_policy_beats_the_optimum_on_chances_in_the_mean(name: str) -> None:
    runs = pd.concat([compare(drawn(seed), {name: configured_policy(name)}, oracle=BOTH) for seed in SEEDS])
    of_policy = runs[runs["policy"] == name]
    error = of_policy["bayes_ratio"].std() / np.sqrt(len(of_policy))
    if reviews(configured_policy(name)):  # it sees confidences, which tell of scores
        assert of_policy["bayes_ratio"].isna().all()
    else:
        assert of_policy["bayes_ratio"].mean() <= 1 + 3 * error
    assert (of_policy["optimum_ratio"] <= 1).all()
    assert (runs.loc[runs["policy"] == "optimum", "bayes_ratio"] > 1.2).all()  # who sees the coins beats it by far


@pytest.mark.slow
def test_the_plan_on_chances_reaches_what_it_promises_in_the_mean() -> None:
    found = []
    for seed in range(30):
        scenario = replace(drawn(seed), order=given)
        instance = realise(scenario, 0, 0)
        assert instance.expected is not None
        plan = certified(instance.expected.quality, instance.cost, instance.setting.budgets).bound.plan
        runs = compare(scenario, {"plan": Replay(planned(plan))}, oracle=BOTH)
        found += runs.loc[runs["policy"] == "plan", "bayes_ratio"].tolist()
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert error < 0.02
    assert abs(np.mean(found) - 1) < 3 * error + 0.02  # a plan rounds at most three queries of about 60
