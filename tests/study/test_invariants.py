"""Conservation of fates, budgets and time in random worlds (Hypothesis), for every policy in conf/policy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.arrivals.renewal import Deterministic, Poisson
from scenarios.budgets import Uniform, Unlimited, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import given as given_order
from scenarios.orders import shuffled
from scenarios.shared_budgets import Global
from scenarios.workloads.synthetic import synthetic
from sim.assignment.rows import pooled
from sim.instance import Instance, realise, stream
from sim.scenario import Scenario
from sim.study.metrics import counts
from sim.study.oracles import EstimateCache
from sim.world.record import frame
from sim.world.services.slots import Instant, Slots
from sim.world.world import simulate
from tests.configured import ALL, NAMES, configured_policy

POLICIES = {name: configured_policy(name) for name in NAMES}

services = st.one_of(
    st.just(Instant()),
    st.builds(
        Slots,
        slots=st.integers(1, 4),
        time_to_first_token_s=st.floats(0, 1),
        time_per_output_token_s=st.floats(0, 0.01),
    ),
)
units = st.sampled_from(["usd", "tokens"])
totals = st.floats(0, 2)
instances = st.builds(
    lambda workload, fleet, budget, arrivals, order, exhausted, seed: realise(
        Scenario(workload, fleet, budget, arrivals, order, exhausted), seed, 0
    ),
    workload=st.builds(
        synthetic,
        n_queries=st.integers(1, 80),
        n_history=st.integers(30, 60),
        n_models=st.integers(1, 4),
        dim=st.just(4),
        seed=st.integers(0, 9),
    ),
    fleet=st.builds(OnePerModel, service=services, queue_capacity=st.one_of(st.none(), st.integers(0, 3))),
    budget=st.one_of(
        st.builds(Weighted, total=totals, unit=units),
        st.builds(Uniform, total=totals, unit=units),
        st.builds(Global, total=totals, unit=units),
        st.builds(Unlimited, unit=units),
    ),
    arrivals=st.builds(Poisson, st.floats(0.1, 50)) | st.builds(Deterministic, st.floats(0.1, 50)),
    order=st.sampled_from([given_order, shuffled]),
    exhausted=st.sampled_from(["lost", "fallback"]),
    seed=st.integers(0, 2**32),
)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=5, derandomize=True)
@given(instance=instances)
def test_every_query_has_one_fate_no_budget_is_exceeded_and_time_runs_forward(name: str, instance: Instance) -> None:
    estimates = EstimateCache().get(POLICIES[name].estimator, instance)
    first, second = (
        frame(simulate(name, POLICIES[name], instance, estimates, stream(0, 0, "policy")), instance) for _ in range(2)
    )
    assert first.equals(second)  # a policy that is reset remembers nothing

    fates = counts(first)
    assert fates["arrived"] == fates["served"] + fates["declined"] + fates["exhausted"] + fates["rejected"]

    served = first[first["fate"] == "served"]
    rows, chosen = instance.rows[served["id"]], served["deployment"].cat.codes
    at_each = np.bincount(chosen, weights=instance.cost[rows, chosen], minlength=len(instance.fleet))
    spent = pooled(at_each, instance.setting.accounts)
    assert (spent <= instance.setting.budgets * (1 + 1e-12)).all()

    steps = ["arrived_at_s", "decided_at_s", "started_at_s", "first_token_at_s", "finished_at_s"]
    assert (served[steps].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert first.loc[first["fate"] != "served", "finished_at_s"].isna().all()
    assert first["arrived_at_s"].is_monotonic_increasing
