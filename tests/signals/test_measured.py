"""The service that takes the workload's own latencies."""

from dataclasses import replace

import numpy as np
import pytest

from scenarios.budgets import Unlimited
from scenarios.events import Degradation
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.deployment import Deployment
from sim.instance import realise
from sim.scenario import Scenario
from sim.workload import Workload
from sim.world.services.measured import Measured
from tests.scripted import At, Scripted
from tests.signals.test_what_a_policy_sees import TWO, instance_of, record


def test_each_query_takes_the_latency_that_was_measured_of_it_there() -> None:
    requests = record(Scripted([0, 1, 0]), instance_of(TWO))
    assert requests["finished_at_s"].tolist() == [0.0 + 1.0, 1.0 + 4.0, 2.0 + 5.0]
    assert requests["first_token_at_s"].tolist() == requests["finished_at_s"].tolist()


def test_latencies_follow_their_rows_whatever_the_order() -> None:
    workload = Workload(("a", "b"), TWO, TWO)
    fleet = Listed([Deployment(name, name, Measured()) for name in ("a", "b")])

    def backwards(rows: object, rng: object) -> np.ndarray:
        return np.array([2, 1, 0])

    instance = realise(Scenario(workload, fleet, Unlimited(), At((0.0, 1.0, 2.0)), backwards), 0, 0)
    assert record(Scripted([0, 0, 0]), instance)["finished_at_s"].tolist() == [5.0, 4.0, 3.0]


def test_with_one_slot_the_second_query_waits_for_the_first() -> None:
    one = Deployment("a", "a", Measured(slots=1))
    requests = record(Scripted([0, 0, 0]), instance_of(TWO, one))
    assert requests["started_at_s"].tolist() == [0.0, 1.0, 4.0]
    assert requests["finished_at_s"].tolist() == [1.0, 4.0, 9.0]


def test_a_deployment_that_slows_down_stretches_measured_latencies() -> None:
    workload = Workload(("a", "b"), TWO, TWO)
    fleet = Listed([Deployment("a", "a", Measured())])
    slow = Degradation(deployment="a", factor=2.0, at_s=0.5, for_s=100.0)
    scenario = Scenario(workload, fleet, Unlimited(), At((0.0, 1.0, 2.0)), given, events=(slow,))
    requests = record(Scripted([0, 0, 0]), realise(scenario, 0, 0))
    assert requests["finished_at_s"].tolist() == [1.5, 7.0, 12.0]


def test_a_model_without_measured_latencies_cannot_be_served_by_them() -> None:
    half = replace(TWO, latency_s=TWO.latency_s * np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"'b' serves by measured latencies, and the workload has none of 'b'"):
        instance_of(half)
    with pytest.raises(ValueError, match=r"add the column 'a\|latency_s'"):
        instance_of(replace(TWO, latency_s=None))


def test_a_service_of_no_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="slots is 0"):
        Measured(slots=0)
