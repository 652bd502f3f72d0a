"""The rules of docs/reference/semantics.md: one origin of time, ties, effects that add up, sums of money, tries."""

import itertools
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.arrivals import Deterministic
from scenarios.arrivals.closed import ClosedLoop
from scenarios.budgets import Amounts
from scenarios.events import BudgetCut, Degradation, Joins, Leaves, Outage, PriceChange, RandomOutages, TopUp
from scenarios.fleets import Listed
from sim.deployment import Deployment, Service
from sim.distributions import Constant
from sim.interface import Decision, Gate, affords
from sim.scenario import Event, Retry, TokenBucket, Window, exact_share
from sim.study.experiment import compare
from sim.world.budgets.ledger import Ledger
from sim.world.services.batching import Batching
from sim.world.services.slots import Slots
from sim.world.services.timed import Timed
from sim.world.stations.autoscaler import TargetTracking
from tests.conftest import PROOF
from tests.scripted import At, Scripted, run
from tests.worlds import MODELS, tiny_rows, tiny_scenario, tiny_workload

SECOND = Slots(1, 0.0, 0.01)  # 100 output tokens take 1 s


def fates(requests: pd.DataFrame) -> list[str]:
    return [str(fate) for fate in requests["fate"]]


# --- the request table speaks of the last try ----------------------------------------


def test_a_retry_that_is_refused_leaves_no_start_of_the_try_before_it() -> None:
    # Lost at 2 s, and offered again at 3 s, when the other query has the only slot.
    requests = run(
        Scripted([0, 0]),
        [0.0, 2.5],
        service=Timed(1, Constant(10.0)),
        queue_capacity=0,
        events=[Outage(2.0, 0.2)],
        retry=Retry(attempts=2),
    )
    assert fates(requests) == ["rejected", "served"]
    assert math.isnan(requests["started_at_s"][0])
    assert requests["offered_at_s"].tolist() == [3.0, 2.5]
    assert requests["ended_at_s"].tolist() == [3.0, 12.5]


def test_a_query_that_is_lost_once_and_then_finds_the_deployment_down_shows_no_service() -> None:
    requests = run(
        Scripted([0]), [0.0], service=Timed(1, Constant(10.0)), events=[Outage(2.0, 100.0)], retry=Retry(attempts=4)
    )
    assert fates(requests) == ["failed"]
    assert requests["attempts"].tolist() == [4]
    assert requests[["started_at_s", "first_token_at_s"]].isna().all(axis=None)
    assert requests["offered_at_s"].tolist() == requests["ended_at_s"].tolist() == [2.0 + 1 + 2 + 4]


def test_a_query_that_cannot_be_paid_when_it_is_tried_again_is_exhausted_and_has_no_start() -> None:
    requests = run(
        Scripted([0, 0]),
        [0.0, 2.5],
        service=Timed(2, Constant(10.0)),
        budget=Amounts([1.0, 0.0]),
        events=[Outage(2.0, 0.2)],
        retry=Retry(attempts=2),
    )
    assert fates(requests) == ["exhausted", "served"]
    assert math.isnan(requests["started_at_s"][0])


def test_a_retry_that_takes_another_choice_has_the_start_there() -> None:
    service = Timed(1, Constant(10.0))
    requests = run(
        Scripted([Decision(0, fallbacks=(1,))]),
        [0.0],
        service=service,
        events=[Outage(2.0, 100.0, "a")],
        retry=Retry(attempts=2),
    )
    assert requests["deployment"].tolist() == ["b"]
    assert requests[["offered_at_s", "started_at_s", "finished_at_s"]].values.tolist() == [[3.0, 3.0, 13.0]]


def test_retries_that_would_wait_for_ever_are_refused() -> None:
    with pytest.raises(ValueError, match="the longest wait must be at most 1e\\+12 s"):
        Retry(attempts=100, multiplier=10)


# --- budgets for the run are never overspent ----------------------------------------


@pytest.mark.parametrize("window", [Window(60.0), Window(60.0, rollover=True), *map(TokenBucket, (10.0, 60.0, 500.0))])
def test_no_way_to_give_out_a_budget_gives_more_than_the_budget(window: Window | TokenBucket) -> None:
    requests = run(Scripted([0] * 100), [float(n) for n in range(100)], budget=Amounts([50.0, 0]), window=window)
    # By whole minutes 30.3 and 19.7 USD pay for 30 and 19 queries; what is saved pays for the last one.
    assert (requests["fate"] == "served").sum() == (49 if window == Window(60.0) else 50)


