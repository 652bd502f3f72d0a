"""Models that the history knows on few rows or none: what estimators and policies make of them, and the fence."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from policies.estimators.blend import Blend
from policies.estimators.kernel_ridge import KernelRidge
from policies.estimators.learned import Learned
from policies.estimators.neighbours import ExactNeighbours, HnswNeighbours
from policies.parts.held_out import held_out
from policies.parts.priced import cost_units
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.instance import realise
from sim.interface import Decision, Estimates, Estimator, Features, History, Policy, Predictor, Query, Setting, State
from sim.scenario import Scenario
from sim.study.contract import (
    NothingHiddenError,
    causal_fence,
    counterfactual_fence,
    history_fence,
    purity_of_estimator,
)
from sim.study.oracles import EstimateCache
from sim.world.services.slots import Slots
from tests.configured import ALL, configured_policy
from tests.policies.test_fences import truth
from tests.worlds import tiny_setting

WORKLOAD = synthetic(n_queries=60, n_history=60, n_models=4, dim=8, seed=1)
NEVER, FEW = WORKLOAD.models[0], WORKLOAD.models[2]
SLOTS = OnePerModel(Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.005), queue_capacity=4)
SCENARIO = Scenario(WORKLOAD, SLOTS, Weighted(total=1.0), Poisson(20), shuffled, profiled={NEVER: 0, FEW: 7})
HISTORY = realise(SCENARIO, 0, 0).setting.history
WHOLE = realise(replace(SCENARIO, profiled=None), 0, 0).setting.history
TEST = realise(SCENARIO, 0, 0).features
ESTIMATORS: dict[str, Estimator] = {
    "exact": ExactNeighbours(),
    "hnsw": HnswNeighbours(),
    "kernel": KernelRidge(),
    "blend": Blend(KernelRidge(), ExactNeighbours(k=50, weights="distance", at_most=True)),
    "logistic": Learned(),
    "ridge": Learned(quality="ridge"),
}
SHARED = EstimateCache()


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"blend"}))  # whose weights are of all deployments together
def test_a_deployment_known_on_few_rows_is_learned_from_these_alone(name: str) -> None:
    estimator, few = ESTIMATORS[name], np.flatnonzero(HISTORY.known[:, 2])
    features = Features(WHOLE.features.embeddings[few], WHOLE.features.input_tokens[few])
    alone = estimator.fit(History(features, WHOLE.quality[few][:, [2]], WHOLE.cost[few][:, [2]])).predict(TEST)
    estimates = estimator.fit(HISTORY).predict(TEST)
    assert np.array_equal(estimates.quality[:, 2], alone.quality[:, 0])
    assert np.array_equal(estimates.cost[:, 2], alone.cost[:, 0])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_deployment_that_nobody_has_seen_is_taken_for_an_average_one(name: str) -> None:
    quality, cost = ESTIMATORS[name].fit(HISTORY).predict(TEST)
    assert cost[:, 0] == pytest.approx(cost[:, 1:].mean(axis=1))
    assert cost[:, 0].min() > 0
    assert quality[:, 0] == pytest.approx(quality[:, 1:].mean(axis=1), abs=0.1 if name == "blend" else 1e-12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_is_complete_and_pure_with_one_row_two_or_none(name: str) -> None:
    class Asks(Policy):
        estimator = ESTIMATORS[name]

        def decide(self, query: Query, state: State) -> Decision:
            return Decision(0)

    scenario = replace(SCENARIO, profiled=dict(zip(WORKLOAD.models, (0, 1, 2), strict=False)))
    purity_of_estimator(Asks, scenario)
    history = realise(scenario, 0, 0).setting.history
    fitted = ESTIMATORS[name].fit(history)
    for estimates in (fitted.predict(TEST), held_out(ESTIMATORS[name], fitted, history)):
        assert np.isfinite(estimates.quality).all()
        assert np.isfinite(estimates.cost).all()


def test_a_row_is_held_out_of_the_fit_of_those_that_it_knows() -> None:
    history = History(
        Features(np.array([[1, 0], [1, 0.1], [0, 1]], np.float32), np.ones(3, np.int64)),
        quality=np.array([[0.0, 0.2], [1.0, np.nan], [1.0, 0.6]]),
        cost=np.array([[1.0, 3.0], [2.0, np.nan], [2.0, 5.0]]),
    )
    estimator = ExactNeighbours(k=1)
    left_out = held_out(estimator, estimator.fit(history), history)
    assert left_out.quality[:, 0].tolist() == [1.0, 0.0, 1.0]  # the nearest other row
    assert left_out.quality[:, 1].tolist() == [0.6, 0.2, 0.2]  # the middle row is no neighbour of anybody
    assert left_out.cost[:, 1].tolist() == [5.0, 3.0, 3.0]


def test_means_are_of_known_rows_and_a_cost_never_seen_is_the_mean_of_those_in_its_unit() -> None:
    nan = np.nan
    history = History(
        Features(np.ones((2, 1), np.float32), np.ones(2, np.int64)),
        quality=np.array([[0.2, 0.5, nan, nan], [0.4, nan, nan, 0.9]]),
        cost=np.array([[0.1, 100.0, nan, nan], [0.3, nan, nan, 200.0]]),
        units=("usd", "tokens", "tokens", "tokens"),
    )
    quality, cost = history.means()
    assert quality == pytest.approx([0.3, 0.5, (0.3 + 0.5 + 0.9) / 3, 0.9])
    assert cost == pytest.approx([0.2, 100, 150, 200])
    units = cost_units(replace(tiny_setting([1, 1, 1, 1], 10), history=history))
    assert units == pytest.approx([0.2, 100, 150, 200])


def test_a_cost_is_not_guessed_from_another_unit() -> None:
    history = replace(HISTORY, units=("tokens", "usd", "usd", "usd"))
    with pytest.raises(ValueError, match="no row of any deployment whose budget is in tokens, so nothing says what"):
        history.means()


@pytest.mark.parametrize("name", ALL)
def test_no_policy_sees_the_hidden_part_of_the_history(name: str) -> None:
    history_fence(lambda: configured_policy(name), SCENARIO, estimates=SHARED)


@pytest.mark.parametrize("name", ["port_fallback", "steward", "mirror_descent_entropic", "knapsack_threshold"])
def test_the_outcomes_of_a_model_without_history_are_not_seen_before_it_has_served(name: str) -> None:
    counterfactual_fence(lambda: configured_policy(name), SCENARIO, estimates=SHARED)
    causal_fence(lambda: configured_policy(name), SCENARIO, estimates=SHARED)


class ReadsTheWholeHistory(Policy):
    """Goes where the history is best, the part included that is hidden from it."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        quality = truth().scenario.workload.history.quality
        self._best = quality.argmax(axis=1)

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(self._best[query.id % len(self._best)]))


