"""A query that takes several calls: rounds, their times, their money and what the policy sees and learns of them."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from scenarios.budgets import Amounts
from scenarios.events import Outage
from sim.deployment import Deployment
from sim.interface import Answer, Combine, Decision, Keep, Policy, Query, State
from sim.scenario import Retry, Window
from sim.study.fleet import fleet_table
from sim.study.record.checks import check
from sim.world.record import frame
from sim.world.services.slots import Slots
from tests.calls.reviewing import Reviewed, climb, keep_last, run, table_of, world
from tests.scripted import Scripted


def test_a_cascade_of_three_takes_three_seconds_and_pays_three_calls() -> None:
    requests, calls = run(Reviewed(Decision(0), climb), world([0.0]))
    row = requests.iloc[0]
    assert (row["deployment"], row["fate"], row["calls"], row["quality"]) == ("large", "served", 3, 1.0)
    assert (row["cost_usd"], row["arrived_at_s"], row["finished_at_s"]) == (7.0, 0.0, 3.0)
    assert calls["deployment"].tolist() == ["small", "medium", "large"]
    assert calls["round"].tolist() == [0, 1, 2]
    assert calls["started_at_s"].tolist() == [0.0, 1.0, 2.0]
    assert calls["finished_at_s"].tolist() == [1.0, 2.0, 3.0]
    assert calls["cost_usd"].tolist() == [1.0, 2.0, 4.0]
    assert calls["kept"].tolist() == [False, False, True]


def test_review_sees_each_answer_without_its_quality_when_it_is_there() -> None:
    policy = Reviewed(Decision(0), climb)
    run(policy, world([0.0]))
    small, medium = Answer(0, 1.0, 1.0, 100, 0.1), Answer(1, 2.0, 1.0, 100, 0.6)
    assert policy.seen[:2] == [(1.0, 0, (small,)), (2.0, 0, (small, medium))]


def test_a_round_of_several_ends_with_the_last_of_its_calls() -> None:
    fleet = [Deployment(name, name, Slots(1, s, 0.0)) for name, s in (("small", 1.0), ("medium", 5.0), ("large", 2.0))]
    policy = Reviewed(Decision(0, alongside=(1, 2)), keep_last)
    requests, calls = run(policy, world([0.0], deployments=fleet))
    assert [now_s for now_s, _, _ in policy.seen] == [5.0]
    assert (requests["finished_at_s"][0], requests["quality"][0], requests["cost_usd"][0]) == (5.0, 1.0, 7.0)
    assert calls["place"].tolist() == [0, 1, 2]
    assert calls["finished_at_s"].tolist() == [1.0, 5.0, 2.0]


def test_without_a_review_the_answer_that_came_first_is_kept() -> None:
    fleet = [Deployment(name, name, Slots(1, s, 0.0)) for name, s in (("small", 3.0), ("medium", 1.0), ("large", 2.0))]
    requests, calls = run(Scripted([Decision(0, alongside=(1, 2))]), world([0.0], deployments=fleet))
    assert (requests["deployment"][0], requests["finished_at_s"][0], requests["cost_usd"][0]) == ("medium", 3.0, 7.0)
    assert calls["kept"].tolist() == [False, True, False]


def test_a_policy_that_asks_several_for_the_first_time_late_begins_its_run_anew() -> None:
    requests, calls = run(Scripted([0, 1, Decision(0, alongside=(1,))]), world([0.0, 1.0, 2.0]))
    assert requests["calls"].tolist() == [1, 1, 2]
    assert calls["query"].tolist() == [0, 1, 2, 2]


def test_one_call_that_is_kept_is_what_a_policy_without_review_records() -> None:
    instance = world([0.0, 0.5, 0.7, 3.0], service=Slots(1, 1.0, 0.0))
    reviewed, _ = run(Reviewed(Decision(1), keep_last), instance)
    plain = frame(table_of(Scripted([1] * 4), instance), instance)
    pd.testing.assert_frame_equal(reviewed, plain)


def test_a_call_that_waits_in_a_queue_is_not_overtaken_by_the_next_call_of_another_query() -> None:
    """One slot each: query 1 waits for the small model while query 0 is served, and both for the medium one."""

    def once_more(query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        return Keep(1) if len(answers) == 2 else Decision(0)

    _, calls = run(Reviewed(Decision(0), once_more), world([0.0, 0.5], service=Slots(1, 1.0, 0.0)))
    assert calls[["query", "started_at_s"]].to_numpy().tolist() == [[0, 0.0], [1, 1.0], [0, 2.0], [1, 3.0]]


def test_a_refused_call_is_an_answer_that_never_came_and_the_policy_may_ask_elsewhere() -> None:
    policy = Reviewed(Decision(2), lambda query, answers, state: Keep(1) if len(answers) == 2 else Decision(0))
    requests, calls = run(policy, world([0.0], budget=Amounts([9.0, 9.0, 3.0])))
    refused = policy.seen[0][2][0]
    assert (refused.deployment, refused.cost, refused.fate, refused.came) == (2, 0.0, "exhausted", False)
    assert math.isnan(refused.confidence)
    assert calls["fate"].tolist() == ["exhausted", "served"]
    assert (requests["fate"][0], requests["calls"][0], requests["cost_usd"][0]) == ("served", 2, 1.0)


def test_a_lost_call_says_how_long_it_took_to_be_lost() -> None:
    policy = Reviewed(Decision(0), lambda query, answers, state: Keep(1) if len(answers) == 2 else Decision(1))
    requests, _ = run(policy, world([0.0], events=[Outage(0.25, 9.0, "small")]))
    assert policy.seen[0][2][0][2:] == (0.25, 0, policy.seen[0][2][0].confidence, "failed")
    assert (requests["finished_at_s"][0], requests["cost_usd"][0]) == (1.25, 2.0)


def test_a_query_without_any_answer_has_the_fate_of_its_last_call() -> None:
    policy = Reviewed(Decision(2), lambda query, answers, state: Decision(None))
    requests, _ = run(policy, world([0.0], budget=Amounts([9.0, 9.0, 3.0])))
    assert (requests["fate"][0], requests["deployment"][0], requests["quality"][0]) == ("exhausted", "large", 0.0)


def test_a_query_that_is_given_up_after_an_answer_is_declined_and_has_been_paid_for() -> None:
    policy = Reviewed(Decision(1), lambda query, answers, state: Decision(None))
    requests, _ = run(policy, world([0.0]))
    row = requests.iloc[0]
    assert (row["fate"], row["calls"], row["cost_usd"], row["quality"], row["ended_at_s"]) == ("declined", 1, 2.0, 0, 1)


def test_a_query_that_is_declined_at_once_takes_no_call() -> None:
    requests, calls = run(Reviewed(Decision(None), keep_last), world([0.0]))
    assert (requests["fate"][0], requests["calls"][0], len(calls)) == ("declined", 0, 0)


def test_every_call_is_committed_so_that_calls_under_way_fill_a_budget() -> None:
    """The large model pays for one call of 4 USD: of two alongside each other the second is refused."""
    policy = Reviewed(Decision(2, alongside=(2,)), lambda query, answers, state: Keep(0))
    _, calls = run(policy, world([0.0], budget=Amounts([9.0, 9.0, 4.0])))
    assert calls["fate"].tolist() == ["served", "exhausted"]


def test_the_first_call_of_a_round_falls_back_and_those_alongside_do_not() -> None:
    policy = Reviewed(Decision(2, (0,), alongside=(2,)), lambda query, answers, state: Keep(0))
    _, calls = run(policy, world([0.0], budget=Amounts([9.0, 9.0, 3.0])))
    assert calls["fate"].tolist() == ["served", "exhausted"]
    assert calls["deployment"].tolist() == ["small", "large"]


def test_a_call_is_tried_again_and_waits_for_a_window_like_a_query() -> None:
    again = Reviewed(Decision(0), keep_last)
    outage = Outage(0.5, 1.0, "small")
    _, calls = run(again, world([0.0], events=[outage], retry=Retry(attempts=3, backoff_s=2.0)))
    assert calls[["attempts", "offered_at_s", "finished_at_s"]].to_numpy().tolist() == [[2, 2.5, 3.5]]
    waits = Reviewed(Decision(1, alongside=(1,)), keep_last)
    window = Window(length_s=10.0, spread=False)
    instance = world([0.0, 30.0], budget=Amounts([9.0, 2.0, 9.0]), window=window, exhausted="wait")
    requests, calls = run(waits, instance)
    assert calls["offered_at_s"].tolist()[:2] == [0.0, 10.0]
    assert requests["finished_at_s"][0] == 11.0


def test_a_review_takes_the_time_of_a_decision() -> None:
    requests, calls = run(Reviewed(Decision(0), climb), world([0.0], decision_s=0.5))
    assert calls["decided_at_s"].tolist() == [0.5, 2.0, 3.5]
    assert requests["finished_at_s"][0] == 5.0


def test_a_review_comes_after_all_that_ends_at_its_time_and_before_what_arrives_then() -> None:
    policy = Reviewed(Decision(0, alongside=(1,)), keep_last)
    instance = world([0.0, 1.0])
    run(policy, instance)
    assert [(now_s, number) for now_s, number, _ in policy.seen] == [(1.0, 0), (2.0, 1)]


def test_a_combination_is_worth_what_the_workload_says() -> None:
    policy = Reviewed(Decision(0, alongside=(1, 2)), lambda query, answers, state: Combine((1, 0)))
    requests, calls = run(policy, world([0.0], combined=lambda scores: float(scores.mean())))
    row = requests.iloc[0]
    assert (row["deployment"], row["quality"], row["cost_usd"]) == ("medium", 0.375, 7.0)
    assert calls["kept"].tolist() == [True, True, False]
    assert [(each.deployment, math.isnan(each.quality)) for each in policy.learned] == [(0, True), (1, True), (2, True)]


def test_the_policy_learns_the_score_of_the_kept_answer_and_the_cost_of_every_answer_once_the_query_has_ended() -> None:
    policy = Reviewed(Decision(0), lambda query, answers, state: Keep(0) if len(answers) == 2 else Decision(1))
    run(policy, world([0.0]))
    first, second = policy.learned
    assert (first.deployment, first.quality, first.cost, first.latency_s, first.query.id) == (0, 0.25, 1.0, 2.0, 0)
    assert (second.deployment, second.cost, second.latency_s) == (1, 2.0, 2.0)
    assert math.isnan(second.quality)


def test_a_call_table_grows_beyond_one_call_a_query() -> None:
    requests, calls = run(Reviewed(Decision(0), climb), world((np.arange(50) / 10.0).tolist()))
    assert len(calls) == 150
    assert requests["cost_usd"].eq(7.0).all()


class AsksForEver(Policy):
    """Never content."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision:
        return Decision(0)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (
            AsksForEver(),
            "policy 'p' asked for call 9 of query 0: max_calls is 8; its review must keep an answer, or give up with "
            "Decision(None)",
        ),
        (
            Reviewed(Decision(0), lambda query, answers, state: Keep(1)),
            "policy 'p' keeps answer 1 to query 0: it has one, number 0",
        ),
        (
            Reviewed(Decision(0, alongside=(1,)), lambda query, answers, state: Keep(-1)),
            "policy 'p' keeps answer -1 to query 0: it has 2, numbered from 0",
        ),
        (
            Reviewed(Decision(0), lambda query, answers, state: None),  # type: ignore[arg-type, return-value]
            "policy 'p' returned None from its review of query 0: it must be a Decision, a Keep or a Combine",
        ),
        (
            Reviewed(Decision(0), lambda query, answers, state: Combine((0,))),
            "policy 'p' combines answers to query 0: the workload does not say what a combination is worth "
            "(Workload.combined)",
        ),
        (
            Reviewed(Decision(0), lambda query, answers, state: Decision(7)),
            "policy 'p' chose deployment 7 for query 0: it must be an index from 0 to 2, or None to decline",
        ),
        (
            Reviewed(Decision(None, alongside=(1,)), keep_last),
            "policy 'p' chose deployment None for query 0: it must be an index from 0 to 2, as the round has several "
            "calls",
        ),
        (
            Reviewed(Decision(0), lambda query, answers, state: Keep(answers[5].deployment)),
            "policy 'p' raised IndexError reviewing query 0: tuple index out of range",
        ),
    ],
)
def test_a_policy_that_reviews_wrongly_is_named_with_its_query(policy: Policy, message: str) -> None:
    with pytest.raises(RuntimeError) as error:
        table_of(policy, world([0.0]))
    assert str(error.value) == message


