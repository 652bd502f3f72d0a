"""The hard instances, small enough to check by hand, and as the command line composes them."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from policies.estimators.learned import Learned
from policies.estimators.neighbours import ExactNeighbours
from scenarios.arrivals import Deterministic
from scenarios.budgets import Each, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.hard import adwords_triangular, greedy_half, long_then_short, rising_density
from sim.assignment.program import linear_program
from sim.cli.main import main
from sim.instance import realise
from sim.interface import Estimator, Features, History
from sim.scenario import BudgetBasis, Scenario
from sim.study.oracles import EstimateCache
from sim.workload import Workload
from sim.world.services.slots import Instant

INSTANCES = {
    "adwords_triangular": adwords_triangular(n_deployments=5, budget=4),
    "greedy_half": greedy_half(budget=4),
    "rising_density": rising_density(levels=4, budget=4),
    "long_then_short": long_then_short(n_long=8, budget=4, length=2),
}


def optimum(workload: Workload, budget: float) -> float:
    """The hindsight optimum with this budget everywhere."""
    return linear_program(workload.test.quality, workload.test.cost_usd, np.full(len(workload.models), budget)).value


def test_in_the_triangle_bidders_drop_out_one_by_one() -> None:
    bids = adwords_triangular(n_deployments=3, budget=2).test.quality
    assert bids.sum(axis=1).tolist() == [3, 3, 2, 2, 1, 1]  # who bids in rounds 1, 2 and 3, two queries each
    assert sorted(bids.sum(axis=0)) == [2, 4, 6]
    assert (np.diff(bids[::2], axis=0) <= 0).all()  # nobody comes back


def test_the_triangle_is_relabelled_by_its_seed() -> None:
    first, again, other = (adwords_triangular(n_deployments=9, budget=1, seed=s).test.quality for s in (0, 0, 1))
    assert (first == again).all()
    assert not (first == other).all()


@pytest.mark.parametrize("n_deployments", [1, 2, 5])
def test_in_hindsight_the_triangle_uses_every_budget_up(n_deployments: int) -> None:
    assert optimum(adwords_triangular(n_deployments, budget=4), 4) == pytest.approx(4 * n_deployments)


@pytest.mark.parametrize("name", ["adwords_triangular", "greedy_half"])
def test_in_adwords_instances_value_is_spend(name: str) -> None:
    rows = INSTANCES[name].test
    assert (rows.quality == rows.cost_usd).all()


def test_greedys_instance_is_two_queries_for_both_and_two_for_the_first() -> None:
    workload = greedy_half(budget=2)
    assert workload.test.quality.tolist() == [[1, 1], [1, 1], [1, 0], [1, 0]]
    assert optimum(workload, 2) == pytest.approx(4)


def test_density_doubles_up_to_one_and_may_stop_before() -> None:
    assert rising_density(levels=3, budget=2, stop=3).test.quality.ravel().tolist() == [0.25, 0.25, 0.5, 0.5, 1, 1]
    workload = rising_density(levels=3, budget=2, stop=2)
    assert workload.test.quality.ravel().tolist() == [0.25, 0.25, 0.5, 0.5, 0, 0]  # as many, whatever the stop
    assert optimum(workload, 2) == pytest.approx(1.0)
    assert sorted(set(workload.history.quality.ravel())) == [0, 0.25, 0.5, 1]  # what might have come is known


def test_every_level_may_be_the_last() -> None:
    lasts = {int((rising_density(levels=3, budget=1, seed=seed).test.quality > 0).sum()) for seed in range(30)}
    assert lasts == {1, 2, 3}


def test_long_queries_come_first_and_are_worth_less_per_dollar() -> None:
    workload = long_then_short(n_long=2, budget=3, length=10, worth=0.5)
    assert workload.test.cost_usd.ravel().tolist() == [10, 10, 1, 1, 1]
    assert workload.test.quality.ravel().tolist() == [0.5, 0.5, 1, 1, 1]
    assert optimum(workload, 3) == pytest.approx(3)  # the short ones


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("name", INSTANCES)
def test_exact_neighbours_know_the_truth(name: str, k: int) -> None:
    history, test = INSTANCES[name].history, INSTANCES[name].test
    if INSTANCES[name].tells_on_arrival:
        return  # nothing has to be predicted
    known = History(Features(history.embeddings, history.input_tokens), history.quality, history.cost_usd)
    predicted = ExactNeighbours(k).fit(known).predict(Features(test.embeddings, test.input_tokens))
    assert (predicted.quality == test.quality).all()
    assert (predicted.cost == test.cost_usd).all()


@pytest.mark.parametrize("estimator", [ExactNeighbours(k=1), Learned("ridge")])
def test_in_the_triangle_a_query_tells_its_bids_on_arrival_whatever_the_estimator(estimator: Estimator) -> None:
    workload = INSTANCES["adwords_triangular"]
    scenario = Scenario(workload, OnePerModel(Instant()), Each(4), Deterministic(1.0), given)
    instance = realise(scenario, seed=0, replication=0)
    estimates = EstimateCache().get(estimator, instance)
    assert (estimates.quality == workload.test.quality).all()
    assert (estimates.cost == workload.test.cost_usd).all()
    means = EstimateCache().get(None, instance)  # of the history, for a policy without an estimator
    assert (means.quality[0] == instance.setting.history.quality.mean(axis=0)).all()


def test_the_history_of_the_triangle_is_one_like_it_with_other_numbers() -> None:
    histories = [adwords_triangular(n_deployments=4, budget=1, seed=seed) for seed in range(20)]
    for workload in histories:
        assert sorted(workload.history.quality.sum(axis=0)) == [5, 10, 15, 20]  # five copies of each round
    alike = sum(
        np.array_equal(np.argsort(one.history.quality.sum(axis=0)), np.argsort(one.test.quality.sum(axis=0)))
        for one in histories
    )
    assert alike <= 4  # one in 24 by chance


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: adwords_triangular(n_deployments=0), "workload.n_deployments is 0; it must be from 1 to 1000000"),
        (lambda: greedy_half(budget=0), "workload.budget is 0; it must be from 1 to 1000000"),
        (lambda: rising_density(levels=0), "workload.levels is 0; it must be from 1 to 1000000"),
        (lambda: rising_density(levels=3, stop=4), "workload.stop is 4; it must be from 1 to 3, or null to draw it"),
        (lambda: rising_density(levels=3, stop=0), "workload.stop is 0; it must be from 1 to 3, or null to draw it"),
        (lambda: long_then_short(n_long=0), "workload.n_long is 0; it must be from 1 to 1000000"),
        (lambda: long_then_short(worth=1.5), "workload.worth is 1.5; it must be above 0 and at most 1"),
        (lambda: long_then_short(worth=math.nan), "workload.worth is nan; it must be above 0 and at most 1"),
        (lambda: Each(-1.0), "budget.amount is -1.0; give every deployment at least 0"),
        (lambda: Each(math.nan), "budget.amount is nan; give every deployment at least 0"),
    ],
)
def test_an_instance_that_cannot_be_is_refused(make: type, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_each_deployment_gets_the_amount() -> None:
    basis = BudgetBasis(("a", "b"), np.ones(2), np.ones(2), 1.0)
    assert Each(3).amounts(basis, np.random.default_rng(0)).tolist() == [3, 3]


def test_free_and_useless_pairs_leave_the_published_splits_defined() -> None:
    # Nobody's bids are all 0 in the triangle, so its mean costs are positive.
    history = INSTANCES["adwords_triangular"].history
    basis = BudgetBasis(("a",) * 5, history.quality.mean(axis=0), history.cost_usd.mean(axis=0), 1.0)
    assert np.isfinite(Weighted().amounts(basis, np.random.default_rng(0))).all()


# --- from the command line


def compared(out: Path, *words: str) -> "pd.Series[float]":
    """The optimum_ratio of each policy."""
    assert main(["compare", "replications=1", "oracle.names=[optimum]", *words, f"out={out}", "--no-report"]) == 0
    return pd.read_csv(out / "summary.csv").set_index("policy")["optimum_ratio"]


@pytest.mark.parametrize(
    ("words", "policy", "ratio"),
    [
        (["workload=greedy_half"], "greedy_perf", 0.5),
        (["workload=greedy_half", "workload.budget=10"], "greedy_perf", 0.5),  # its budgets grow and shrink with it
        (["workload=long_then_short"], "greedy_perf", 0.05),  # worth / length
        (["workload=rising_density", "workload.stop=3"], "greedy_perf", 0.25),
        (["workload=adwords_triangular", "workload.n_deployments=2"], "balance", 0.75),
    ],
)
def test_a_hard_instance_brings_its_budgets_order_and_estimator(
    words: list[str], policy: str, ratio: float, tmp_path: Path
) -> None:
    assert compared(tmp_path / "o", *words, f"policy=[{policy}]")[policy] == pytest.approx(ratio)


def test_what_a_hard_instance_brings_can_be_replaced(tmp_path: Path) -> None:
    words = ["workload=greedy_half", "policy=[greedy_perf]"]
    assert compared(tmp_path / "a", *words, "budget.amount=150")["greedy_perf"] == pytest.approx(0.75)
    assert compared(tmp_path / "b", *words, "budget=unlimited")["greedy_perf"] == pytest.approx(1.0)


def test_equal_budgets_need_an_amount(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "policy=random", "budget=each"]) == 1
    assert capsys.readouterr().err == "switchyard: budget.amount is null; it must be a number\n"