def test_a_query_at_the_end_of_the_last_window_belongs_to_it() -> None:
    requests = run(Scripted([0] * 4), [0.0, 0.1, 0.2, 0.3], budget=Amounts([2.0, 0]), window=Window(0.1, rollover=True))
    assert fates(requests).count("served") == 2


def test_nothing_flows_into_a_bucket_after_the_last_arrival() -> None:
    # The bucket holds 2 USD and gets 2 more by 3 s. Four queries take 1 USD each, are lost at 6 s and tried again at
    # 16 s, when each costs 1.2 USD: the 4 USD pay for three. What flowed in from 3 to 6 s would pay for the fourth.
    requests = run(
        Scripted([0] * 4),
        [0.0, 1.0, 2.0, 3.0],
        service=Timed(4, Constant(10.0)),
        budget=Amounts([4.0, 0.0]),
        window=TokenBucket(burst_s=1.5),
        events=[Outage(6.0, 1.0), PriceChange(8.0, 1.2)],
        retry=Retry(attempts=2, backoff_s=10.0),
    )
    assert requests["fate"].astype(str).tolist() == ["served", "served", "served", "exhausted"]


def test_a_query_waits_for_a_bucket_until_the_moment_when_it_can_be_paid() -> None:
    # 2 of 10 USD are there at first, 0.8 USD flow in each second: the third USD is there after 1.25 s.
    requests = run(
        Scripted([0] * 4),
        [0.0, 0.0, 0.0, 10.0],
        budget=Amounts([10.0, 0]),
        window=TokenBucket(burst_s=2),
        exhausted="wait",
    )
    assert requests["started_at_s"].tolist() == pytest.approx([0.0, 0.0, 1.25, 10.0])


def test_a_query_whose_next_choice_is_full_waits_for_the_bucket_of_its_first() -> None:
    full = [Deployment("a", "a", SECOND), Deployment("b", "b", Timed(1, Constant(99.0)), queue_capacity=0)]
    requests = run(
        Scripted([1, 0, Decision(0, fallbacks=(1,)), None]),
        [0.0, 0.0, 0.0, 10.0],
        deployments=full,
        budget=Amounts([5.0, 20.0]),
        window=TokenBucket(burst_s=2),
        exhausted="wait",
    )
    # 1 of 5 USD is there at first and 0.4 USD flow in each second: the next is there after 2.5 s.
    assert requests["started_at_s"].tolist()[:3] == [0.0, 0.0, 2.5]


def test_a_bucket_takes_no_step_between_queries_that_are_hours_apart() -> None:
    times = [3600.0 * n for n in range(20)]
    policy = Scripted([0] * 20)
    run(policy, times, budget=Amounts([20.0, 0]), window=TokenBucket(burst_s=0.001))
    remaining = [seen[3][0] for seen in policy.states]
    assert remaining == pytest.approx([20 * 0.001 / times[-1]] * 20)


# --- one origin of time ----------------------------------------


def test_windows_begin_with_the_first_arrival_whenever_that_is() -> None:
    served = [
        (
            run(
                Scripted([0] * 10),
                [first_s + n for n in range(10)],
                budget=Amounts([9.0, 0]),
                window=Window(3.0),
                exhausted="wait",
            )["fate"]
            == "served"
        ).sum()
        for first_s in (0.0, 5.0, 50.0, 1.7e9)
    ]
    assert served == [9, 9, 9, 9]


def test_an_outage_on_a_trace_of_epoch_seconds_happens() -> None:
    requests = run(Scripted([0] * 3), [1.7e9, 1.7e9 + 10, 1.7e9 + 20], events=[Outage(10.0, 5.0)])
    assert fates(requests) == ["served", "failed", "served"]
    assert requests["arrived_at_s"].tolist() == [0, 10, 20]


def test_the_quickest_user_of_a_closed_loop_asks_at_once() -> None:
    requests = run(Scripted([0] * 6), ClosedLoop(users=3, mean_think_s=5), n_queries=6, service=SECOND)
    assert requests["arrived_at_s"].min() == 0


EVENTS: list[Event] = [
    Outage(3.0, 2.0, "a"),
    RandomOutages(4.0, 1.0),
    Degradation(1.0, 6.0, 2.0),
    PriceChange(2.0, 0.5, for_s=3.0),
    TopUp(2.5, 1.0, "a"),
    BudgetCut(0.5, "30%"),
    BudgetCut(0.5, 4.0, "b"),
    Joins(1.0, "b"),
    Leaves(5.0, "b", for_s=1.0),
]
OUTAGES: Event = RandomOutages(3.0, 1.0)
NAMES = {None: None, "a": MODELS[0], "b": MODELS[1]}
some_events = st.lists(st.sampled_from(EVENTS), max_size=3)
ticks = st.integers(0, 640).map(lambda number: number / 64)  # so that no time is rounded when it moves