def test_a_policy_that_keeps_an_answer_that_never_came_is_named() -> None:
    policy = Reviewed(Decision(2), lambda query, answers, state: Keep(0))
    with pytest.raises(RuntimeError, match="'p' keeps answer 0 to query 0: it never came, as its call was exhausted"):
        table_of(policy, world([0.0], budget=Amounts([9.0, 9.0, 3.0])))


def test_a_combination_worth_more_than_one_is_refused() -> None:
    policy = Reviewed(Decision(0, alongside=(2,)), lambda query, answers, state: Combine((0, 1)))
    with pytest.raises(RuntimeError, match=r"scores \[0.25, 1.0\] are worth 1.25 together \(query 0\)"):
        table_of(policy, world([0.0], combined=lambda scores: float(scores.sum())))


def test_the_check_finds_a_query_whose_calls_cost_something_else() -> None:
    instance = world([0.0])
    requests, calls = run(Reviewed(Decision(0), climb), instance)
    fleet = fleet_table(instance)
    with pytest.raises(RuntimeError, match="query 0 cost something else than its calls"):
        check(requests.assign(cost_usd=6.0), fleet, calls)
    with pytest.raises(RuntimeError, match="query 0 took another number of calls than the call table has"):
        check(requests.assign(calls=2), fleet, calls)
    with pytest.raises(RuntimeError, match="query 0 ended before its last call"):
        check(requests, fleet, calls.assign(finished_at_s=[1.0, 2.0, 3.5], ended_at_s=[1.0, 2.0, 3.5]))
    with pytest.raises(RuntimeError, match="call 1 began before the round before it had ended"):
        check(requests, fleet, calls.assign(decided_at_s=[0.0, 0.5, 2.0]))
    with pytest.raises(RuntimeError, match="query 0 was served and kept no answer"):
        check(requests, fleet, calls.assign(kept=False))
