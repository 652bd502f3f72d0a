"""Boundary-guided routing (arXiv 2602.21227, inferred): classes of steps, the worth of a hard one, a task's budget."""

import math

import numpy as np
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.stepwise.bopo import BoundaryGuided
from sim.interface import FloatArray, Task
from tests.systems.driving import setting_of
from tests.systems.stepwise.asking import idle, step

EASY, HARD, IMPOSSIBLE, DOUBTFUL = np.eye(4)
STATE = idle()
# Ten steps of each kind, of which half of the doubtful ones are hard and half are easy.
EMBEDDINGS = np.repeat(np.eye(4), 10, axis=0)
QUALITY = np.array([[1.0, 1.0]] * 10 + [[0.0, 1.0]] * 10 + [[0.0, 0.0]] * 10 + [[0.0, 1.0], [1.0, 1.0]] * 5)
COST = np.tile([1.0, 5.0], (40, 1))


def bopo(cost_weight: float = 0.2, expected_steps: float = 4.0) -> BoundaryGuided:
    policy = BoundaryGuided(ExactNeighbours(k=10), cost_weight=cost_weight, expected_steps=expected_steps)
    policy.reset(setting_of(EMBEDDINGS, QUALITY, COST, 40), np.random.default_rng(0))
    return policy


def chosen(policy: BoundaryGuided, kind: FloatArray, task: Task | None = None, large_cost: float = 5.0) -> int | None:
    return policy.decide(step([1.0, large_cost], task, embedding=kind), STATE).deployment


def test_only_a_step_at_which_the_large_model_alone_succeeds_goes_there() -> None:
    assert [chosen(bopo(), kind) for kind in (EASY, HARD, IMPOSSIBLE, DOUBTFUL)] == [0, 1, 0, 1]


def test_a_chance_of_a_half_is_worth_half_of_always_large() -> None:
    assert chosen(bopo(cost_weight=0.5), DOUBTFUL) == 1
    assert chosen(bopo(cost_weight=0.51), DOUBTFUL) == 0
    # One of four steps is a quarter of always large, so it is worth four times the weight.
    second = Task(0, 2, 0.0)
    assert chosen(bopo(cost_weight=2.0), DOUBTFUL, second) == 1
    assert chosen(bopo(cost_weight=2.01), DOUBTFUL, second) == 0


def test_a_model_that_holds_the_prefix_is_left_less_easily() -> None:
    assert chosen(bopo(cost_weight=1.0), DOUBTFUL, large_cost=3.0) == 1
    assert chosen(bopo(cost_weight=1.0), DOUBTFUL, large_cost=3.1) == 0


def test_money_for_a_share_of_the_steps_is_for_the_hardest_of_them() -> None:
    # Of the history a quarter is hard for sure, and a half at least by half a chance. The first of four steps; a
    # quarter more of the large model costs a USD a step more.
    first = Task(0, 1, 0.0, budget_usd=4 * 2.0)
    assert [chosen(bopo(), kind, first) for kind in (EASY, HARD, DOUBTFUL)] == [0, 1, 0]
    half = Task(0, 1, 0.0, budget_usd=4 * 3.0)
    assert [chosen(bopo(), kind, half) for kind in (EASY, HARD, DOUBTFUL)] == [0, 1, 1]


def test_the_last_money_is_the_small_models() -> None:
    # The second of four steps at 5, then two at 1: 7 must be left.
    assert chosen(bopo(), HARD, Task(0, 2, 3.0, budget_usd=10.0)) == 1
    assert chosen(bopo(), HARD, Task(0, 2, 3.1, budget_usd=10.0)) == 0


def test_one_model_that_is_both_gets_everything() -> None:
    policy = BoundaryGuided(ExactNeighbours())
    policy.reset(setting_of(EMBEDDINGS, QUALITY[:, ::-1], COST, 40), np.random.default_rng(0))
    assert chosen(policy, HARD) == 0


@pytest.mark.parametrize("weight", [-1.0, math.nan])
def test_a_weight_below_nothing_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="cost_weight"):
        BoundaryGuided(ExactNeighbours(), cost_weight=weight)
