"""Replicas, balancers, disciplines, patience, time-outs, retries and autoscaling, in worlds to check by hand."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from sim.deployment import Deployment
from sim.interface import Decision, FloatArray
from sim.scenario import Retry
from sim.world.services.hosted import Api
from sim.world.services.slots import Slots
from sim.world.stations.autoscaler import TargetTracking
from sim.world.stations.balancer import JoinShortestQueue, LeastLoaded, PowerOfTwo, RoundRobin
from sim.world.stations.queue import earliest_deadline, highest_priority, shortest_predicted
from tests.scripted import Scripted, run

ONE_AT_A_TIME = Slots(1, 0.0, 0.01)  # 100 output tokens take 1 s


@dataclass(frozen=True)
class Always:
    """A duration without surprise."""

    value_s: float

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return np.full(n, self.value_s)


def waits(requests: pd.DataFrame) -> list[float]:
    return (requests["started_at_s"] - requests["arrived_at_s"]).tolist()


def test_replicas_serve_side_by_side() -> None:
    two = Deployment("a", "a", ONE_AT_A_TIME, replicas=2)
    requests = run(Scripted([0] * 4), [0.0, 0.0, 0.0, 0.0], deployments=[two])
    assert requests["finished_at_s"].tolist() == pytest.approx([1, 1, 2, 2])


def test_round_robin_takes_turns_whatever_the_load() -> None:
    two = Deployment("a", "a", ONE_AT_A_TIME, replicas=2, balancer=RoundRobin())
    # The first query takes 3 s; the third is sent behind it although the other replica is free.
    requests = run(Scripted([0] * 3), [0.0, 0.1, 1.5], deployments=[two], tokens=[300, 100, 100])
    assert waits(requests) == pytest.approx([0, 0, 1.5])


@pytest.mark.parametrize("balancer", [LeastLoaded(), JoinShortestQueue(), PowerOfTwo()])
def test_balancers_that_look_send_it_to_the_free_replica(
    balancer: LeastLoaded | JoinShortestQueue | PowerOfTwo,
) -> None:
    two = Deployment("a", "a", ONE_AT_A_TIME, replicas=2, balancer=balancer)
    requests = run(Scripted([0] * 3), [0.0, 0.1, 1.5], deployments=[two], tokens=[300, 100, 100])
    assert waits(requests) == pytest.approx([0, 0, 0])


def test_the_queue_capacity_holds_over_all_replicas() -> None:
    two = Deployment("a", "a", ONE_AT_A_TIME, replicas=2, queue_capacity=1)
    requests = run(Scripted([0] * 4), [0.0, 0.0, 0.0, 0.0], deployments=[two])
    assert requests["fate"].tolist() == ["served", "served", "served", "rejected"]


def test_the_most_urgent_goes_first() -> None:
    urgent = Deployment("a", "a", ONE_AT_A_TIME, discipline=highest_priority)
    requests = run(Scripted([0] * 4), [0.0, 0.1, 0.2, 0.3], deployments=[urgent], priority=[0, 2, 1, 0])
    assert requests["finished_at_s"].rank().tolist() == [1, 4, 3, 2]


def test_the_earliest_deadline_goes_first() -> None:
    due = Deployment("a", "a", ONE_AT_A_TIME, discipline=earliest_deadline)
    requests = run(Scripted([0] * 3), [0.0, 0.1, 0.2], deployments=[due], due_s=[9.0, 9.0, 5.0])
    assert requests["finished_at_s"].rank().tolist() == [1, 3, 2]


def test_equal_predictions_are_served_in_order() -> None:
    short = Deployment("a", "a", ONE_AT_A_TIME, discipline=shortest_predicted)
    requests = run(Scripted([0] * 3), [0.0, 0.1, 0.2], deployments=[short])
    assert requests["finished_at_s"].is_monotonic_increasing


def test_who_waits_too_long_leaves() -> None:
    patient = Deployment("a", "a", ONE_AT_A_TIME, patience=Always(0.5))
    # The second would wait 0.9 s and leaves after 0.5 s; the third begins when the first has finished.
    requests = run(Scripted([0] * 3), [0.0, 0.1, 0.8], deployments=[patient])
    assert requests["fate"].tolist() == ["served", "abandoned", "served"]
    assert requests["ended_at_s"].tolist() == pytest.approx([1.0, 0.6, 2.0])
    assert requests["cost_usd"].tolist() == [1.0, 0.0, 1.0]


def test_a_request_that_takes_too_long_is_stopped_and_its_place_is_free() -> None:
    strict = Deployment("a", "a", ONE_AT_A_TIME, timeout_s=1.5)
    # The first needs 5 s and is stopped at 1.5 s; the second has waited since 1.2 s and has until 2.7 s.
    requests = run(Scripted([0, 0]), [0.0, 1.2], deployments=[strict], tokens=[500, 100])
    assert requests["fate"].tolist() == ["timed_out", "served"]
    assert requests["ended_at_s"].tolist() == pytest.approx([1.5, 2.5])


def test_a_time_out_counts_the_wait() -> None:
    strict = Deployment("a", "a", ONE_AT_A_TIME, timeout_s=1.2)
    requests = run(Scripted([0, 0]), [0.0, 0.1], deployments=[strict])
    assert requests["fate"].tolist() == ["served", "timed_out"]
    assert requests["ended_at_s"].tolist() == pytest.approx([1.0, 1.3])


def test_a_rejected_query_tries_again_with_longer_and_longer_pauses() -> None:
    small = Deployment("a", "a", ONE_AT_A_TIME, queue_capacity=0)
    retry = Retry(attempts=3, backoff_s=0.3, multiplier=2)
    # Offered at 0.1 s, 0.4 s (0.3 later) and 1.0 s (0.6 later), when the first has finished.
    requests = run(Scripted([0, 0]), [0.0, 0.1], deployments=[small], retry=retry)
    assert requests["attempts"].tolist() == [1, 3]
    assert requests["started_at_s"].tolist() == pytest.approx([0.0, 1.0])


def test_the_attempts_are_a_budget() -> None:
    small = Deployment("a", "a", ONE_AT_A_TIME, queue_capacity=0)
    requests = run(Scripted([0, 0]), [0.0, 0.1], deployments=[small], retry=Retry(attempts=2, backoff_s=0.3))
    assert requests["fate"].tolist() == ["served", "rejected"]
    assert requests["ended_at_s"].tolist() == pytest.approx([1.0, 0.4])


def test_a_retry_may_go_to_a_fallback() -> None:
    fleet = [Deployment(name, name, ONE_AT_A_TIME, timeout_s=1.5) for name in ("a", "b")]
    both = Decision(0, fallbacks=(1,))
    requests = run(Scripted([both]), [0.0], deployments=fleet, tokens=[500], retry=Retry(attempts=2, backoff_s=0.5))
    assert requests["fate"].tolist() == ["timed_out"]  # 5 s are too long for either; the first choice was free again
    assert requests["ended_at_s"].tolist() == pytest.approx([1.5 + 0.5 + 1.5])


def test_a_query_longer_than_the_context_is_refused_at_once() -> None:
    short = Deployment("a", "a", Slots(1, 0.0, 0.01, context_tokens=100))
    requests = run(Scripted([0, 0]), [0.0, 0.0], deployments=[short], tokens=[91, 90])  # and 10 input tokens each
    assert requests["fate"].tolist() == ["too_long", "served"]


@pytest.mark.parametrize(
    ("when_limited", "fates"), [("reject", ["served", "rejected"]), ("wait", ["served", "served"])]
)
def test_a_rate_limit_rejects_or_lets_wait(when_limited: str, fates: list[str]) -> None:
    hosted = Deployment("a", "a", Api(1, None, 0.1, 0.0, 0.001, 0.0, when_limited))  # one request a minute
    requests = run(Scripted([0, 0]), [0.0, 0.5], deployments=[hosted])
    assert requests["fate"].tolist() == fates


def test_an_autoscaler_adds_replicas_after_their_cold_start() -> None:
    scaler = TargetTracking(minimum=1, maximum=3, target_per_replica=1, interval_s=1.0, cold_start_s=0.5)
    growing = Deployment("a", "a", ONE_AT_A_TIME, autoscaler=scaler)
    # Six queries at once. At 1 s four of them wait and one is in service: two more replicas are ordered, up at 1.5 s.
    requests = run(Scripted([0] * 8), [0.0] * 6 + [1.6, 1.6], deployments=[growing])
    assert waits(requests)[6:] == pytest.approx([0, 0])


def test_an_autoscaler_bound_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="minimum 3 and maximum 2"):
        TargetTracking(minimum=3, maximum=2, target_per_replica=1)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("replicas of 'a' is 0", {"replicas": 0}),
        ("timeout_s of 'a' is -1", {"timeout_s": -1}),
        ("queue_capacity of 'a' is -2", {"queue_capacity": -2}),
    ],
)
def test_a_deployment_that_cannot_be_is_refused(message: str, arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=message):
        Deployment("a", "a", ONE_AT_A_TIME, **arguments)  # type: ignore[arg-type]
