"""Outages, degradation, prices, top-ups, fleets that change, and budgets that renew themselves."""

from dataclasses import replace

import pytest

from scenarios.arrivals.closed import ClosedLoop
from scenarios.budgets import Amounts
from scenarios.events import BudgetCut, Degradation, Joins, Leaves, Outage, PriceChange, RandomOutages, TopUp
from sim.instance import realise
from sim.interface import Decision
from sim.scenario import Event, Retry, TokenBucket, Window
from sim.study.fleet import may_exceed, unbounded
from sim.world.services.slots import Slots
from tests.scripted import Scripted, run
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

ONE_AT_A_TIME = Slots(1, 0.0, 0.01)  # 100 output tokens take 1 s


def test_only_events_that_touch_budgets_or_prices_leave_a_run_without_a_bound() -> None:
    scenario = tiny_scenario(tiny_workload(tiny_rows([[1.0]], [[1.0]])))
    for harmless in (Outage(0, 1), RandomOutages(1, 1), Degradation(0, 1, 2), Joins(1, "a"), Leaves(1, "a")):
        assert unbounded(replace(scenario, events=[harmless])) is None
    for event in (PriceChange(0, 2), TopUp(0, 1, "small"), BudgetCut(0.5)):
        reason = unbounded(replace(scenario, events=[event]))
        assert reason == f"a {type(event).__name__} may change budgets or prices: leave it out"


def test_an_outage_fails_what_is_in_service_what_waits_and_what_comes() -> None:
    requests = run(Scripted([0] * 4), [0.0, 0.1, 0.7, 2.0], service=ONE_AT_A_TIME, events=[Outage(at_s=0.5, for_s=1.0)])
    assert requests["fate"].tolist() == ["failed", "failed", "failed", "served"]
    assert requests["ended_at_s"].tolist() == pytest.approx([0.5, 0.5, 0.7, 3.0])
    assert requests["cost_usd"].tolist() == [0, 0, 0, 1]


def test_failed_work_is_retried_where_retries_are_allowed() -> None:
    retry = Retry(attempts=3, backoff_s=0.8, multiplier=1)
    requests = run(Scripted([0]), [0.0], service=ONE_AT_A_TIME, events=[Outage(0.5, 1.0)], retry=retry)
    # Lost at 0.5 s, refused at 1.3 s, begun at 2.1 s.
    assert requests["attempts"].tolist() == [3]
    assert requests["finished_at_s"].tolist() == pytest.approx([3.1])


def test_an_outage_frees_the_budget_of_what_it_lost() -> None:
    requests = run(
        Scripted([0, 0]), [0.0, 2.0], service=ONE_AT_A_TIME, events=[Outage(0.5, 1.0)], budget=Amounts([1.0, 0.0])
    )
    assert requests["fate"].tolist() == ["failed", "served"]


def test_an_outage_of_one_deployment_leaves_the_other_alone_and_is_seen() -> None:
    policy = Scripted([0, 1])
    requests = run(policy, [0.0, 0.1], service=ONE_AT_A_TIME, events=[Outage(0.05, 1.0, deployment="a")])
    assert requests["fate"].tolist() == ["failed", "served"]


def test_a_fallback_takes_what_is_down() -> None:
    requests = run(
        Scripted([None, Decision(0, fallbacks=(1,))]), [0.0, 0.7], service=ONE_AT_A_TIME, events=[Outage(0.5, 1.0, "a")]
    )
    assert requests["deployment"].tolist()[1] == "b"


def test_degradation_stretches_what_is_in_service_and_what_begins() -> None:
    # Half is done when everything takes three times as long, from 0.5 s to 1.4 s: 0.3 s more of work by then, and the
    # last 0.2 s at normal speed.
    requests = run(Scripted([0]), [0.0], service=ONE_AT_A_TIME, events=[Degradation(0.5, 0.9, factor=3)])
    assert requests["finished_at_s"].tolist() == pytest.approx([1.6])


