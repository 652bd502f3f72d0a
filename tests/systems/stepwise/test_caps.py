"""Success against cost between always the small and always the large model, without and with a hard cap on a task."""

from functools import cache

import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.stepwise.always import Always
from policies.stepwise.bopo import BoundaryGuided
from policies.stepwise.evo_route import EvoRoute
from policies.stepwise.steer import Steer
from policies.stepwise.x_router import XRouter
from sim.cli.api import sweep
from sim.interface import Policy
from tests.systems.stepwise.agents import Outcome, agents, outcome

NEIGHBOURS = ExactNeighbours()


def named(name: str) -> Policy:
    """A policy with its usual numbers."""
    policies: dict[str, Policy] = {
        "small": Always("cheapest"),
        "large": Always("best"),
        "steer": Steer(expected_steps=15),
        "evo_route": EvoRoute(expected_steps=15),
        "bopo": BoundaryGuided(NEIGHBOURS, expected_steps=15),
        "x_router": XRouter(NEIGHBOURS, expected_steps=15),
    }
    return policies[name]


@cache
def free(name: str) -> Outcome:
    return outcome(named(name))


def test_the_ends_of_the_line_are_the_models_alone() -> None:
    assert free("small").success == pytest.approx(0.35, abs=0.01)
    assert free("large").success == pytest.approx(0.742, abs=0.01)
    assert free("small").cost_usd < free("large").cost_usd / 15


@pytest.mark.parametrize("name", ["evo_route", "bopo", "x_router"])
def test_half_the_way_to_the_large_models_success_costs_less_than_half_its_money(name: str) -> None:
    small, large, ours = free("small"), free("large"), free(name)
    assert ours.success >= (small.success + large.success) / 2
    assert ours.cost_usd < large.cost_usd / 2


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("name", ["steer", "evo_route", "bopo", "x_router"])
def test_a_hard_cap_is_kept_and_either_end_alone_does_worse(name: str, share: float) -> None:
    cap_usd = share * free("large").cost_usd
    ours = outcome(named(name), cap_usd=cap_usd)
    large = outcome(Always("best"), cap_usd=cap_usd)
    assert ours.most_usd <= cap_usd * (1 + 1e-9)
    assert ours.success > max(large.success, free("small").success)


def test_steer_reaches_the_large_models_success_where_confidences_tell_wrong_steps() -> None:
    of = agents(separation=0.95)
    assert outcome(named("steer"), of).success >= 0.95 * free("large").success


def test_a_prefix_that_is_held_elsewhere_takes_a_part_of_what_steer_saves() -> None:
    apart, together = agents(0.95, has_prefix_price=False), agents(0.95)
    share_apart, share_together = (
        outcome(named("steer"), of).cost_usd / outcome(Always("best"), of).cost_usd for of in (apart, together)
    )
    assert share_apart < 0.52  # the paper saves 48% of the operations
    assert share_together > share_apart + 0.1


def test_no_task_exceeds_the_caps_of_the_experiment() -> None:
    small = ("n_queries=6", "workload.n_queries=6", "workload.n_history=10", "workload.dim=4", "replications=1")
    found = sweep("experiment=task_caps", "policy=[always_large,x_router]", *small)
    assert found["task.budget_usd"].unique().tolist() == ["0.1093", "0.2186", "0.3278", "null"]
    capped = found[found["task.budget_usd"] != "null"]
    assert (capped["cost_per_task_usd"] <= capped["task.budget_usd"].astype(float) * (1 + 1e-9)).all()
