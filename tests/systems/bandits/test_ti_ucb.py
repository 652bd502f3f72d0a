"""TI-UCB (arXiv 2403.07213) on models whose quality rises with their use, beside bounds on plain means.

The outcomes are made here, answer by answer, without a world (test_rising.py has one): the mean score of answer n of a
model is min(start + slope n, limit).
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from policies.bandits.ti_ucb import Line, TiUcb
from sim.interface import Decision, Feedback, FloatArray, Policy, Query, Setting, State
from tests.systems.driving import REFERENCE, needs
from tests.worlds import idle, tiny_query, tiny_setting

START, SLOPE, LIMIT = (0.55, 0.20, 0.30), (0.0, 0.002, 0.001), (0.55, 0.90, 0.60)
N = 20_000


def mean_score(model: int, n: int) -> float:
    return min(START[model] + SLOPE[model] * n, LIMIT[model])


def rise(policy: Policy, noise: Callable[[int, int], float], n_queries: int) -> tuple[float, list[int]]:
    """Return the sum of the mean scores of a run, and how often each model answered; noise is by model and answer."""
    policy.reset(tiny_setting([np.inf] * 3, n_queries), np.random.default_rng(0))
    query, state = tiny_query(0, [0.0] * 3, [0.0] * 3), idle(3)
    total, answers = 0.0, [0, 0, 0]
    for number in range(n_queries):
        chosen = policy.decide(query._replace(id=number), state).deployment
        assert chosen is not None
        answers[chosen] += 1
        mean = mean_score(chosen, answers[chosen])
        total += mean
        policy.learn(Feedback(query, chosen, mean + noise(chosen, answers[chosen]), 0.0, 0.0))
    return total, answers


class PlainUcb(Policy):
    """The same radius on plain means; ``unit`` is what a score of 1 is worth."""

    def __init__(self, unit: float = 1.0) -> None:
        self._unit = unit

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self._totals, self._counts = [0.0] * 3, [0] * 3

    def decide(self, query: Query, state: State) -> Decision:
        if query.id < 6:
            return Decision(query.id % 3)
        each = zip(self._totals, self._counts, strict=True)
        bounds = [total / n + self._unit * math.sqrt(4 * math.log(20) / n) for total, n in each]
        return Decision(bounds.index(max(bounds)))

    def learn(self, feedback: Feedback) -> None:
        self._totals[feedback.deployment] += feedback.quality
        self._counts[feedback.deployment] += 1


def regret(total: float) -> float:
    """Against asking the model that becomes best from the first query on."""
    return sum(mean_score(1, n) for n in range(1, N + 1)) - total


@needs("tiucb_noise.csv")
def test_regret_is_that_of_the_reference_and_more_than_ten_times_below_bounds_on_means() -> None:
    noise: FloatArray = pd.read_csv(REFERENCE / "tiucb_noise.csv")[["e0", "e1", "e2"]].to_numpy()
    policy = TiUcb()
    total, answers = rise(policy, lambda model, n: float(noise[n - 1, model]), N)
    assert total == pytest.approx(17_720.1, abs=0.06)
    assert answers == [308, 19_602, 90]
    assert sum(policy.changes) == 62
    assert regret(total) == pytest.approx(157.7, abs=0.06)
    total, answers = rise(PlainUcb(), lambda model, n: float(noise[n - 1, model]), N)
    assert total == pytest.approx(14_407.8, abs=0.06)
    assert answers == [1635, 8855, 9510]
    assert regret(total) == pytest.approx(3470.1, abs=0.06)


def test_on_other_noise_regret_is_more_than_ten_times_below_bounds_on_means_too() -> None:
    noise = np.random.default_rng(7).normal(0, 0.1, (N, 3))
    ours, _ = rise(TiUcb(), lambda model, n: float(noise[n - 1, model]), N)
    plain, _ = rise(PlainUcb(), lambda model, n: float(noise[n - 1, model]), N)
    assert regret(plain) > 10 * regret(ours) > 0


def test_with_a_tenth_of_the_radius_it_stays_with_what_is_good_at_the_start() -> None:
    noise = np.random.default_rng(7).normal(0, 0.1, (4000, 3))
    _, answers = rise(TiUcb(delta=0.05**0.01), lambda model, n: float(noise[n - 1, model]), 4000)
    assert answers[0] > 3900


def test_a_trend_that_flattens_begins_a_new_line_and_one_that_steepens_does_not() -> None:
    policy = TiUcb(window=4, check_every=4, threshold=0.1)
    policy.reset(tiny_setting([np.inf], 100), np.random.default_rng(0))
    query = tiny_query(0, [0.0], [0.0])

    def hear(*scores: float) -> float:
        for score in scores:
            policy.learn(Feedback(query, 0, score, 0.0, 0.0))
        return float(policy.believes(query).quality[0])

    # 0.1, 0.2, 0.3, 0.4 would be 0.9 at the ninth answer; the later window says 0.4.
    assert hear(0.1, 0.2, 0.3, 0.4) == pytest.approx(0.5)
    assert hear(0.4, 0.4, 0.4, 0.4) == pytest.approx(0.4)
    assert policy.changes == [1]
    hear(0.5, 0.6, 0.7, 0.8)
    assert policy.changes == [1]


def test_each_deployment_gets_two_queries_first_and_the_bound_is_the_next_point_and_a_radius() -> None:
    policy = TiUcb(delta=math.exp(-1))  # a radius of sqrt(4 / n)
    policy.reset(tiny_setting([np.inf] * 2, 100), np.random.default_rng(0))
    query = tiny_query(0, [0.5, 0.5], [0.0, 0.0])
    assert [policy.decide(query, idle(2)) for _ in range(4)] == [
        Decision(0, [1], True),
        Decision(1, [0], True),
        Decision(0, [1], True),
        Decision(1, [0], True),
    ]
    assert policy.decide(query, idle(2)) == Decision(0, [1], False)  # nobody has answered: both have the bound 1
    policy.learn(Feedback(query, 0, 0.5, 0.0, 0.0))  # 0.5 + 2
    assert policy.decide(query, idle(2)).deployment == 0
    for score in (0.3, 0.1):
        policy.learn(Feedback(query, 0, score, 0.0, 0.0))  # -0.1 + 1.155
    policy.learn(Feedback(query, 1, 0.0, 0.0, 0.0))  # 0 + 2
    assert policy.decide(query, idle(2)).deployment == 1
    assert policy.believes(query).quality.tolist() == [0.0, 0.0]


def test_a_line_is_the_least_squares_one() -> None:
    values = np.random.default_rng(0).random(30)
    slope, level = np.polyfit(np.arange(1, 31), values, 1)
    assert Line(values.tolist()).at(40.0) == pytest.approx(level + slope * 40)
    assert Line([0.7]).at(9) == 0.7


def test_a_window_of_one_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="window is 1; it must be at least 2"):
        TiUcb(window=1)
