"""Robust batch-level routing (arXiv 2603.26796): lower bounds, places and costs by hand, and the claim's shape."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from policies.estimators.bootstrap import BootstrapLower
from policies.estimators.neighbours import ExactNeighbours
from policies.scored.robust_batch import RobustBatch
from sim.interface import Estimates, Features, History, Predictor, Query
from tests.systems.real import means, needs_data, unlimited
from tests.worlds import idle, tiny_query, tiny_setting

SIXTEEN = ExactNeighbours(k=16)


@dataclass(frozen=True)
class Mean:
    """Predicts the mean of the history for every query."""

    def fit(self, history: History) -> Predictor:
        """Keep the means."""
        return Constant(Estimates(*history.means()))


class Constant:
    """The same for every query."""

    def __init__(self, values: Estimates) -> None:
        self._values = values

    def predict(self, features: Features) -> Estimates:
        """Repeat it."""
        n = len(features.input_tokens)
        return Estimates(np.tile(self._values.quality, (n, 1)), np.tile(self._values.cost, (n, 1)))


# 400 rows: the first model is right on half of them, the second always.
HALF = History(
    Features(np.zeros((400, 2), dtype=np.float32), np.ones(400, dtype=np.int64)),
    np.column_stack([np.arange(400) % 2, np.ones(400)]).astype(np.float64),
    np.ones((400, 2)),
)
ASKED = Features(np.zeros((1, 2), dtype=np.float32), np.ones(1, dtype=np.int64))


def test_the_bound_of_a_mean_is_its_quantile_below_by_the_standard_error() -> None:
    quality = BootstrapLower(Mean(), resamples=400, level=0.1).fit(HALF).predict(ASKED).quality[0]
    assert quality[0] == pytest.approx(0.5 - 1.2816 * 0.5 / np.sqrt(400), abs=0.006)  # the normal's 10% quantile
    assert quality[1] == 1  # on which all resamples agree


def test_the_median_is_about_the_mean_and_costs_are_not_lowered() -> None:
    estimates = BootstrapLower(Mean(), resamples=200, level=0.5).fit(HALF).predict(ASKED)
    assert estimates.quality[0, 0] == pytest.approx(0.5, abs=0.01)
    assert estimates.cost.tolist() == [[1, 1]]


def asked(quality: list[list[float]], cost: list[list[float]]) -> list[Query]:
    return [tiny_query(number, *pair) for number, pair in enumerate(zip(quality, cost, strict=True))]


def chosen(policy: RobustBatch, queries: list[Query], slots: float = np.inf) -> list[int | None]:
    setting = tiny_setting([np.inf, np.inf], len(queries))
    fleet = tuple(replace(info, slots=slots) for info in setting.fleet)
    policy.reset(replace(setting, fleet=fleet), np.random.default_rng(0))
    return [decision.deployment for decision in policy.decide_batch(queries, idle(2))]


THREE = asked([[0.5, 0.9], [0.5, 0.8], [0.5, 0.6]], [[1, 3]] * 3)


def test_more_batches_than_were_expected_are_still_paid_from_what_is_left() -> None:
    policy, state = RobustBatch(SIXTEEN), idle(2)._replace(remaining=np.array([3.0, 9.0]))
    policy.reset(tiny_setting([3, 9], horizon=3), np.random.default_rng(0))
    for _ in range(3):
        assert [decision.deployment for decision in policy.decide_batch(THREE, state)] == [1, 1, 1]


def test_a_cost_per_query_is_for_the_batch_as_a_whole() -> None:
    assert chosen(RobustBatch(SIXTEEN), THREE) == [1, 1, 1]
    assert chosen(RobustBatch(SIXTEEN, cost_per_query=5 / 3), THREE) == [1, 0, 0]  # one of them can have the dear one
    assert chosen(RobustBatch(SIXTEEN, cost_per_query=2 / 3), THREE).count(None) == 1


def test_places_are_kept() -> None:
    assert sorted(chosen(RobustBatch(SIXTEEN), THREE, slots=2), key=str) == [0, 1, 1]
    assert chosen(RobustBatch(SIXTEEN), THREE, slots=1).count(None) == 1


@needs_data
@pytest.mark.parametrize(
    ("cost", "gain"),
    [pytest.param(3e-4, 0.008, marks=pytest.mark.lengthy), pytest.param(1e-3, 0.01, marks=pytest.mark.slow)],
)
def test_lower_bounds_gain_some_hundredths_on_zeroeval_where_the_budget_is_not_tight(cost: float, gain: float) -> None:
    plain, robust = RobustBatch(SIXTEEN, cost), RobustBatch(BootstrapLower(SIXTEEN), cost)
    ours = means(unlimited("zeroeval"), {"plain": plain, "robust": robust})
    assert ours["robust"][0] > ours["plain"][0] + gain
    assert ours["robust"][1] == pytest.approx(cost, rel=0.1)
