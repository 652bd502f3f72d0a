"""What relative_quality divides by: a plan whose refused queries go on as those of policies do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from policies.estimators.neighbours import ExactNeighbours
from scenarios.arrivals import Deterministic
from scenarios.budgets import Amounts
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from sim.assignment.program import DECLINE
from sim.interface import Decision
from sim.scenario import Scenario, Window
from sim.study.experiment import compare
from sim.study.oracles import Oracle
from sim.study.replay import planned
from sim.workload import Rows, Workload
from sim.world.services.slots import Instant

ALL = Oracle(("approximate_optimum", "published_optimum", "optimum"), ExactNeighbours(k=1))


def two_queries() -> Scenario:
    """Two queries that are estimated to cost 1 at either of two deployments, and cost 2 at the first.

    The first is worth 0.9 and the second 0.5. The first has 1 USD and the second 2, so the plan on estimates sends one
    query to each, or both to the second; what it sends to the first is refused.
    """

    def rows(cost_usd: list[list[float]], quality: list[list[float]]) -> Rows:
        return Rows(np.eye(2, dtype=np.float32), np.full(2, 10), np.array(quality), np.array(cost_usd))

    quality = [[0.9, 0.5], [0.9, 0.5]]
    workload = Workload(("a", "b"), rows([[1.0, 1.0]] * 2, quality), rows([[2.0, 1.0]] * 2, quality))
    return Scenario(workload, OnePerModel(Instant()), Amounts([1.0, 2.0]), Deterministic(1.0), given)


def quality(scenario: Scenario) -> "pd.Series[float]":
    """The quality of each replayed plan."""
    return compare(scenario, {}, oracle=ALL).set_index("policy")["quality"]


def test_a_planned_query_that_is_refused_goes_to_what_is_worth_its_price_unless_it_is_lost() -> None:
    lost = quality(replace(two_queries(), exhausted="lost"))
    assert lost.round(9).to_dict() == {"approximate_optimum": 0.5, "published_optimum": 0.5, "optimum": 0.5}
    # The optimum on the truth halves the first query, 1 USD of 2 at the first deployment; whole, it is refused there.
    fallback = quality(two_queries())
    assert fallback.round(9).to_dict() == {"approximate_optimum": 1.0, "published_optimum": 0.5, "optimum": 1.0}


def test_the_published_plan_loses_what_is_refused_where_others_wait_too() -> None:
    waiting = replace(two_queries(), exhausted="wait", window=Window(10.0))
    assert quality(waiting).round(9).to_dict() == {
        "approximate_optimum": 1.0,
        "published_optimum": 0.5,
        "optimum": 1.0,
    }


def test_relative_quality_is_over_the_plan_that_follows_the_scenario() -> None:
    relative = compare(two_queries(), {}, oracle=ALL).set_index("policy")["relative_quality"]
    assert relative.round(9).to_dict() == {"approximate_optimum": 1.0, "published_optimum": 0.5, "optimum": 1.0}


def test_next_choices_are_the_others_worth_their_price_best_first() -> None:
    surplus = np.array([[0.1, 0.3, 0.2, -0.1], [0.1, 0.3, 0.2, -0.1], [0.1, -0.2, -0.3, -0.4]])
    assert planned(np.array([2, DECLINE, 0]), surplus) == [Decision(2, [1, 0]), Decision(None), Decision(0, [])]


@pytest.mark.parametrize("exhausted", ["lost", "fallback"])
def test_estimates_that_are_reserved_are_those_that_the_plan_was_made_with(exhausted: str) -> None:
    # By its estimate the first query fits the budget of the first deployment, 1 USD, and costs 2 there in the end.
    scenario = replace(two_queries(), exhausted=exhausted, reserve="estimate")
    summary = compare(scenario, {}, oracle=ALL).set_index("policy")
    assert summary["quality"].round(9)["approximate_optimum"] == 1.4
    assert summary["overshoot"]["approximate_optimum"] == pytest.approx(1.0)  # 2 USD of 1
    assert summary["overshoot"]["optimum"] == 0  # it was made with the truth