def test_prices_change_for_what_is_taken_from_then_on() -> None:
    requests = run(Scripted([0, 0]), [0.0, 2.0], events=[PriceChange(at_s=1.0, factor=0.5)])
    assert requests["cost_usd"].tolist() == [1.0, 0.5]


def test_a_top_up_pays_for_more() -> None:
    budget = Amounts([1.0, 0.0])
    requests = run(Scripted([0, 0, 0]), [0.0, 1.0, 2.0], budget=budget, events=[TopUp(1.5, amount=1.0, deployment="a")])
    assert requests["fate"].tolist() == ["served", "exhausted", "served"]


def test_a_budget_cut_takes_its_share_of_what_is_left_and_policies_see_it() -> None:
    # 10 USD, 4 of them spent by 4.5 s: half of the other 6 stays, and pays for three more queries.
    policy = Scripted([0] * 9)
    times = [float(n) for n in range(9)]
    requests = run(policy, times, budget=Amounts([10.0, 8.0]), events=[BudgetCut(0.5, at=3.5)])
    assert requests["fate"].tolist() == ["served"] * 7 + ["exhausted"] * 2
    remaining = [seen[3] for seen in policy.states]
    assert remaining[3:5] == [[7.0, 8.0], [3.0, 4.0]]


def test_a_budget_cut_of_one_deployment_leaves_the_other_alone() -> None:
    policy = Scripted([None, None])
    run(policy, [0.0, 2.0], budget=Amounts([10.0, 8.0]), events=[BudgetCut(0.25, at=1.0, deployment="b")])
    assert policy.states[1][3] == [10.0, 2.0]


def test_a_budget_cut_at_a_share_of_the_arrivals_meets_the_first_query_that_is_not_among_them() -> None:
    policy = Scripted([None] * 4)
    run(policy, [0.0, 1.0, 7.0, 9.0], budget=Amounts([10.0, 8.0]), events=[BudgetCut(0.0, at="50%")])
    assert [seen[3] for seen in policy.states] == [[10.0, 8.0]] * 2 + [[0.0, 0.0]] * 2


def test_what_is_in_flight_at_a_budget_cut_is_paid_and_nothing_else_until_that_is_over() -> None:
    # 3 USD are promised when all that is left goes.
    policy = Scripted([0] * 4)
    requests = run(
        policy,
        [0.0, 0.1, 0.2, 5.0],
        service=Slots(9, 0.0, 0.01),
        budget=Amounts([4.0, 0.0]),
        events=[BudgetCut(0.0, 0.5)],
    )
    assert requests["fate"].tolist() == ["served", "served", "served", "exhausted"]
    assert policy.states[3][3] == [-3.0, 0.0]  # which says nothing that was not settled


def test_a_budget_cut_reaches_the_windows_to_come_and_the_flow_of_a_bucket() -> None:
    window = Window(length_s=10, spread=False)
    requests = run(
        Scripted([0] * 3), [1.0, 11.0, 12.0], budget=Amounts([2.0, 0]), window=window, events=[BudgetCut(0.5, 5)]
    )
    assert requests["fate"].tolist() == ["served", "served", "exhausted"]
    # A full bucket of 2 of the 10 USD, into which the others flow at 0.8 USD a second, loses half at 1 s, is emptied at
    # 1.5 s, and fills by 0.4 USD a second, up to 1 USD.
    policy = Scripted([None, 0, None, None])
    times = [0.0, 1.5, 2.5, 10.0]
    run(policy, times, budget=Amounts([10.0, 0]), window=TokenBucket(2), events=[BudgetCut(0.5, 1.0)])
    assert [seen[3][0] for seen in policy.states] == pytest.approx([2.0, 1.0, 0.4, 1.0])