@settings(max_examples=100 if PROOF else 40)
@given(data=st.data())
def test_nothing_changes_when_all_times_move(data: st.DataObject) -> None:
    times = sorted(data.draw(st.lists(ticks, min_size=2, max_size=12)))
    script = [data.draw(st.sampled_from([0, 1, None, Decision(0, fallbacks=(1,))])) for _ in times]
    services: list[Service] = [Slots(1, 0.25, 0.01), Timed(2, Constant(1.5)), Batching(2, 0.0025, 0.005)]
    service = data.draw(st.sampled_from(services))
    window = data.draw(st.sampled_from([None, Window(2.0), Window(1.0, spread=False), TokenBucket(2.0)]))
    scaler = TargetTracking(1, 3, 1.0, interval_s=1.0, cold_start_s=0.5) if data.draw(st.booleans()) else None
    fleet = [
        Deployment(name, name, service, 2, patience=Constant(1.0), timeout_s=2.0, autoscaler=scaler) for name in "ab"
    ]
    events = data.draw(some_events)
    gate = data.draw(st.sampled_from([Gate(), Gate(2, 1.0)]))
    exhausted = data.draw(st.sampled_from(["lost", "fallback"] if window is None else ["fallback", "wait"]))
    refresh_s, decision_s = data.draw(st.sampled_from([None, 0.75])), data.draw(st.sampled_from([0.0, 0.125]))
    seen = []
    for shift_s in (0.0, 3600.0, 1.7e9):
        policy = Scripted(script, gate)
        requests = run(
            policy,
            [time_s + shift_s for time_s in times],
            deployments=fleet,
            budget=Amounts([3.0, 6.0]),
            events=events,
            window=window,
            exhausted=exhausted,
            retry=Retry(attempts=3, backoff_s=0.5),
            state_refresh_s=refresh_s,
            decision_s=decision_s,
        )
        seen.append((requests.to_csv(), policy.states))
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("window.length_s", {"window": Window(1e-9), "budget": Amounts([1.0, 1.0])}),
        ("state_refresh_s", {"state_refresh_s": 1e-9}),
        ("mean_up_s + mean_down_s of a RandomOutages", {"events": [RandomOutages(1e-9, 1e-9)]}),
    ],
)
def test_what_would_happen_more_than_a_million_times_is_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=re.escape(name) + ".* queries arrive for 10 s; it must be at least 1e-05"):
        run(Scripted([0, 0]), [5.0, 15.0], **options)


# --- events that overlap ----------------------------------------


def down(requests: pd.DataFrame) -> list[int]:
    return [int(number) for number in requests["id"][requests["fate"] == "failed"]]


def test_overlapping_outages_last_from_the_first_failure_to_the_last_repair() -> None:
    times = [float(n) for n in range(200)]
    requests = run(Scripted([0] * 200), times, events=[Outage(60.0, 60.0), Outage(90.5, 60.0)])
    assert down(requests) == list(range(60, 151))


def test_nothing_is_served_in_an_outage_while_random_ones_come_and_go() -> None:
    times = [100.0 + n / 10 for n in range(601)]
    events: list[Event] = [Outage(0.0, 61.0), RandomOutages(mean_up_s=20.0, mean_down_s=5.0)]
    for order in itertools.permutations(events):
        assert down(run(Scripted([0] * 601), times, events=order)) == list(range(601))


def test_a_deployment_that_joins_or_leaves_during_an_outage_is_down_until_both_are_over() -> None:
    times = [float(n) for n in range(10)]
    requests = run(Scripted([0] * 10), times, events=[Joins(3.0, "a"), Outage(2.0, 3.0), Leaves(4.0, "a", for_s=4.0)])
    assert down(requests) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_overlapping_slow_downs_multiply_and_each_ends_its_own() -> None:
    # 3 s of work at speed 1 until 1 s, 1/2 until 2 s, 1/6 until 5 s, 1/3 until 8 s: 1 + 0.5 + 0.5 + 1 are done by then.
    events = [Degradation(1.0, 4.0, 2.0), Degradation(2.0, 6.0, 3.0)]
    for order in itertools.permutations(events):
        requests = run(Scripted([0]), [0.0], service=Timed(1, Constant(3.0)), events=order)
        assert requests["finished_at_s"].tolist() == pytest.approx([8.0])


