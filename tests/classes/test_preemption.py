"""A more urgent query takes the place of one in service, which goes on later where it was stopped."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.events import Degradation, Outage
from sim.deployment import Deployment
from sim.distributions import Constant
from sim.scenario import Retry
from sim.study.fleet import fleet_table
from sim.study.record.series import over_time
from sim.world.services.batching import Batching
from sim.world.services.slots import Slots
from sim.world.stations.queue import earliest_deadline, highest_priority
from tests.caching.repeated import Notes, run, world
from tests.scripted import Scripted
from tests.scripted import run as scripted

ONE_SLOT = Slots(1, 1.0, 0.01)  # 1 s to the first token and 1 s for each hundred
LONG, SHORT = 900, 100  # tokens: 10 s and 2 s


def served(
    priority: Sequence[int], times: Sequence[float], tokens: Sequence[int], slots: int = 1, **settings: Any
) -> pd.DataFrame:
    """What becomes of queries at one preemptive deployment."""
    of_deployment = {
        name: settings.pop(name) for name in ("queue_capacity", "timeout_s", "patience") if name in settings
    }
    members = [
        Deployment(name, name, Slots(slots, 1.0, 0.01), discipline=highest_priority, preemptive=True, **of_deployment)
        for name in ("a", "b")
    ]
    policy = settings.pop("policy", Scripted([0] * len(times)))
    return scripted(policy, times, tokens=tokens, priority=priority, deployments=members, **settings)


def test_the_one_in_service_is_stopped_and_goes_on_where_it_was() -> None:
    # The batch query has 10 s of work from 0; at 4 an interactive one comes for 2 s; the rest, 6 s, is from 6 to 12.
    requests = served([1, 0], [0.0, 4.0], [LONG, SHORT])
    assert requests["started_at_s"].tolist() == [0, 4]
    assert requests["finished_at_s"].tolist() == [12, 6]
    assert requests["first_token_at_s"].tolist() == [1, 5]
    assert requests["preempted_s"].tolist() == [2, 0]


def test_a_first_token_that_was_not_there_yet_comes_later() -> None:
    requests = served([1, 0], [0.0, 0.5], [LONG, SHORT])
    assert requests["first_token_at_s"].tolist() == [3, 1.5]
    assert requests["finished_at_s"].tolist() == [12, 2.5]


def test_one_of_the_same_rank_stops_nobody() -> None:
    requests = served([1, 1], [0.0, 4.0], [LONG, SHORT])
    assert requests["started_at_s"].tolist() == [0, 10]
    assert requests["preempted_s"].tolist() == [0, 0]


def test_one_that_was_stopped_goes_on_before_others_of_its_rank_and_after_more_urgent_ones() -> None:
    # 0 is stopped at 1 by 1; 2, of the rank of 0, waits; 3 is as urgent as 1 and comes before both.
    requests = served([2, 1, 2, 1], [0.0, 1.0, 2.0, 2.5], [LONG, SHORT, SHORT, SHORT])
    assert requests["finished_at_s"].tolist() == [14, 3, 16, 5]


def test_of_several_in_service_the_last_of_the_highest_rank_is_stopped() -> None:
    requests = served([1, 2, 2, 0], [0.0, 0.0, 0.0, 4.0], [LONG, LONG, LONG, SHORT], slots=3)
    assert requests["preempted_s"].tolist() == [0, 0, 2, 0]


def test_two_that_were_stopped_go_on_in_the_order_of_their_arrival() -> None:
    requests = served([1, 1, 0, 0], [0.0, 1.0, 2.0, 3.0], [LONG, LONG, SHORT, LONG], slots=2)
    # 1 is stopped at 2 and 0 at 3; at 4 a slot is free for 0, which has 7 s left, and at 11 for 1, which has 9.
    assert requests["preempted_s"].tolist() == [1, 9, 0, 0]
    assert requests["finished_at_s"].tolist() == [11, 20, 4, 13]


def test_one_may_be_stopped_again_and_again() -> None:
    requests = served([2, 1, 0], [0.0, 1.0, 2.0], [LONG, LONG, SHORT])
    # 1 takes the place of 0, and 2 that of 1, which goes on first.
    assert requests["finished_at_s"].tolist() == [22, 13, 4]
    assert requests["preempted_s"].tolist() == [12, 2, 0]


def test_a_deadline_may_be_what_is_urgent() -> None:
    members = [Deployment(name, name, ONE_SLOT, discipline=earliest_deadline, preemptive=True) for name in ("a", "b")]
    requests = scripted(
        Scripted([0, 0, 0]), [0.0, 1.0, 2.0], tokens=[LONG, SHORT, SHORT], due_s=[20, 5, 30], deployments=members
    )
    assert requests["finished_at_s"].tolist() == [12, 3, 14]


def test_a_policy_sees_the_stopped_one_in_the_queue() -> None:
    policy = Scripted([0, 0, 0])
    served([1, 0, 0], [0.0, 4.0, 5.0], [LONG, SHORT, SHORT], policy=policy)
    assert [(queued[0], in_flight[0]) for _, queued, in_flight, _ in policy.states] == [(0, 0), (0, 1), (1, 1)]


def test_it_is_not_refused_where_nobody_may_wait_and_its_patience_is_over() -> None:
    requests = served([1, 0], [0.0, 4.0], [LONG, SHORT], queue_capacity=0, patience=Constant(1.0))
    assert requests["fate"].tolist() == ["served", "served"]


def test_it_times_out_while_it_is_stopped() -> None:
    requests = served([1, 0], [0.0, 4.0], [LONG, LONG], timeout_s=11.0)
    assert requests["fate"].tolist() == ["timed_out", "served"]
    assert requests["preempted_s"].tolist() == [7, 0]
    assert requests["ended_at_s"].tolist() == [11, 14]


def test_an_outage_loses_it_too_and_a_retry_begins_anew() -> None:
    lost = served([1, 0], [0.0, 4.0], [LONG, SHORT], events=[Outage(at_s=5.0, for_s=1.0, deployment="a")])
    assert lost["fate"].tolist() == ["failed", "failed"]
    assert lost["preempted_s"].tolist() == [1, 0]
    again = served(
        [1, 0],
        [0.0, 4.0],
        [LONG, SHORT],
        events=[Outage(at_s=5.0, for_s=0.5, deployment="a")],
        retry=Retry(attempts=2, backoff_s=1.0),
    )
    # What was in service is lost first and tried first, so 1 begins at 6 and 0 waits; the row is of that last try.
    assert again["finished_at_s"].tolist() == [18, 8]
    assert again["preempted_s"].tolist() == [0, 0]


def test_what_is_left_takes_longer_where_the_deployment_is_slower_by_then() -> None:
    slower = Degradation(factor=2.0, at_s=5.0, for_s=100.0, deployment="a")
    requests = served([1, 0], [0.0, 4.0], [LONG, SHORT], events=[slower])
    # 1 has 1 s left at 5, which takes 2; then the 6 s that 0 has left take 12.
    assert requests["finished_at_s"].tolist() == [19, 7]


def test_the_slots_are_never_busier_than_there_are_and_totals_are_exact() -> None:
    rng = np.random.default_rng(0)
    n = 200
    tokens = rng.integers(1, 300, n)
    instance = world(
        range(n),
        np.sort(rng.uniform(0, 150, n)).tolist(),
        tokens=tokens.tolist(),
        service=ONE_SLOT,
    )
    assert run(Notes(), instance)["preempted_s"].sum() == 0
    requests = served(rng.integers(0, 3, n).tolist(), np.sort(rng.uniform(0, 150, n)).tolist(), tokens.tolist())
    assert requests["preempted_s"].max() > 0
    worked_s = requests["finished_at_s"] - requests["started_at_s"] - requests["preempted_s"]
    assert worked_s.to_numpy() == pytest.approx(1 + tokens / 100)
    series = over_time(requests, fleet_table(instance), np.array([0.0, requests["ended_at_s"].max()]))
    assert series["in_service"][0] * requests["ended_at_s"].max() == pytest.approx(worked_s.sum())


def test_a_preemptive_deployment_needs_a_discipline_and_a_service_that_can_stop() -> None:
    with pytest.raises(ValueError, match=r"preemptive of 'a' is true; it needs a discipline"):
        Deployment("a", "a", ONE_SLOT, preemptive=True)
    batch = Batching(4, 0.01, 0.001, 0.0)
    with pytest.raises(ValueError, match=r"Batching cannot stop a query and go on with it later: Slots and Timed can"):
        Deployment("a", "a", batch, discipline=highest_priority, preemptive=True)