def test_a_deployment_without_a_budget_keeps_none_at_a_cut() -> None:
    requests = run(Scripted([0, 0]), [0.0, 1.0], events=[BudgetCut(0.0, at=0.5)])
    assert requests["fate"].tolist() == ["served", "served"]


def test_spending_is_checked_against_the_budget_where_it_was_cut_and_not_where_it_was_topped_up() -> None:
    scenario = tiny_scenario(tiny_workload(tiny_rows([[1.0]], [[1.0]])))
    for event, may in ((BudgetCut(0.5), False), (TopUp(0, 1, "small"), True)):
        assert may_exceed(realise(replace(scenario, events=[event]), 0, 0)) is may


@pytest.mark.parametrize("at", ["50", "half%", "100%", "-1%", -1.0, float("inf")])
def test_the_moment_of_a_budget_cut_is_seconds_or_a_share(at: float | str) -> None:
    with pytest.raises(ValueError, match="at of a BudgetCut is"):
        BudgetCut(0.5, at)


def test_a_budget_cut_only_cuts_and_has_no_share_of_a_closed_loop() -> None:
    with pytest.raises(ValueError, match="factor of a BudgetCut is 2; it must be at most 1"):
        BudgetCut(2)
    with pytest.raises(ValueError, match="a closed loop has no 50% of its arrivals beforehand: give seconds"):
        run(Scripted([0]), ClosedLoop(users=1, mean_think_s=1), n_queries=1, events=[BudgetCut(0.5)])


def test_deployments_join_and_leave() -> None:
    events: list[Event] = [Joins(1.0, "b"), Leaves(2.0, "b")]
    requests = run(Scripted([1, 1, 1]), [0.5, 1.5, 2.5], service=ONE_AT_A_TIME, events=events)
    assert requests["fate"].tolist() == ["failed", "served", "failed"]


def test_random_outages_end_with_the_run_and_are_the_same_for_every_policy() -> None:
    times = [0.1 * n for n in range(200)]
    events = [RandomOutages(mean_up_s=3.0, mean_down_s=1.0)]
    first, second = (run(Scripted([k] * 200), times, service=Slots(50, 0.0, 0.001), events=events) for k in (0, 1))
    assert 0 < (first["fate"] == "failed").sum() < 200
    assert first["fate"].tolist() == second["fate"].tolist()


def test_an_event_names_a_deployment_that_exists() -> None:
    with pytest.raises(ValueError, match="unknown deployment of an event 'aa'"):
        run(Scripted([0]), [0.0], events=[Outage(1.0, 1.0, deployment="aa")])


def test_numbers_of_events_are_checked() -> None:
    with pytest.raises(ValueError, match="at_s of a Outage is -1"):
        Outage(-1, 1)
    with pytest.raises(ValueError, match="factor of a Degradation is 0; it must be positive"):
        Degradation(0, 1, 0)


# --- budgets over time ------------------------------------------------------------------------------------------------


def test_a_budget_per_window_begins_anew() -> None:
    window = Window(length_s=10, spread=False)
    requests = run(Scripted([0] * 4), [1.0, 2.0, 11.0, 12.0], budget=Amounts([1.5, 0]), window=window)
    assert requests["fate"].tolist() == ["served", "exhausted", "served", "exhausted"]


def test_what_is_left_rolls_over() -> None:
    window = Window(length_s=10, rollover=True, spread=False)
    requests = run(Scripted([0] * 3), [1.0, 11.0, 12.0], budget=Amounts([1.5, 0]), window=window)
    assert requests["fate"].tolist() == ["served"] * 3  # 0.5 left + 1.5 pay for two


def test_a_budget_for_the_run_is_spread_over_its_windows() -> None:
    # 4 USD over 40 s are 1 USD for each 10 s.
    requests = run(Scripted([0] * 4), [0.0, 1.0, 11.0, 40.0], budget=Amounts([4.0, 0]), window=Window(10))
    assert requests["fate"].tolist() == ["served", "exhausted", "served", "served"]