def test_price_changes_multiply_and_each_ends_its_own() -> None:
    events = [PriceChange(1.0, 0.5, for_s=2.0), PriceChange(2.0, 3.0, "a")]
    for order in itertools.permutations(events):
        requests = run(Scripted([0] * 5), [0.0, 1.0, 2.0, 3.0, 4.0], events=order)
        assert requests["cost_usd"].tolist() == [1.0, 0.5, 1.5, 3.0, 3.0]


def test_a_change_of_price_takes_no_other_number_of_tokens_from_a_budget_in_tokens() -> None:
    budget = Amounts([220.0, 0.0], unit="tokens")  # two queries of 110 tokens
    requests = run(Scripted([0] * 3), [0.0, 1.0, 2.0], budget=budget, events=[PriceChange(0.5, 3.0)])
    assert fates(requests) == ["served", "served", "exhausted"]
    assert requests["cost_usd"].tolist() == [1.0, 3.0, 0.0]


def test_an_event_draws_the_same_whatever_other_events_there_are() -> None:
    times = [n / 10 for n in range(300)]
    alone, beside = (
        run(Scripted([0] * 300), times, events=events) for events in ([OUTAGES], [TopUp(1.0, 5.0, "b"), OUTAGES])
    )
    assert down(alone) == down(beside) != []
    twice = run(Scripted([0] * 300), times, events=[OUTAGES, OUTAGES])
    assert set(down(alone)) < set(down(twice))  # two of a kind do not go down together


# --- sums of money in binary fractions ----------------------------------------


@pytest.mark.parametrize("cost", [0.1, 0.0001, 0.7, 1.1e-7, 1 / 3])
def test_a_budget_of_k_costs_pays_for_k_queries(cost: float) -> None:
    for k in range(1, 200):
        ledger = Ledger(np.array([k * cost]))
        assert sum(ledger.commit(0, cost) for _ in range(k + 2)) == k


def test_what_remains_before_the_last_of_a_hundred_thousand_costs_still_pays_for_it() -> None:
    ledger = Ledger(np.array([1.0]))
    for _ in range(99_999):
        assert ledger.commit(0, 1e-5)
        ledger.settle(0, 1e-5, 1e-5, 0)
    assert affords(ledger.remaining, np.array([1e-5])).all()
    assert ledger.commit(0, 1e-5)
    assert not ledger.commit(0, 1e-5)


def test_a_budget_that_is_the_sum_of_all_costs_pays_for_all_in_any_order() -> None:
    costs = [0.1 + 0.37 / (n + 1) for n in range(60)]
    for start in range(60):
        ledger = Ledger(np.array([sum(costs)]))
        assert all(ledger.commit(0, cost) for cost in costs[start:] + costs[:start])


def test_windows_that_bring_exactly_one_query_each_serve_one_each() -> None:
    # 3 USD over 30 s in windows of 10 s.
    requests = run(Scripted([0] * 4), [0.0, 10.0, 20.0, 30.0], budget=Amounts([3.0, 0]), window=Window(10.0))
    assert fates(requests) == ["served", "served", "served", "exhausted"]


# --- what happens at one time ----------------------------------------


@pytest.mark.parametrize("between_s", [20.0, 60.0, 70.0])
def test_a_query_that_comes_when_an_outage_ends_is_served_whatever_came_before(between_s: float) -> None:
    requests = run(Scripted([0] * 3), [0.0, between_s, 120.0], events=[Outage(60.0, 60.0)])
    assert fates(requests)[2] == "served"


def test_a_query_that_comes_when_an_outage_begins_fails() -> None:
    assert down(run(Scripted([0] * 3), [0.0, 30.0, 60.0], events=[Outage(60.0, 60.0)])) == [2]


def test_two_queries_at_the_beginning_of_a_window_share_it() -> None:
    requests = run(
        Scripted([0] * 4), [0.0, 15.0, 20.0, 20.0], budget=Amounts([1.0, 0]), window=Window(10.0, spread=False)
    )
    assert fates(requests) == ["served", "served", "served", "exhausted"]


def test_a_query_that_ends_when_its_time_is_out_has_been_served_with_or_without_a_wait() -> None:
    deployment = Deployment("a", "a", Timed(1, Constant(1.0)), timeout_s=2.0)
    model_b = Deployment("b", "b", Timed(1, Constant(2.0)), timeout_s=2.0)
    requests = run(Scripted([0, 0, 1]), [0.0, 0.0, 0.0], deployments=[deployment, model_b])
    assert fates(requests) == ["served", "served", "served"]
    assert requests["finished_at_s"].tolist() == [1.0, 2.0, 2.0]


