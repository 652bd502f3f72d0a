"""Limits of tasks: what a task cannot pay waits for no window, and none earns more than 1."""

from collections.abc import Callable

import numpy as np
import pytest

from scenarios.budgets import Amounts
from sim.interface import Decision
from sim.renewing import TokenBucket, Window
from sim.workload.tasks import TaskLimits, earned, last_step
from tests.tasks.tiny import ByStep, run, scenario

A, B = 0, 1
WINDOWS = [Window(10.0, spread=False), TokenBucket(10.0)]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_step_that_its_task_cannot_pay_is_refused_at_once_as_no_window_brings_the_task_money(window: object) -> None:
    limits = TaskLimits(budget_usd=2.0)
    described = scenario(budget=Amounts((100.0, 100.0)), window=window, exhausted="wait", task=limits)
    requests, tasks = run(ByStep([A, Decision(B, (B,)), A]), described)  # 1, and 2 more
    assert tasks["fate"].tolist() == ["failed", "done"]
    assert requests["fate"].tolist() == ["served", "served", "exhausted"]
    assert requests["ended_at_s"].tolist() == [1.0, 3.0, 6.0]


def test_a_step_that_its_task_can_pay_waits_for_its_deployment() -> None:
    limits = TaskLimits(budget_usd=2.0)
    window = Window(10.0, rollover=False, spread=False)
    described = scenario(budget=Amounts((2.0, 2.0)), window=window, exhausted="wait", task=limits)
    requests, tasks = run(ByStep([A, A, A]), described)  # 1, 1 of y, and 0.5 in the next window
    assert tasks["fate"].tolist() == ["done", "done"]
    assert requests["offered_at_s"].tolist() == [0.0, 2.0, 10.0, 16.0]


@pytest.mark.parametrize("reward", [len, lambda _: -0.1, lambda _: float("nan")])
def test_what_a_task_earns_is_from_0_to_1(reward: Callable[[object], float]) -> None:
    with pytest.raises(ValueError, match="what a task earns must be from 0 to 1"):
        earned(reward, np.array([1.0, 1.0]))
    assert earned(last_step, np.array([0.0, 1.0])) == 1.0
