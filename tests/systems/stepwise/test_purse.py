"""What rules for steps share: how long a task may go on, what leaves enough of its money, and which two models."""

import math

import numpy as np
import pytest

from policies.parts.named_deployments import check_pair, pair_of
from policies.stepwise.always import Always
from policies.stepwise.purse import Purse
from sim.interface import Feedback, Query, Task
from tests.systems.stepwise.asking import SETTING, idle
from tests.systems.stepwise.asking import step as asked

STATE = idle()


def step(number: int, budget_usd: float = math.inf) -> Query:
    """A step of a task that has spent 1 USD."""
    return asked(task=Task(0, number, 1.0, budget_usd))


def answered(query: Query, cost: float = 1.0, deployment: int = 0, score: float = math.nan) -> Feedback:
    return Feedback(query, deployment, score, cost, 0.0)


def test_tasks_that_have_ended_say_how_many_steps_one_has() -> None:
    purse = Purse(8.0, cheapest=0, cost=1.0)
    for number in (1, 2):
        purse.learn(answered(step(number)))
    assert [purse.ended(step(number).task or Task(0, 0, 0.0)) for number in (1, 2)] == [2, 2]
    assert purse.mean_steps == 5.0  # of 8 and 2; the second step of the same task has not counted it again
    assert purse.steps_left(Task(1, 2, 0.0)) == 4.0
    assert purse.steps_left(Task(1, 99, 0.0)) == 1.25


def test_a_choice_must_leave_the_cheapest_model_the_money_for_all_other_steps() -> None:
    purse = Purse(4.0, cheapest=0, cost=1.0)
    # The second of four steps: two more at 1 USD. 1 is spent, so that 4 and 8 are what the choices need.
    assert purse.lasts(step(2, budget_usd=8.0)).tolist() == [True, True]
    assert purse.lasts(step(2, budget_usd=7.9)).tolist() == [True, False]
    assert purse.lasts(step(2, budget_usd=7.9), paid=4.0).tolist() == [False, False]
    assert purse.lasts(step(2)).tolist() == [True, True]  # no cap


def test_what_steps_have_cost_at_the_cheapest_takes_the_place_of_the_history() -> None:
    purse = Purse(4.0, cheapest=0, cost=100.0)
    assert not purse.lasts(step(2, budget_usd=20.0)).any()
    purse.learn(answered(step(1), cost=2.0))
    purse.learn(answered(step(1), cost=50.0, deployment=1))  # another one's cost says nothing of it
    assert purse.lasts(step(2, budget_usd=10.0)).tolist() == [True, True]  # 1 + 5 + 2 x 2
    assert purse.lasts(step(2, budget_usd=9.9)).tolist() == [True, False]


def test_two_models_are_those_named_or_the_cheapest_and_the_best() -> None:
    assert pair_of(SETTING, None) == (0, 1)
    assert pair_of(SETTING, ["deployment-1", "deployment-0"]) == (1, 0)
    with pytest.raises(ValueError, match="unknown deployment 'deployment-2'"):
        pair_of(SETTING, ["deployment-1", "deployment-2"])
    with pytest.raises(ValueError, match="it must name a small and a large one, or be null"):
        check_pair(["one"])


@pytest.mark.parametrize(("name", "place"), [("cheapest", 0), ("best", 1), ("deployment-1", 1)])
def test_always_is_one_deployment_with_no_next_choice(name: str, place: int) -> None:
    policy = Always(name)
    policy.reset(SETTING, np.random.default_rng(0))
    decision = policy.decide(step(1), STATE)
    assert (decision.deployment, list(decision.fallbacks)) == (place, [])


def test_always_refuses_a_deployment_that_the_fleet_does_not_have() -> None:
    with pytest.raises(ValueError, match="unknown deployment 'cheapst'; did you mean 'cheapest'"):
        Always("cheapst").reset(SETTING, np.random.default_rng(0))