def test_a_slot_that_is_free_when_patience_ends_is_taken() -> None:
    deployment = Deployment("a", "a", Timed(1, Constant(1.0)), patience=Constant(1.0))
    requests = run(Scripted([0, 0]), [0.0, 0.0], deployments=[deployment, Deployment("b", "b", SECOND)])
    assert fates(requests) == ["served", "served"]


def test_what_ends_at_a_time_is_out_of_the_way_of_what_comes_then() -> None:
    requests = run(Scripted([0] * 3), [0.0, 1.0, 2.0], service=SECOND, queue_capacity=0)
    assert fates(requests) == ["served", "served", "served"]


def test_what_ends_when_an_outage_begins_has_been_served() -> None:
    requests = run(Scripted([0]), [0.0], service=SECOND, events=[Outage(1.0, 1.0)])
    assert fates(requests) == ["served"]


def test_those_who_wait_for_a_window_come_before_those_who_arrive_with_it() -> None:
    window = Window(10.0, spread=False)
    requests = run(Scripted([0] * 3), [0.0, 5.0, 10.0], budget=Amounts([1.0, 0]), window=window, exhausted="wait")
    assert requests["started_at_s"].tolist() == [0.0, 10.0, 20.0]


def test_a_retry_comes_before_an_arrival_of_the_same_time() -> None:
    # Lost at 2 s and tried again at 3 s, when another query comes to the one slot.
    requests = run(
        Scripted([0, 0]),
        [0.0, 3.0],
        service=Timed(1, Constant(10.0)),
        queue_capacity=0,
        events=[Outage(2.0, 0.5)],
        retry=Retry(attempts=2),
    )
    assert fates(requests) == ["served", "rejected"]


def test_a_snapshot_shows_what_has_ended_and_not_what_arrives_at_its_time() -> None:
    policy = Scripted([0] * 4)
    run(policy, [0.0, 1.0, 1.0, 1.5], service=Timed(9, Constant(1.0)), state_refresh_s=1.0)
    assert [in_flight for _, _, in_flight, _ in policy.states] == [[0, 0]] * 4


# --- shares as they are written ----------------------------------------


@pytest.mark.parametrize("percent", range(1, 100))
def test_a_share_of_a_hundred_arrivals_is_as_many_as_it_says(percent: int) -> None:
    policy = Scripted([None] * 100)
    run(policy, Deterministic(1.0), n_queries=100, budget=Amounts([10.0, 0]), events=[BudgetCut(0.5, f"{percent}%")])
    assert [seen[3][0] for seen in policy.states].count(10.0) == percent
    assert math.ceil(100 * exact_share(percent / 100)) == percent


# --- every run, whatever its options, keeps its checks ----------------------------------------


@settings(max_examples=150 if PROOF else 50)
@given(data=st.data())
def test_no_combination_of_retries_events_windows_and_limits_makes_a_wrong_record(data: st.DataObject) -> None:
    def pick(*values: Any) -> Any:
        return data.draw(st.sampled_from(values))

    window = pick(None, Window(2.0), Window(1.5, rollover=True), Window(1.0, spread=False), TokenBucket(2.0))
    service = pick(Slots(1, 0.25, 0.0075), Timed(2, Constant(1.0)), Batching(2, 0.0025, 0.005))
    times = sorted(data.draw(st.lists(ticks, min_size=1, max_size=20)))
    deployments = [
        Deployment(
            name,
            name,
            service,
            pick(None, 0, 2),
            patience=pick(None, Constant(1.0)),
            timeout_s=pick(None, 1.0, 2.0),
        )
        for name in MODELS[:2]
    ]
    rows = tiny_rows([[0.5, 1.0]] * len(times), [[1.0, 2.0]] * len(times), [[100, 100]] * len(times))
    scenario = replace(
        tiny_scenario(tiny_workload(rows)),
        fleet=Listed(deployments),
        arrivals=At(tuple(times)),
        budget=Amounts([data.draw(st.integers(0, 9)) * 1.0, data.draw(st.integers(0, 9)) * 2.0]),
        events=[replace(event, deployment=NAMES[event.deployment]) for event in data.draw(some_events)],  # type: ignore[attr-defined, type-var]
        window=window,
        exhausted="fallback" if window is None else pick("fallback", "wait"),
        retry=Retry(attempts=pick(1, 2, 4), backoff_s=0.5),
    )
    script = [pick(0, 1, Decision(0, fallbacks=(1,)), Decision(1, fallbacks=(0,))) for _ in times]
    compare(scenario, {"scripted": Scripted(script)})  # which stops at a request table that cannot be true
