"""The fences hold where replicas come and go: autoscalers and interruptions know nothing of what is to come."""

import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.scenario import Retry, Scenario
from sim.study.contract import causal_fence, counterfactual_fence
from sim.study.oracles import EstimateCache
from sim.world.services.slots import Slots
from sim.world.stations.autoscaler import Scaler, WarmPool
from sim.world.stations.scalers import QueueTracking, SloTracking
from sim.world.stations.spot import Spot
from tests.configured import configured_policy

WORKLOAD = synthetic(n_queries=80, n_history=60, n_models=3, dim=8, seed=1)
POOL = WarmPool(1, 0.2, 0.5)
ESTIMATES = EstimateCache()


@pytest.mark.parametrize(
    "scaler",
    [
        QueueTracking(1, 3, 1.0, interval_s=0.7, cold_start_s=1.0, warm_pool=POOL),
        SloTracking(1, 3, 0.5, window_s=3.0, interval_s=0.7, cold_start_s=1.0, stabilisation_s=2.0),
    ],
    ids=["queue", "slo"],
)
def test_a_policy_keeps_the_contract_where_replicas_come_and_go(scaler: Scaler) -> None:
    service = Slots(slots=1, time_to_first_token_s=0.1, time_per_output_token_s=0.01)
    fleet = OnePerModel(service, timeout_s=4.0, autoscaler=scaler, spot=Spot(600.0, 0.5, 1.0, 0.5))
    scenario = Scenario(WORKLOAD, fleet, Weighted(total=40.0), Poisson(9), given, retry=Retry(attempts=2))
    for fence in (counterfactual_fence, causal_fence):
        fence(lambda: configured_policy("least_loaded"), scenario, estimates=ESTIMATES)
