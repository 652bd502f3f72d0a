"""Who sees what and when: the preference on arrival, energy and latency with the feedback, and none of them before."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import Listed, OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.deployment import Deployment
from sim.instance import Instance, realise
from sim.interface import Decision, Feedback, Policy, Query, State
from sim.scenario import Scenario
from sim.study.contract import causal_fence, counterfactual_fence
from sim.study.contract.redrawn import redrawn
from sim.study.contract.worlds import world_of
from sim.study.metrics.load import energy_j
from sim.study.oracles import EstimateCache
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.services.measured import Measured
from sim.world.services.slots import Instant
from sim.world.world import simulate
from tests.policies.test_fences import truth
from tests.scripted import At, Scripted

TWO = Rows(
    embeddings=np.eye(3, dtype=np.float32),
    input_tokens=np.full(3, 10),
    quality=np.tile([0.5, 1.0], (3, 1)),
    cost_usd=np.tile([1.0, 2.0], (3, 1)),
    output_tokens=np.full((3, 2), 100),
    confidence=np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]),
    latency_s=np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    energy_j=np.array([[10.0, np.nan], [20.0, np.nan], [30.0, np.nan]]),
    preference=np.array([0.0, 0.5, 1.0]),
)


def instance_of(rows: Rows, *deployments: Deployment) -> Instance:
    """Return three arrivals a second apart; by default at models a and b, by their measured latencies."""
    fleet = deployments or tuple(Deployment(name, name, Measured()) for name in ("a", "b"))
    workload = Workload(("a", "b"), rows, rows)
    return realise(Scenario(workload, Listed(fleet), Unlimited(), At((0.0, 1.0, 2.0)), given), 0, 0)


def record(policy: Policy, instance: Instance) -> pd.DataFrame:
    """Return the request table of a run."""
    estimates = EstimateCache().get(None, instance)
    return frame(simulate("scripted", policy, instance, estimates, np.random.default_rng(0)), instance)


@dataclass
class Noting(Scripted):
    """Note the preferences of the queries."""

    def __post_init__(self) -> None:
        self.preferences: list[float] = []

    def decide(self, query: Query, state: State) -> Decision:
        self.preferences.append(query.preference)
        return super().decide(query, state)


def test_a_query_brings_its_preference_and_without_one_quality_alone_counts() -> None:
    policy = Noting([0, 0, 0])
    record(policy, instance_of(TWO))
    record(policy, instance_of(replace(TWO, preference=None)))
    assert policy.preferences == [0.0, 0.5, 1.0, 1.0, 1.0, 1.0]


def test_feedback_tells_measured_energy_and_nan_where_nobody_knows_it() -> None:
    policy = Scripted([0, 1, 0])
    requests = record(policy, instance_of(TWO))
    heard = {feedback.query.id: feedback.energy_j for feedback in policy.learned}
    assert heard[0] == 10.0
    assert math.isnan(heard[1])
    assert heard[2] == 30.0
    np.testing.assert_array_equal(requests["energy_j"], [10.0, np.nan, 30.0])


def test_without_a_measurement_energy_is_output_tokens_times_joules_of_the_deployment() -> None:
    here = Deployment("a", "a", Instant(), energy_j_per_token=0.5)
    there = Deployment("b", "b", Instant(), energy_j_per_token=0.5)
    requests = record(Scripted([0, 1, 1]), instance_of(TWO, here, there))
    assert requests["energy_j"].tolist() == [10.0, 50.0, 50.0]  # a was measured: 100 tokens x 0.5 J count for b alone
    fleet = pd.DataFrame({"deployment": ["a", "b"], "energy_j_per_token": [0.5, 0.5]})
    assert energy_j(requests, fleet) == 110.0


def test_a_query_that_was_not_served_has_no_energy() -> None:
    requests = record(Scripted([None, 0, 0]), instance_of(TWO))
    np.testing.assert_array_equal(requests["energy_j"], [np.nan, 20.0, 30.0])


def test_the_instance_has_confidences_by_deployment_in_the_order_of_the_fleet() -> None:
    there, here = Deployment("there", "b", Instant()), Deployment("here", "a", Instant())
    assert instance_of(TWO, there, here).confidence.tolist() == [[0.2, 0.1], [0.4, 0.3], [0.6, 0.5]]  # type: ignore[union-attr]


def with_signals() -> Scenario:
    """Return a scenario in which every signal varies."""
    workload = synthetic(n_queries=60, n_history=20, n_models=3, dim=4)
    rng = np.random.default_rng(5)

    def measured(rows: Rows) -> Rows:
        shape = rows.quality.shape
        return replace(rows, latency_s=rng.uniform(0.5, 2, shape), energy_j=rng.uniform(1, 9, shape))

    workload = replace(workload, history=measured(workload.history), test=measured(workload.test))
    return Scenario(workload, OnePerModel(Measured()), Unlimited(), Poisson(5), given)


class Learner(Policy):
    """Go where a joule and a second have been cheapest so far: all by feedback, and so within the fences."""

    def reset(self, setting: object, rng: object) -> None:
        self.paid = [0.0, 0.0, 0.0]

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(np.argmin(self.paid)))

    def learn(self, feedback: Feedback) -> None:
        self.paid[feedback.deployment] += feedback.energy_j * feedback.latency_s


class Knows(Policy):
    """Go where a signal of this query is least: a cheat, which looks into the instance that calls it."""

    signal = ""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(np.argmin(getattr(truth(), self.signal)[query.id])))


class KnowsConfidence(Knows):
    signal = "confidence"


class KnowsLatency(Knows):
    signal = "latency_s"


class KnowsEnergy(Knows):
    signal = "energy_j"


def test_a_policy_that_learns_from_energy_and_latency_keeps_both_fences() -> None:
    counterfactual_fence(Learner, with_signals())
    causal_fence(Learner, with_signals())


@pytest.mark.parametrize("cheat", [KnowsConfidence, KnowsLatency, KnowsEnergy])
def test_a_policy_that_knows_a_signal_beforehand_is_caught(cheat: type[Policy]) -> None:
    with pytest.raises(AssertionError, match="it saw the outcome of a deployment that a query was never offered to"):
        counterfactual_fence(cheat, with_signals())


@pytest.mark.parametrize("signal", ["confidence", "latency_s", "energy_j"])
def test_the_fences_redraw_every_signal_of_calls_that_were_not_made(signal: str) -> None:
    world = world_of(None, with_signals(), 0, None)
    hidden = np.zeros((60, 3), dtype=np.bool_)
    hidden[7, 1] = True
    before, after = getattr(world.instance, signal), getattr(redrawn(world, hidden, costs_too=True).instance, signal)
    assert np.argwhere(before != after).tolist() == [[7, 1]]


def test_a_service_that_replays_latencies_gets_the_redrawn_ones() -> None:
    world = world_of(None, with_signals(), 0, None)
    instance = redrawn(world, np.ones((60, 3), dtype=np.bool_), costs_too=True).instance
    for k in range(3):
        np.testing.assert_array_equal(instance.draws[k][:, 0], instance.latency_s[:, k])  # type: ignore[index]
