"""TI-UCB (arXiv 2403.07213) through the world, on models whose quality rises with their use (``events=practice``).

Scores are halved and raised by a quarter, so that all of them lie in [0, 1], noise and all; the radius and the
threshold are halved with them, which leaves every decision as it is. The mean score of answer n of a model is, before
that, min(start + slope n, limit). Regret depends on the noise: in single runs plain means have 1.4 to 38 times ours.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from policies.bandits.ti_ucb import TiUcb
from scenarios.arrivals.renewal import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.quality_events import Practice
from sim.instance import realise
from sim.interface import FloatArray, Policy
from sim.scenario import Controls, Event, Scenario
from sim.study.oracles import EstimateCache
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.services.slots import Instant
from sim.world.world import simulate
from tests.systems.bandits.test_ti_ucb import LIMIT, SLOPE, START, N, PlainUcb, mean_score, regret
from tests.systems.driving import REFERENCE, needs

MODELS = ("level", "steep", "slow")


def squeezed(score: FloatArray | float) -> Any:
    return 0.25 + score / 2


def halved() -> Policy:
    """TI-UCB for scores that are halved: a radius of sqrt(4 ln(1 / delta) / n) is half if delta is its fourth root."""
    return TiUcb(delta=0.05**0.25, threshold=0.0375)


def counted(policy: Policy, scores: FloatArray, events: list[Event]) -> tuple[float, list[int], pd.DataFrame]:
    """Return the sum of the mean scores of a run, how often each model answered, and the record; a row per query."""
    n = len(scores)
    rows = Rows(
        embeddings=np.eye(n, 2, dtype=np.float32),
        input_tokens=np.full(n, 10),
        quality=scores,
        cost_usd=np.ones((n, 3)),
    )
    scenario = Scenario(
        Workload(MODELS, rows, rows), OnePerModel(Instant()), Unlimited(), Deterministic(1.0), given, events=events
    )
    instance = realise(scenario, 0, 0)
    table = simulate("p", policy, instance, EstimateCache().get(None, instance), np.random.default_rng(0))
    requests = frame(table, instance)
    answers = [int((requests["deployment"] == name).sum()) for name in MODELS]
    total = sum(mean_score(model, k) for model, many in enumerate(answers) for k in range(1, many + 1))
    return total, answers, requests


def practice() -> list[Event]:
    """As the means above have it: the workload's scores are the limits, and how far below them each model begins."""
    each = zip(MODELS, START, SLOPE, LIMIT, strict=True)
    return [Practice((limit - start) / 2, slope / 2, name) for name, start, slope, limit in each]


@dataclass(frozen=True)
class NoiseByAnswer:
    """The means above as they are, with noise that belongs to the number of the answer and not to the query."""

    noise: FloatArray
    deployment = None
    moves_money = False
    moves_quality = True

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        for model, name in enumerate(MODELS):
            controls.practise(name, partial(self.shift, model))
        yield controls.env.timeout(0)

    def shift(self, model: int, n: int) -> float:
        """To be added to a score of 0."""
        return float(squeezed(mean_score(model, n) + self.noise[n - 1, model]))


def reference_noise() -> FloatArray:
    noise: FloatArray = pd.read_csv(REFERENCE / "tiucb_noise.csv")[["e0", "e1", "e2"]].to_numpy()
    return noise


@needs("tiucb_noise.csv")
def test_the_totals_of_the_reference_are_those_of_the_world_too() -> None:
    events: list[Event] = [NoiseByAnswer(reference_noise())]
    policy = halved()
    total, answers, _ = counted(policy, np.zeros((N, 3)), events)
    assert total == pytest.approx(17_720.1, abs=0.06)
    assert answers == [308, 19_602, 90]
    assert regret(total) == pytest.approx(157.7, abs=0.06)
    total, answers, _ = counted(PlainUcb(unit=0.5), np.zeros((N, 3)), events)
    assert total == pytest.approx(14_407.8, abs=0.06)
    assert answers == [1635, 8855, 9510]


def regrets(seed: int) -> tuple[float, float]:
    """Return ours and that of bounds on plain means, where practice makes models better; the noise is by query."""
    scores = squeezed(np.array(LIMIT) + np.random.default_rng(seed).normal(0, 0.1, (N, 3)))
    ours, _, _ = counted(halved(), scores, practice())
    plain, _, _ = counted(PlainUcb(unit=0.5), scores, practice())
    return regret(ours), regret(plain)


def test_where_practice_makes_models_better_regret_is_more_than_ten_times_below_bounds_on_means() -> None:
    ours, plain = regrets(8)
    assert plain > 10 * ours > 0


@pytest.mark.slow
def test_over_twenty_runs_mean_regret_is_more_than_ten_times_below_bounds_on_means() -> None:
    ours, plain = np.mean([regrets(seed) for seed in range(20)], axis=0)
    assert plain > 10 * ours


def test_the_record_has_the_scores_of_the_answers_as_they_were_given() -> None:
    scores = squeezed(np.tile(LIMIT, (300, 1)))
    _, answers, requests = counted(halved(), scores, practice())
    assert min(answers) > 2
    for model, name in enumerate(MODELS):
        means = [mean_score(model, n) for n in range(1, answers[model] + 1)]
        got = requests.loc[requests["deployment"] == name, "quality"]
        assert got.to_numpy() == pytest.approx(squeezed(np.array(means)))
    assert math.isfinite(requests["quality"].sum())
