"""Which test rows arrive, and which history rows a router has seen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scenarios.arrivals import Deterministic
from scenarios.arrivals.closed import ClosedLoop
from scenarios.budgets import Uniform, Weighted
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


def two_models() -> Workload:
    """Ten history queries of two models."""
    return tiny_workload(tiny_rows(np.tile([0.25, 0.75], (10, 1)), np.tile([1.0, 3.0], (10, 1))))


def test_a_profiled_model_is_known_on_so_many_rows_drawn_anew_in_each_replication() -> None:
    scenario = replace(tiny_scenario(two_models()), profiled={"medium": 3})
    one, other = (realise(scenario, 0, replication).setting.history for replication in (0, 1))
    assert one.known.sum(axis=0).tolist() == [10, 3]
    assert one.cost[one.known[:, 1], 1].tolist() == [3.0, 3.0, 3.0]
    assert np.isnan(one.cost[~one.known[:, 1], 1]).all()
    assert not np.array_equal(one.known, other.known)
    more = realise(replace(scenario, profiled={"medium": 6}), 0, 0).setting.history
    assert (more.known >= one.known).all()  # the same rows and three others


def test_budgets_are_split_by_what_is_known_and_a_model_never_seen_is_an_average_one() -> None:
    rows = tiny_rows([[0.2, 0.4, 0.9]] * 4, [[1.0, 3.0, 50.0]] * 4)
    scenario = replace(tiny_scenario(tiny_workload(rows)), budget=Weighted(), profiled={"large": 0})
    budgets = realise(scenario, 0, 0).setting.budgets  # 4, the cost of the cheapest, by sqrt(quality / cost)
    weights = np.sqrt([0.2 / 1, 0.4 / 3, 0.3 / 2])
    assert budgets == pytest.approx(4 * weights / weights.sum())


def test_a_share_of_the_models_is_new_and_which_ones_is_drawn_anew_in_each_replication() -> None:
    rows = tiny_rows(np.full((6, 3), 0.5), np.ones((6, 3)))
    scenario = replace(tiny_scenario(tiny_workload(rows)), new_model_share=1 / 3, new_model_rows=2)
    counts = [realise(scenario, 0, number).setting.history.known.sum(axis=0).tolist() for number in range(20)]
    assert {tuple(sorted(each)) for each in counts} == {(2, 6, 6)}
    assert len({tuple(each) for each in counts}) == 3
    named = replace(scenario, profiled={"small": 1})
    assert realise(named, 0, 0).setting.history.known[:, 0].sum() == 1  # one that is named is not drawn


def test_a_model_that_is_known_on_all_rows_is_as_if_it_were_not_named() -> None:
    scenario = tiny_scenario(two_models())
    whole = realise(replace(scenario, profiled={"medium": 10}), 0, 0).setting.history
    assert whole.quality is scenario.workload.history.quality
    assert whole.cost is scenario.workload.history.cost_usd


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ({"profiled": {"mediun": 2}}, "unknown model in profiled 'mediun'; did you mean 'medium'"),
        ({"profiled": {"medium": 11}}, "profiled.medium is 11, and the history has 10 rows; take at most that many"),
        ({"profiled": {"medium": -1}}, "profiled.medium is -1; it must be at least 0"),
        ({"new_model_share": 0.5, "new_model_rows": 11}, "new_model_rows is 11, and the history has 10 rows"),
        ({"new_model_share": 1.0}, r"new_model_share is 1.0; it must be at least 0 and below 1"),
        ({"profiled": {"small": 0, "medium": 0}}, "no model of the fleet is known on any row of the history; leave"),
    ],
)
def test_what_cannot_be_profiled_is_refused(keys: dict[str, Any], right: str) -> None:
    with pytest.raises(ValueError, match=right):
        realise(replace(tiny_scenario(two_models()), **keys), 0, 0)


# --- as many as come in a time


def lasting(duration: float | str, **changes: Any) -> Scenario:
    """Ten queries a second apart, as long as this."""
    scenario = tiny_scenario(tiny_workload(ten()))
    return replace(scenario, arrivals=Deterministic(1.0), duration=duration, **changes)


def test_as_many_queries_arrive_as_come_in_a_duration() -> None:
    assert len(realise(lasting(3.5), 0, 0).rows) == 4  # at 0, 1, 2 and 3 s
    assert len(realise(lasting(3), 0, 0).rows) == 4
    assert realise(lasting("3s"), 0, 0).gaps_s.tolist() == [0, 1, 1, 1]
    assert len(realise(lasting("0.1m"), 0, 0).rows) == 7
    assert realise(lasting(3.5), 0, 0).setting.horizon == 4


def test_a_duration_draws_more_queries_than_there_are_only_with_replacement() -> None:
    with pytest.raises(ValueError, match=r"duration is 1h, and the workload's 10 test queries have all come after 9 s"):
        realise(lasting("1h"), 0, 0)
    assert len(realise(lasting("1m", order=Resampling()), 0, 0).rows) == 61


def test_a_duration_that_cannot_be_is_refused() -> None:
    for wrong in ("1x", "", "h", 0, -1.0, float("inf"), True):
        with pytest.raises(ValueError, match=r"it must be seconds, or a text such as 90s, 30m, 8h or 7d"):
            lasting(wrong)
    with pytest.raises(ValueError, match="duration is 1h and n_queries is 4; give one of them"):
        lasting("1h", n_queries=4)
    with pytest.raises(
        ValueError, match="when queries come of users who wait for answers is not known; give n_queries"
    ):
        realise(replace(lasting(3.5), arrivals=ClosedLoop(2, mean_think_s=1.0)), 0, 0)
