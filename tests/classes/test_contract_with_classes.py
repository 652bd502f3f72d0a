"""The fences hold where queries have classes and one takes the place of another."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.interface import Decision, Policy, Query, State
from sim.scenario import Retry, Scenario
from sim.study.contract import causal_fence, counterfactual_fence
from sim.study.contract.worlds import world_of
from sim.study.oracles import EstimateCache
from sim.workload.classes import TrafficClass, classified
from sim.world.services.slots import Slots
from sim.world.stations.queue import highest_priority
from tests.configured import configured_policy

CLASSES = {"interactive": TrafficClass(0.4, 0, 1.0), "batch": TrafficClass(0.6, 1, None, 0.5)}
WORKLOAD = classified(
    synthetic(n_queries=100, n_history=100, n_models=3, dim=8, seed=1),
    CLASSES,
    {"acme": 0.7, "zenith": 0.3},
    np.random.default_rng(0),
)
FLEET = OnePerModel(
    Slots(slots=1, time_to_first_token_s=0.1, time_per_output_token_s=0.01),
    queue_capacity=4,
    timeout_s=4.0,
    discipline=highest_priority,
    preemptive=True,
)
SCENARIO = Scenario(WORKLOAD, FLEET, Weighted(total=40.0), Poisson(9), given, retry=Retry(attempts=2))
ESTIMATES = EstimateCache()


@dataclass
class UrgentFirst(Policy):
    """Send urgent queries where there is the least load, and all others where quality is the highest."""

    def decide(self, query: Query, state: State) -> Decision:
        if query.priority == 0:
            return Decision(int((state.queued + state.in_flight).argmin()))
        return Decision(int(query.quality_hat.argmax()))


def shipped(name: str) -> Callable[[], Policy]:
    return UrgentFirst if name == "urgent_first" else lambda: configured_policy(name)


@pytest.mark.parametrize("name", ["urgent_first", "least_loaded", "port_fallback", "latency_priced", "cascade"])
@pytest.mark.parametrize("scenario", [SCENARIO, replace(SCENARIO, reserve="estimate", decision_s=0.05)])
def test_policies_keep_the_contract(name: str, scenario: Scenario) -> None:
    counterfactual_fence(shipped(name), scenario, estimates=ESTIMATES)
    causal_fence(shipped(name), scenario, estimates=ESTIMATES)


def test_in_that_world_some_are_stopped_refused_and_too_late() -> None:
    requests, _, _ = world_of(None, SCENARIO, 0, None).run(shipped("least_loaded")())
    assert (requests["preempted_s"] > 0).any()
    assert {"served", "rejected", "timed_out"} <= set(requests["fate"])
