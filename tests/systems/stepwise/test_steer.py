"""STEER (arXiv 2511.06190): two groups of confidences, the cut between them, and what is escalated."""

import math
from dataclasses import replace

import numpy as np
import pytest

from policies.stepwise.mixture import cut_between, two_components
from policies.stepwise.steer import Steer
from sim.interface import Answer, Decision, Keep, Task
from tests.systems.stepwise.asking import SETTING, idle, step

STATE = idle()


def test_the_mixture_finds_both_laws_of_a_sample() -> None:
    rng = np.random.default_rng(0)
    sample = np.concatenate([rng.normal(0.0, 1.0, 600), rng.normal(6.0, 0.5, 400)]).tolist()
    found = two_components(sample)
    assert found is not None
    low, high = found
    assert [low.share, low.mean, low.sd] == pytest.approx([0.6, 0.0, 1.0], abs=0.06)
    assert [high.share, high.mean, high.sd] == pytest.approx([0.4, 6.0, 0.5], abs=0.06)
    cut = cut_between(sample)
    assert low.height(cut) == pytest.approx(high.height(cut), abs=1e-6)
    assert 3.0 < cut < 5.0


@pytest.mark.parametrize("sample", [[], [1.0], [2.0] * 100])
def test_confidences_that_are_alike_have_no_cut(sample: list[float]) -> None:
    assert cut_between(sample) == -math.inf


def steer(expected_steps: float = 40.0) -> Steer:
    policy = Steer(least_seen=8, refit_every=8, window=8, expected_steps=expected_steps)
    policy.reset(SETTING, np.random.default_rng(0))
    return policy


def seen(policy: Steer, confidence: float, task: Task | None = None) -> bool:
    """Let the small model answer with a confidence, and return whether the large one is asked."""
    query = step(task=task)
    assert policy.decide(query, STATE) == Decision(0)
    said = policy.review(query, [Answer(0, 1.0, 1.0, 10, confidence)], STATE)
    assert said in (Keep(0), Decision(1))
    return said == Decision(1)


BOTH_GROUPS = [0.0, 5.0, 0.1, 5.1, 0.2, 5.2, 0.3, 5.3]


def test_a_step_is_escalated_if_it_belongs_to_the_lower_group_of_those_before() -> None:
    policy = steer()
    early = [seen(policy, confidence) for confidence in BOTH_GROUPS]
    assert early == [False] * 8  # nothing is known yet
    assert seen(policy, 0.5)
    assert not seen(policy, 4.5)
    assert not seen(policy, math.nan)


def test_the_cut_moves_with_the_last_confidences() -> None:
    policy = steer()
    for confidence in [*BOTH_GROUPS, *(100.0 + one for one in BOTH_GROUPS)]:
        seen(policy, confidence)
    assert seen(policy, 100.5)  # low among the last eight, and high among the first


def test_a_step_is_not_escalated_if_the_task_could_then_not_go_on() -> None:
    policy = steer(expected_steps=3)
    for confidence in BOTH_GROUPS:
        seen(policy, confidence)
    # The small answer has cost 1, the large one costs 5, and two more steps at the small model 2.
    assert seen(policy, 0.0, Task(0, 1, 0.0, budget_usd=8.0))
    assert not seen(policy, 0.0, Task(0, 1, 0.0, budget_usd=7.9))


def test_a_refused_answer_is_asked_of_the_large_model_and_the_last_that_came_is_kept() -> None:
    policy, query = steer(), step()
    refused, came = Answer(0, 0.0, 0.0, 0, math.nan, "exhausted"), Answer(1, 5.0, 1.0, 10, 0.1)
    assert policy.review(query, [refused], STATE) == Decision(1)
    assert policy.review(query, [refused, came], STATE) == Keep(1)
    lost = came._replace(fate="failed")
    assert policy.review(query, [refused, lost], STATE) == Decision(None)
    assert policy.review(query, [came._replace(deployment=0), lost], STATE) == Keep(0)


def test_where_a_query_may_take_one_call_nothing_is_escalated() -> None:
    policy = Steer(least_seen=8, refit_every=8, window=8)
    policy.reset(replace(SETTING, max_calls=1), np.random.default_rng(0))
    assert [seen(policy, confidence) for confidence in [*BOTH_GROUPS, 0.0]] == [False] * 9
    assert policy.review(step(), [Answer(0, 0.0, 0.0, 0, math.nan, "exhausted")], STATE) == Decision(None)


def test_a_window_below_the_first_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        Steer(least_seen=50, window=40)
