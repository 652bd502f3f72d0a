"""Which test rows arrive, and which history rows a router has seen."""

from dataclasses import replace

import numpy as np
import pytest

from scenarios.arrivals import Deterministic
from scenarios.budgets import Uniform
from scenarios.fleets import OnePerModel
from scenarios.orders import given, shuffled
from sim.instance import realise
from sim.interface import IntArray
from sim.scenario import Scenario
from sim.workload import Rows, Workload
from sim.world.services.slots import Instant
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload


def ten() -> Rows:
    """Ten queries for one model; the tenth costs ten times the first. The last five are about law."""
    rows = tiny_rows(np.full((10, 1), 0.5), np.arange(1.0, 11.0)[:, None])
    return replace(rows, source=np.array(["maths"] * 5 + ["law"] * 5))


class Resampling:
    """The drawn rows as they are drawn, the same row perhaps twice."""

    with_replacement = True

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        return np.arange(len(rows))


def test_all_queries_arrive_unless_fewer_are_asked_for() -> None:
    assert realise(tiny_scenario(tiny_workload(ten())), 0, 0).rows.tolist() == list(range(10))


def test_fewer_queries_are_another_random_subset_in_each_replication_and_the_same_under_every_order() -> None:
    four = replace(tiny_scenario(tiny_workload(ten())), n_queries=4)
    drawn = [realise(four, 0, replication).rows.tolist() for replication in range(20)]
    assert all(len(set(rows)) == 4 and rows == sorted(rows) for rows in drawn)
    assert len({tuple(rows) for rows in drawn}) > 10
    shuffled_rows = realise(replace(four, order=shuffled), 0, 3).rows.tolist()
    assert sorted(shuffled_rows) == drawn[3] != shuffled_rows


def test_a_budget_that_scales_with_the_queries_scales_with_those_that_arrive() -> None:
    scenario = Scenario(tiny_workload(ten()), OnePerModel(Instant()), Uniform(), Deterministic(1.0), given, n_queries=4)
    instance = realise(scenario, 0, 0)
    assert instance.setting.budgets.tolist() == [instance.cost[instance.rows].sum()]
    assert instance.setting.horizon == 4


def test_an_order_with_replacement_draws_independently_and_may_draw_more_than_there_are() -> None:
    scenario = replace(tiny_scenario(tiny_workload(ten())), order=Resampling(), n_queries=1000)
    share = np.bincount(realise(scenario, 0, 0).rows, minlength=10) / 1000
    assert share == pytest.approx(0.1, abs=0.04)  # standard error 0.0095


def test_more_queries_than_there_are_need_replacement() -> None:
    with pytest.raises(ValueError, match=r"n_queries is 11, and the workload has 10 test queries; .* order=resampled"):
        realise(replace(tiny_scenario(tiny_workload(ten())), n_queries=11), 0, 0)
    with pytest.raises(ValueError, match="n_queries is 0; it must be at least 1"):
        replace(tiny_scenario(tiny_workload(ten())), n_queries=0)


def test_an_unseen_topic_is_missing_from_the_history_and_arrives_all_the_same() -> None:
    instance = realise(replace(tiny_scenario(tiny_workload(ten())), unseen=["law"]), 0, 0)
    assert instance.setting.history.cost[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert len(instance.rows) == 10


def test_an_unseen_topic_that_is_not_in_the_history_is_refused() -> None:
    scenario = tiny_scenario(tiny_workload(ten()))
    with pytest.raises(ValueError, match="unknown topic 'laws'; did you mean 'law'"):
        realise(replace(scenario, unseen=["laws"]), 0, 0)
    with pytest.raises(ValueError, match="no history is left without 'law', 'maths'; leave at least one topic"):
        realise(replace(scenario, unseen=["law", "maths"]), 0, 0)
    nameless = Workload(("small",), replace(ten(), source=None), ten())
    with pytest.raises(ValueError, match="'law' is to be unseen, and the workload has no topics: add the column"):
        realise(replace(scenario, workload=nameless, unseen=["law"]), 0, 0)
