"""Random fleets, events, budgets and policies: nothing is lost, whatever goes wrong (Hypothesis)."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.arrivals import Poisson
from scenarios.arrivals.closed import ClosedLoop
from scenarios.budgets import Uniform, Unlimited, Weighted
from scenarios.events import BudgetCut, Degradation, Joins, Leaves, Outage, PriceChange, RandomOutages, TopUp
from scenarios.fleets import Listed
from scenarios.orders import shuffled
from scenarios.quality_events import Practice, QualityChange
from scenarios.shared_budgets import Global
from scenarios.workloads.synthetic import synthetic
from sim.assignment.rows import pooled
from sim.deployment import Deployment, Service
from sim.distributions import Lognormal
from sim.instance import Instance, realise, stream
from sim.interface import FloatArray, Gate
from sim.scenario import Retry, Scenario, TokenBucket, Window
from sim.study.oracles import EstimateCache
from sim.traits import ServiceTraits
from sim.world.record import FATES, RequestTable, frame
from sim.world.record.calls import call_frame
from sim.world.record.replicas import Replicas
from sim.world.services.batching import Batching
from sim.world.services.hosted import Api
from sim.world.services.paged import PagedBatching
from sim.world.services.slots import Instant, Slots
from sim.world.services.timed import Timed
from sim.world.stations.autoscaler import Scaler, TargetTracking, WarmPool
from sim.world.stations.balancer import JoinShortestQueue, LeastLoaded, PowerOfTwo, RoundRobin
from sim.world.stations.queue import earliest_deadline, highest_priority, shortest_predicted
from sim.world.stations.scalers import QueueTracking, SloTracking, UtilisationTracking
from sim.world.stations.spot import Spot
from sim.world.world import simulate
from tests.configured import NAMES, configured_policy
from tests.conftest import PROOF
from tests.world.test_deployments import Always

POLICIES = {name: configured_policy(name) for name in NAMES}
WITHOUT_BATCHES = [name for name in NAMES if POLICIES[name].gate == Gate()]  # users in a closed loop never fill a batch
WORKLOAD = synthetic(n_queries=60, n_history=30, n_models=3, dim=4, seed=2)
MODELS = WORKLOAD.models

times = st.floats(0, 8)
names = st.sampled_from([*MODELS, None])
services: st.SearchStrategy[Service] = st.one_of(
    st.just(Instant()),
    st.builds(
        Slots,
        slots=st.integers(1, 3),
        time_to_first_token_s=st.floats(0, 0.5),
        time_per_output_token_s=st.floats(0, 0.01),
        context_tokens=st.none() | st.integers(50, 400),
    ),
    st.builds(Timed, slots=st.integers(1, 3), duration=st.builds(Lognormal, st.floats(0.01, 1), st.floats(0.1, 3))),
    st.builds(
        Batching,
        slots=st.integers(1, 5),
        iteration_base_s=st.floats(0.0001, 0.01),
        iteration_per_sequence_s=st.floats(0, 0.01),
        prefill_per_token_s=st.floats(0, 0.001),
        kv_tokens=st.none() | st.integers(300, 2000),
        reserved_output_tokens=st.none() | st.integers(1, 300),
    ),
    st.builds(
        PagedBatching,
        slots=st.integers(1, 5),
        iteration_base_s=st.floats(0.0001, 0.01),
        iteration_per_sequence_s=st.floats(0, 0.01),
        iteration_per_kv_token_s=st.floats(0, 1e-5),
        prefill_per_token_s=st.floats(0, 0.001),
        batched_tokens=st.none() | st.integers(10, 500),
        kv_tokens=st.none() | st.integers(300, 2000),
        ranks=st.integers(1, 2),
        overhead_s=st.floats(0, 0.2),
    ),
    st.builds(
        Api,
        requests_per_minute=st.none() | st.integers(30, 3000),
        tokens_per_minute=st.none() | st.integers(10_000, 500_000),
        time_to_first_token_s=st.floats(0.01, 1),
        first_token_log_sd=st.floats(0, 1),
        time_per_output_token_s=st.floats(0.0001, 0.01),
        output_token_log_sd=st.floats(0, 1),
        when_limited=st.sampled_from(["wait", "reject"]),
    ),
)
rules: dict[str, st.SearchStrategy[Any]] = {
    "minimum": st.just(1),
    "maximum": st.integers(1, 4),
    "interval_s": st.floats(0.1, 2),
    "cold_start_s": st.floats(0, 2),
    "stabilisation_s": st.floats(0, 4),
    "warm_pool": st.none() | st.builds(WarmPool, st.integers(0, 2), st.floats(0, 1), st.floats(0, 1)),
}
autoscalers: st.SearchStrategy[Scaler] = st.one_of(
    st.builds(TargetTracking, target_per_replica=st.floats(0.5, 4), **rules),
    st.builds(QueueTracking, target_waiting_per_replica=st.floats(0.5, 4), **rules),
    st.builds(UtilisationTracking, target=st.floats(0.2, 1), **rules),
    st.builds(SloTracking, limit_s=st.floats(0.1, 2), of=st.sampled_from(["first_token", "wait"]), **rules),
)
spots = st.builds(Spot, st.floats(0, 2000), st.floats(0, 1), st.floats(0, 2), st.just(0.5))


def with_capacity(one: Deployment, scaler: Scaler | None, spot: Spot | None) -> Deployment:
    """A deployment that scales as one of its kind can, on spot replicas or not."""
    if isinstance(scaler, UtilisationTracking) and ServiceTraits.of(one.service).slots is None:
        scaler = None  # it is refused
    return replace(one, autoscaler=scaler, spot=spot)


fleets = st.tuples(
    *(
        st.builds(
            Deployment,
            name=st.just(model),
            model=st.just(model),
            service=services,
            queue_capacity=st.none() | st.integers(0, 4),
            replicas=st.integers(1, 3),
            balancer=st.sampled_from([None, LeastLoaded(), JoinShortestQueue(), PowerOfTwo(), RoundRobin()]),
            discipline=st.sampled_from([None, shortest_predicted, highest_priority, earliest_deadline]),
            patience=st.none() | st.builds(Always, st.floats(0.01, 2)),
            timeout_s=st.none() | st.floats(0.05, 3),
        ).flatmap(lambda one: st.builds(with_capacity, st.just(one), st.none() | autoscalers, st.none() | spots))
        for model in MODELS
    )
).map(Listed)
one_of_them = st.sampled_from(MODELS)
events = st.lists(
    st.one_of(
        st.builds(Outage, times, times, names),
        st.builds(RandomOutages, st.floats(0.3, 5), st.floats(0.1, 2), names),
        st.builds(Degradation, times, times, st.floats(0.2, 5), names),
        st.builds(PriceChange, times, st.floats(0, 3), names),
        st.builds(QualityChange, times, st.floats(0, 3), names, st.none() | times),
        st.builds(Practice, st.floats(0, 1), st.floats(0, 0.1), names),
        st.builds(BudgetCut, st.floats(0, 1), times, names),
        st.builds(TopUp, times, st.floats(0, 0.01), one_of_them),
        st.builds(Joins, times, one_of_them),
        st.builds(Leaves, times, one_of_them),
    ),
    max_size=3,
)
windows: st.SearchStrategy[Window | TokenBucket | None] = st.one_of(
    st.none(),
    st.builds(Window, st.floats(0.5, 5), st.booleans(), st.booleans()),
    st.builds(TokenBucket, st.floats(0.5, 5)),
)


open_loop = st.builds(Poisson, st.floats(1, 50))
closed_loop = st.builds(ClosedLoop, st.integers(1, 9), st.floats(0, 1))


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    window = draw(windows)
    spreads = isinstance(window, TokenBucket) or (window is not None and window.spread)
    outcomes = ["lost", "fallback"] if window is None else ["lost", "fallback", "wait"]
    scenario = Scenario(
        workload=WORKLOAD,
        fleet=draw(fleets),
        budget=draw(
            st.builds(Weighted, st.floats(0, 2))
            | st.builds(Uniform, st.floats(0, 2))
            | st.builds(Global, st.floats(0, 2))
            | st.just(Unlimited())
        ),
        arrivals=draw(open_loop if spreads else open_loop | closed_loop),
        order=shuffled,
        exhausted=draw(st.sampled_from(outcomes)),
        events=draw(events),
        window=window,
        reserve=draw(st.sampled_from(["true_cost", "estimate"])),
        retry=draw(st.builds(Retry, st.integers(1, 3), st.floats(0.01, 1), st.floats(1, 3))),
        state_refresh_s=draw(st.none() | st.floats(0.1, 3)),
        decision_s=draw(st.just(0.0) | st.floats(0, 1)),
    )
    return realise(scenario, seed=draw(st.integers(0, 1000)), replication=0)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(max_examples=1000 if PROOF else 100, derandomize=True)  # the same worlds on every machine
@given(instance=instances(), name=st.sampled_from(WITHOUT_BATCHES))
def test_every_arrival_has_one_fate_whatever_goes_wrong(instance: Instance, name: str) -> None:
    estimates = EstimateCache().get(POLICIES[name].estimator, instance)

    def simulated() -> RequestTable:
        return simulate(name, POLICIES[name], instance, estimates, stream(0, 0, "policy"))

    table = simulated()
    requests = frame(table, instance)
    assert requests.equals(frame(simulated(), instance))  # the same seed gives the same

    assert set(requests["fate"]) <= set(FATES) - {"pending"}
    served = requests[requests["fate"] == "served"]
    steps = ["arrived_at_s", "decided_at_s", "started_at_s", "first_token_at_s", "finished_at_s", "ended_at_s"]
    assert (served[steps].diff(axis=1).iloc[:, 1:] >= -1e-9).all(axis=None)
    assert (requests["ended_at_s"] >= requests["decided_at_s"]).all()
    assert (requests["decided_at_s"] >= requests["arrived_at_s"]).all()
    assert requests["attempts"].between(1, instance.scenario.retry.attempts).all()
    assert requests["quality"].between(0, 1).all()
    assert (served["started_at_s"].notna() & served["finished_at_s"].notna()).all()
    assert requests.loc[requests["fate"] != "served", "finished_at_s"].isna().all()

    for log, deployment in zip(table.replicas, instance.fleet, strict=True):
        check_replicas(log.rows, deployment)

    if instance.scenario.window is None and not any(isinstance(event, TopUp) for event in instance.scenario.events):
        within = instance.setting.budgets * (1 + 1e-9) + np.array(table.overshoot)
        assert (pooled(spent(table, instance), instance.setting.accounts) <= within).all()
    if instance.scenario.reserve == "true_cost":
        assert table.overshoot == [0.0] * len(instance.fleet)


def check_replicas(rows: list[Replicas], deployment: Deployment) -> None:
    """Replicas are within bounds, and what is paid for is what is there."""
    scaler = deployment.autoscaler
    assert isinstance(scaler, Scaler | None)
    pool = WarmPool(0) if scaler is None or scaler.warm_pool is None else scaler.warm_pool
    for row in rows:
        assert row.spare <= pool.size
        assert row.paid == pytest.approx(row.serving + row.starting + row.spare * pool.price_share)
        if scaler is None and deployment.spot is None:
            assert row.serving == row.paid == deployment.replicas
        elif scaler is None:
            assert row.serving <= 2 * deployment.replicas + row.interruptions
    counts = [(row.interruptions, row.interrupted) for row in rows]
    assert counts == sorted(counts)


def spent(table: RequestTable, instance: Instance) -> FloatArray:
    """What each deployment charged: a query of several calls pays each deployment that answered one of them."""
    paid = frame(table, instance) if table.calls is None else call_frame(table.calls, instance)
    served = paid[paid["fate"] == "served"]
    return np.bincount(
        served["deployment"].cat.codes, weights=served["cost_usd"], minlength=len(instance.fleet)
    ).astype(np.float64)
