"""OmniRouter (arXiv 2502.20576) beside figures of its authors' rules on ZeroEval, and how far floors are missed."""

from dataclasses import replace

import numpy as np
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.quality_threshold import QualityThreshold
from policies.parts.batch import estimates
from policies.scored.floor_batch import FloorBatch
from policies.scored.floor_dual import FloorDual, assigned, within
from scenarios.fleets import OnePerModel
from sim.assignment.floored import cheapest_above
from sim.instance import realise
from sim.interface import Decision, FloatArray
from sim.study.experiment import runs
from sim.study.metrics.floors import floor_missed_share, floor_shortfall
from sim.study.oracles import Oracle
from sim.world.services.slots import Slots
from tests.systems.real import means, needs_data, unlimited
from tests.worlds import idle, tiny_query, tiny_setting

SIXTEEN = ExactNeighbours(k=16)


@needs_data
def test_single_queries_meet_the_authors_rule_on_zeroeval() -> None:
    authors = {0.5: (0.523333, 0.00038305), 0.7: (0.686667, 0.00104791), 0.9: (0.756667, 0.00173251)}
    ours = means(unlimited("zeroeval"), {str(floor): QualityThreshold(SIXTEEN, floor) for floor in authors})
    for floor, (quality, cost_usd) in authors.items():
        assert ours[str(floor)][0] == pytest.approx(quality, abs=1e-6)
        assert ours[str(floor)][1] == pytest.approx(cost_usd, abs=1e-8)


@pytest.fixture(scope="module")
def predicted() -> tuple[FloatArray, FloatArray]:
    """Predicted quality and cost of the first 100 test queries of ZeroEval."""
    instance = realise(unlimited("zeroeval", 100), 0, 0)
    quality, cost = SIXTEEN.fit(instance.setting.history).predict(instance.features)
    return quality, cost


@needs_data
def test_a_batch_meets_the_authors_program_where_its_plan_was_the_best(
    predicted: tuple[FloatArray, FloatArray],
) -> None:
    plan = cheapest_above(*predicted, 0.8)
    assert plan is not None
    quality, cost = (outcome[np.arange(100), plan].mean() for outcome in predicted)
    assert quality == pytest.approx(0.8)
    assert cost == pytest.approx(0.00012181, abs=1e-8)
    true_quality, true_cost = means(unlimited("zeroeval", 100), {"batch": FloorBatch(SIXTEEN, 0.8)})["batch"]
    assert true_quality == pytest.approx(0.71)
    assert true_cost == pytest.approx(0.00013038, abs=1e-8)


@needs_data
def test_at_a_floor_of_07_our_plan_is_cheaper_than_the_authors(predicted: tuple[FloatArray, FloatArray]) -> None:
    # Theirs has a predicted cost of 0.00005925 and a true quality of 0.63.
    plan = cheapest_above(*predicted, 0.7)
    assert plan is not None
    assert predicted[0][np.arange(100), plan].mean() == pytest.approx(0.7)
    assert predicted[1][np.arange(100), plan].mean() == pytest.approx(0.00005918, abs=1e-8)
    assert means(unlimited("zeroeval", 100), {"batch": FloorBatch(SIXTEEN, 0.7)})["batch"][0] == pytest.approx(0.64)


@needs_data
def test_no_plan_keeps_a_floor_of_09(predicted: tuple[FloatArray, FloatArray]) -> None:
    assert predicted[0].max(axis=1).mean() == pytest.approx(0.875)
    assert cheapest_above(*predicted, 0.9) is None
    best = means(unlimited("zeroeval", 100), {"batch": FloorBatch(SIXTEEN, 0.9), "single": FloorBatch(SIXTEEN, 1.0)})
    assert best["batch"] == best["single"]  # each query its best predicted


@needs_data
def test_predicted_floors_are_missed_in_truth_by_some_hundredths() -> None:
    policies = {"0.7": FloorBatch(SIXTEEN, 0.7), "0.8": FloorBatch(SIXTEEN, 0.8)}
    for run in runs(unlimited("zeroeval"), policies, 0, 1, Oracle(()), {}):
        floor = float(run.policy)
        assert 0.05 < floor_shortfall(run.requests, floor) < 0.11
        assert floor_missed_share(run.requests, floor, 100) > 0.75  # of twelve batches


QUALITY, COST = np.array([[0.5, 1.0], [0.5, 0.9], [0.5, 0.8]]), np.array([[1.0, 5.0], [1.0, 2.0], [1.0, 3.0]])


def test_a_batch_by_hand() -> None:
    queries = [tiny_query(number, *outcome) for number, outcome in enumerate(zip(QUALITY, COST, strict=True))]
    assert np.array_equal(estimates(queries)[0], QUALITY)
    chosen = [
        [one.deployment for one in FloorBatch(SIXTEEN, f).decide_batch(queries, idle(2))] for f in (0.5, 0.6, 0.9)
    ]
    assert chosen == [[0, 0, 0], [0, 1, 0], [1, 1, 1]]  # 0.4 more for one dollar is the cheapest way above 0.6


def test_prices_find_the_same_and_keep_to_the_places_that_are_left() -> None:
    free = np.full(2, np.inf)
    assert assigned(QUALITY, COST, 0.6, free, 300, 3.0).tolist() == [0, 1, 0]
    assert assigned(QUALITY, COST, 0.6, np.array([3.0, 0.0]), 300, 3.0).tolist() == [
        0,
        0,
        0,
    ]  # the floor cannot be kept
    assert sorted(assigned(QUALITY, COST, 0.0, np.array([1.0, 2.0]), 300, 3.0).tolist()) == [0, 1, 1]


def test_without_any_place_a_query_goes_where_it_is_cheapest() -> None:
    assert within(COST, np.zeros(2)).tolist() == [0, 0, 0]


def test_places_are_the_slots_that_nobody_uses() -> None:
    policy, setting = FloorDual(SIXTEEN, floor=0.0), tiny_setting([1.0, 1.0], 3)
    limited = replace(setting, fleet=tuple(replace(info, slots=2.0) for info in setting.fleet))
    policy.reset(limited, np.random.default_rng(0))
    queries = [tiny_query(number, [0.5, 0.5], [1.0, 2.0]) for number in range(3)]
    busy = idle(2)._replace(in_flight=np.array([1, 0]))
    assert sorted(decision.deployment or 0 for decision in policy.decide_batch(queries, busy)) == [0, 1, 1]
    down = idle(2)._replace(available=np.array([False, True]))
    assert policy.decide_batch(queries[:1], down) == [Decision(1)]


@needs_data
def test_with_limits_of_concurrency_fewer_wait_than_without() -> None:
    slots = OnePerModel(Slots(slots=8, time_to_first_token_s=0.5, time_per_output_token_s=0.02))
    busy = replace(unlimited("zeroeval", 400), fleet=slots)
    waited = {
        run.policy: float((run.requests["started_at_s"] - run.requests["decided_at_s"]).mean())
        for run in runs(busy, {"program": FloorBatch(SIXTEEN), "dual": FloorDual(SIXTEEN)}, 0, 1, Oracle(()), {})
    }
    assert waited["dual"] < 0.5 * waited["program"]
