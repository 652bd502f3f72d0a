"""A quality floor at run time, after PROTEUS (arXiv 2601.19402): prices by hand, and floors that are met in truth."""

from dataclasses import dataclass

import numpy as np
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.scored.floor_batch import FloorBatch
from policies.scored.floor_tracking import FloorTracking, reached
from sim.interface import Estimates, Features, Feedback, History, Predictor, Query, Setting
from tests.systems.real import means, needs_data, unlimited
from tests.worlds import idle, tiny_query, tiny_setting

SIXTEEN = ExactNeighbours(k=16)


@dataclass(frozen=True)
class Told:
    """Predicts the same for every query: the second model is better, by 0.5, and dearer, by 1."""

    def fit(self, history: History) -> Predictor:
        """Learn nothing."""
        return Same()


class Same:
    """Qualities 0.4 and 0.9 for 1 and 2."""

    def predict(self, features: Features) -> Estimates:
        """Say so for every query."""
        n = len(features.input_tokens)
        return Estimates(np.tile([0.4, 0.9], (n, 1)), np.tile([1.0, 2.0], (n, 1)))


def history(truth: list[list[float]]) -> History:
    n = len(truth)
    features = Features(np.zeros((n, 1), dtype=np.float32), np.ones(n, dtype=np.int64))
    return History(features, np.array(truth, dtype=np.float64), np.tile([1.0, 2.0], (n, 1)))


def started(policy: FloorTracking, truth: list[list[float]]) -> FloorTracking:
    base = tiny_setting([np.inf, np.inf], 100)
    policy.reset(Setting(base.fleet, base.budgets, 100, history(truth)), np.random.default_rng(0))
    return policy


def query(preference: float = 1.0) -> Query:
    return tiny_query(0, [0.4, 0.9], [1.0, 2.0])._replace(preference=preference)


# In truth the first model has 0.6 and the second 0.8.
TRUTH = [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]


def test_a_floor_that_the_cheap_model_keeps_in_truth_needs_no_other_whatever_is_predicted() -> None:
    assert started(FloorTracking(Told(), 0.6), TRUTH).decide(query(), idle(2)).deployment == 0  # predicted: 0.4
    assert started(FloorTracking(Told(), 0.7), TRUTH).decide(query(), idle(2)).deployment == 1
    assert started(FloorTracking(Told(), 0.9), TRUTH).decide(query(), idle(2)).deployment == 1  # no price reaches it


def test_what_is_reached_is_of_rows_whose_choice_is_known() -> None:
    quality, cost = np.array([[0.4, 0.9]] * 2), np.array([[1.0, 2.0]] * 2)
    truth = np.array([[1.0, np.nan], [0.0, 0.8]])
    assert reached(quality, cost, 0.0, truth) == 0.5
    assert reached(quality, cost, 10.0, truth) == 0.8


def test_answers_that_are_worse_than_asked_for_raise_the_price() -> None:
    policy = started(FloorTracking(Told(), 0.55, rate=0.1), TRUTH)
    assert policy.decide(query(), idle(2)).deployment == 0
    policy.learn(Feedback(query(), 0, quality=np.nan, cost=1.0, latency_s=0.0))  # no score says nothing
    assert policy.decide(query(), idle(2)).deployment == 0
    policy.learn(Feedback(query(), 0, quality=0.0, cost=1.0, latency_s=0.0))  # 0.1 x 0.55 more: above 0.6
    assert policy.decide(query(), idle(2)).deployment == 1


def test_each_query_may_bring_its_own_floor() -> None:
    policy = started(FloorTracking(Told(), by_preference=True), TRUTH)
    assert [policy.decide(query(floor), idle(2)).deployment for floor in (0.5, 0.75)] == [0, 1]


@needs_data
def test_floors_are_met_to_a_hundredth_where_predicted_floors_are_missed_by_nine() -> None:
    floors = (0.5, 0.6, 0.65, 0.7, 0.75)
    policies = {str(floor): FloorTracking(SIXTEEN, floor) for floor in floors}
    ours = means(unlimited("zeroeval"), {**policies, "batch": FloorBatch(SIXTEEN, 0.7)})
    quality = [ours[str(floor)][0] for floor in floors]
    assert all(have > floor - 0.01 for have, floor in zip(quality, floors, strict=True))
    assert np.corrcoef(quality, floors)[0, 1] > 0.97  # the paper has 0.97 to 0.98
    assert ours["batch"][0] < 0.7 - 0.08


@pytest.mark.parametrize(("floor", "rate", "message"), [(1.2, 0.1, "floor is 1.2"), (0.5, 1.0, "rate is 1.0")])
def test_a_setting_out_of_range_is_refused(floor: float, rate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FloorTracking(SIXTEEN, floor, rate)