def test_a_policy_that_reads_the_hidden_part_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw a part of the history that is hidden"):
        history_fence(ReadsTheWholeHistory, SCENARIO)


def test_the_fence_says_so_where_nothing_is_hidden() -> None:
    with pytest.raises(NothingHiddenError, match="every model is known on the whole history"):
        history_fence(ReadsTheWholeHistory, replace(SCENARIO, profiled=None))


def test_what_is_hidden_of_a_history_without_a_topic_is_fenced_too() -> None:
    without = replace(SCENARIO, unseen=("topic-02",))
    assert len(realise(without, 0, 0).setting.history.known) < len(WORKLOAD.history)
    history_fence(lambda: configured_policy("knn_perf"), without)
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw a part of the history that is hidden"):
        history_fence(ReadsTheWholeHistory, without)


@dataclass(frozen=True)
class PlainMeans:
    """An estimator of somebody's own that has not heard of models without history."""

    def fit(self, history: History) -> Predictor:
        return Told(history.quality.mean(axis=0), history.cost.mean(axis=0))


@dataclass(frozen=True)
class Told:
    """The same for every query."""

    quality: np.ndarray
    cost: np.ndarray

    def predict(self, features: Features) -> Estimates:
        n = len(features.input_tokens)
        return Estimates(np.tile(self.quality, (n, 1)), np.tile(self.cost, (n, 1)))


def test_an_estimator_that_cannot_do_without_history_is_named() -> None:
    with pytest.raises(ValueError, match=r"PlainMeans predicts no number for .*, which 0 of 60 history rows know"):
        EstimateCache().get(PlainMeans(), realise(SCENARIO, 0, 0))


@pytest.mark.parametrize("make", [lambda: None, ExactNeighbours])
def test_estimates_are_of_the_replications_own_history(make: Callable[[], Estimator | None]) -> None:
    cache = EstimateCache()
    one, other = (cache.get(make(), realise(SCENARIO, 0, replication)) for replication in (0, 1))
    assert not np.array_equal(one.quality[:, 2], other.quality[:, 2])  # learned from other rows
    assert np.array_equal(one.quality[:, 1], other.quality[:, 1])
