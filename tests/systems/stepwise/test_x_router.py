"""xRouter (arXiv 2510.08439): its reward, several calls, and which answer is kept."""

import math

import numpy as np
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.stepwise.x_router import XRouter
from sim.interface import Answer, Decision, FloatArray, Keep, Query, Task
from tests.systems.driving import setting_of
from tests.systems.stepwise.asking import idle, step

SETTING = setting_of(np.ones((2, 1)), np.ones((2, 3)), np.ones((2, 3)), 10)
STATE = idle(3)


def router(**settings: float) -> XRouter:
    policy = XRouter(ExactNeighbours(), **settings)  # type: ignore[arg-type]
    policy.reset(SETTING, np.random.default_rng(0))
    return policy


def query(quality: list[float], cost: list[float], task: Task | None = None) -> Query:
    return step(cost, task, quality)


def calls(policy: XRouter, asked: Query) -> list[int | None]:
    decision = policy.decide(asked, STATE)
    return [decision.deployment, *decision.alongside]


def test_a_score_is_discounted_by_three_times_the_dollars() -> None:
    one = router(most_calls=1)
    assert calls(one, query([0.5, 0.69, 0.0], [0.0, 0.1, 0.0])) == [0]  # 0.5 against 0.69 x 0.7 = 0.483
    assert calls(one, query([0.5, 0.72, 0.0], [0.0, 0.1, 0.0])) == [1]  # 0.504


def test_above_the_cap_money_is_free() -> None:
    one = router(most_calls=1)
    assert calls(one, query([0.5, 0.51, 0.0], [0.27, 1000.0, 0.0])) == [1]  # both keep 0.2 of it
    spent = Task(0, 9, spent_usd=0.3)
    assert calls(one, query([0.5, 0.51, 0.0], [0.0, 0.1, 0.0], spent)) == [1]  # the task is above it already
    assert calls(one, query([0.5, 0.51, 0.0], [0.0, 0.1, 0.0], spent._replace(spent_usd=0.1))) == [0]


def test_another_call_is_made_if_the_best_of_both_is_worth_its_price() -> None:
    asked = query([0.5, 0.5, 0.1], [0.01, 0.01, 0.2])
    # One: 0.5 x 0.97 = 0.485. Both: 0.5 + 0.4 x (0.75 - 0.5) = 0.6, x 0.94 = 0.564. The third is worth nothing.
    assert calls(router(most_calls=3), asked) == [0, 1]
    assert calls(router(selection=0.0), asked) == [0]
    assert calls(router(most_calls=1), asked) == [0]
    assert list(router(most_calls=1).decide(asked, STATE).fallbacks) == [1, 2]  # next choices by what each would earn


def test_the_most_confident_answer_is_kept_and_the_likelier_where_none_is_confident() -> None:
    asked = query([0.2, 0.8, 0.5], [0.0, 0.0, 0.0])
    answers = [Answer(0, 0.0, 1.0, 1, 0.9), Answer(1, 0.0, 1.0, 1, 0.4), Answer(2, 0.0, 1.0, 1, 5.0, "failed")]
    assert router().review(asked, answers, STATE) == Keep(0)
    silent = [answer._replace(confidence=math.nan) for answer in answers]
    assert router().review(asked, silent, STATE) == Keep(1)
    assert router().review(asked, answers[2:], STATE) == Decision(None)


def test_a_task_with_little_money_gets_the_cheapest_call_alone() -> None:
    few = router(expected_steps=1)
    prices: list[FloatArray] = []
    for budget_usd in (0.03, 0.015, 0.001):
        asked = query([0.5, 0.5, 0.9], [0.01, 0.012, 0.5], Task(0, 1, 0.0, budget_usd))
        prices.append(asked.cost_hat[[k for k in calls(few, asked) if k is not None]])
    assert [each.tolist() for each in prices] == [[0.01, 0.012], [0.01], [0.01]]


@pytest.mark.parametrize("setting", [{"most": 1.1}, {"price": -1.0}, {"most_calls": 0}, {"selection": 2.0}])
def test_a_number_out_of_its_range_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        router(**setting)