def test_a_query_can_wait_for_the_next_window() -> None:
    window = Window(length_s=10, spread=False)
    requests = run(Scripted([0] * 3), [0.0, 1.0, 2.0], budget=Amounts([1.5, 0]), window=window, exhausted="wait")
    assert requests["started_at_s"].tolist() == [0.0, 10.0, 20.0]


def test_waiting_ends_when_the_budget_of_the_run_has_been_given_out() -> None:
    # 2 USD over 20 s are 1 USD for each 10 s: the second query waits for 10 s, the third for a window that never comes.
    requests = run(Scripted([0] * 3), [0.0, 1.0, 20.0], budget=Amounts([2.0, 0]), window=Window(10), exhausted="wait")
    assert requests["fate"].tolist() == ["served", "served", "exhausted"]
    assert requests["started_at_s"].tolist()[:2] == [0.0, 10.0]


def test_a_budget_cannot_be_spread_over_arrivals_that_are_not_known() -> None:
    with pytest.raises(ValueError, match="a closed loop has no arrival times to spread a budget over"):
        run(Scripted([0]), ClosedLoop(users=1, mean_think_s=1), n_queries=1, window=Window(10))


def test_nobody_waits_for_a_budget_that_no_window_will_have() -> None:
    window = Window(length_s=10, spread=False)
    requests = run(Scripted([0, 0]), [1.0, 2.0], budget=Amounts([0.5, 0]), window=window, exhausted="wait")
    assert requests["fate"].tolist() == ["exhausted", "exhausted"]


def test_a_token_bucket_fills_evenly() -> None:
    # The bucket holds the share of 2 s of 10 s, 2 of 10 USD, with which it begins; the others flow in at 0.8 a second.
    times = [0.0, 0.0, 0.0, 1.5, 10.0]
    requests = run(Scripted([0] * 5), times, budget=Amounts([10.0, 0]), window=TokenBucket(burst_s=2))
    assert requests["fate"].tolist() == ["served", "served", "exhausted", "served", "served"]


def test_a_reservation_by_estimate_may_be_overshot() -> None:
    # Estimates are the history means, 1 USD, but the price has doubled: 2 reservations fit into 2 USD, and cost 4.
    requests = run(
        Scripted([None, 0, 0, 0]),
        [0.0, 1.0, 1.1, 5.0],
        service=ONE_AT_A_TIME,
        budget=Amounts([2.0, 0]),
        reserve="estimate",
        events=[PriceChange(0.5, factor=2)],
    )
    assert requests["fate"].tolist() == ["declined", "served", "served", "exhausted"]
    assert requests["cost_usd"].sum() == 4.0


# --- what a router really sees ----------------------------------------------------------------------------------------


def test_a_stale_state_is_refreshed_every_so_often() -> None:
    policy = Scripted([0] * 3)
    run(policy, [0.1, 0.9, 1.1], service=Slots(9, 0.0, 0.05), state_refresh_s=1.0)
    assert [in_flight for _, _, in_flight, _ in policy.states] == [[0, 0], [0, 0], [2, 0]]


def test_after_a_long_silence_a_query_sees_the_last_snapshot_before_it() -> None:
    policy = Scripted([0] * 3)
    run(policy, [0.1, 9e5 + 0.5, 9e5 + 1.25], service=Slots(9, 0.0, 0.007), state_refresh_s=1.0)
    assert [in_flight for _, _, in_flight, _ in policy.states] == [[0, 0], [0, 0], [1, 0]]


def test_a_decision_takes_its_time() -> None:
    requests = run(Scripted([0, 0]), [0.0, 1.0], service=ONE_AT_A_TIME, decision_s=0.2)
    assert requests["decided_at_s"].tolist() == pytest.approx([0.2, 1.2])
    assert requests["finished_at_s"].tolist() == pytest.approx([1.2, 2.2])
