"""A cache before the policy: hits, their time and worth, what is stored when, and what the policy hears."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from scenarios.arrivals.closed import ClosedLoop
from scenarios.budgets import Amounts
from scenarios.caches.lru import LeastRecentlyUsed
from scenarios.events import PriceChange
from sim.interface import Answer, Combine, Decision, Feedback, FloatArray, Gate, Hit, Keep, Policy, Query, State
from sim.study.fleet import fleet_table
from sim.study.record.checks import check
from tests.caching.repeated import Notes, run, world
from tests.calls.reviewing import Reviewed

CACHE = LeastRecentlyUsed(capacity=10)


def test_a_prompt_that_comes_again_gets_the_stored_answer_for_nothing() -> None:
    requests = run(Notes(), world([7, 8, 7], [0.0, 0.0, 5.0], cache=CACHE))
    assert requests["fate"].tolist() == ["served", "served", "cached"]
    hit = requests.iloc[2]
    assert (hit["quality"], hit["cost_usd"], hit["calls"], hit["ended_at_s"]) == (0.5, 0.0, 0, 5.0)
    assert (hit["answer_of"], hit["saved_usd"], hit["saved_s"]) == (0, 1.0, 1.0)
    assert pd.isna(hit["deployment"])
    assert pd.isna(hit["finished_at_s"])
    assert requests["answer_of"].isna().tolist() == [True, True, False]


def test_the_policy_is_not_asked_and_hears_of_the_hit_without_its_score() -> None:
    policy = Notes(deployment=1)
    run(policy, world([7, 7], [0.0, 5.0], cache=CACHE))
    assert policy.decided == [(0, 0.0)]
    served, hit = policy.heard
    assert isinstance(served, Feedback)
    assert isinstance(hit, Hit)
    assert (hit.query.id, hit.deployment, hit.similarity, hit.answer_of) == (1, 1, 1.0, 0)
    assert (hit.age_s, hit.latency_s) == (4.0, 0.0)  # stored at 1 s, asked for at 5 s
    assert not hasattr(hit, "quality")


def test_an_answer_that_is_under_way_serves_nobody_else() -> None:
    """No coalescing: the query of 0.5 s is asked too, and its answer is the latest when the third query comes."""
    requests = run(Notes(), world([7, 7, 7], [0.0, 0.5, 2.0], cache=CACHE))
    assert requests["fate"].tolist() == ["served", "served", "cached"]
    assert requests["answer_of"][2] == 1


def test_an_answer_that_comes_when_a_query_arrives_is_there() -> None:
    requests = run(Notes(), world([7, 7], [0.0, 1.0], cache=CACHE))
    assert requests["fate"].tolist() == ["served", "cached"]
    assert requests["saved_s"][1] == 1.0


def test_a_look_up_takes_its_time_and_finds_what_is_there_when_it_ends() -> None:
    cache = LeastRecentlyUsed(capacity=10, lookup_s=0.25)
    policy = Notes()
    requests = run(policy, world([7, 7, 8], [0.0, 1.0, 5.0], cache=cache))
    assert policy.decided == [(0, 0.25), (2, 5.25)]
    assert requests["decided_at_s"].tolist() == [0.25, 1.25, 5.25]
    assert requests["started_at_s"].tolist()[::2] == [0.25, 5.25]
    assert requests["fate"].tolist() == ["served", "cached", "served"]  # the answer of query 0 was there at 1.25 s
    assert requests["ended_at_s"].tolist() == [1.25, 1.25, 6.25]
    assert requests["saved_s"][1] == 1.0  # 1.25 s less the look-up


def test_a_look_up_may_cost_more_time_than_it_saves() -> None:
    requests = run(Notes(), world([7, 7], [0.0, 9.0], cache=LeastRecentlyUsed(capacity=1, lookup_s=3.0)))
    assert (requests["ended_at_s"][1], requests["saved_s"][1]) == (12.0, 1.0)


@pytest.mark.parametrize(("at_s", "fate"), [(5.75, "cached"), (6.0, "served")])
def test_an_answer_expires_at_its_age(at_s: float, fate: str) -> None:
    """It was stored at 1 s."""
    cache = LeastRecentlyUsed(capacity=10, expires_s=5.0)
    assert run(Notes(), world([7, 7], [0.0, at_s], cache=cache))["fate"][1] == fate


def test_an_answer_that_has_expired_makes_room() -> None:
    cache = LeastRecentlyUsed(capacity=1, expires_s=5.0)
    requests = run(Notes(), world([7, 8, 8, 7], [0.0, 7.0, 9.0, 9.0], cache=cache))
    assert requests["fate"].tolist() == ["served", "served", "cached", "served"]


def test_what_was_not_served_is_not_stored() -> None:
    instance = world([7, 7, 7], [0.0, 2.0, 4.0], cache=CACHE, budget=Amounts([1.0, 0.5]))
    assert run(Notes(1), instance)["fate"].tolist() == ["exhausted"] * 3
    assert run(Notes(0), instance)["fate"].tolist() == ["served", "cached", "cached"]  # 1 USD pays for one


def test_what_a_hit_saves_is_what_the_answer_cost_at_the_prices_of_then() -> None:
    events = [PriceChange(factor=10.0, at_s=0.5)]
    instance = world([7, 8, 7, 8], [0.0, 1.0, 5.0, 6.0], cache=CACHE, events=events)
    assert run(Notes(), instance)["saved_usd"].tolist()[2:] == [1.0, 10.0]


# --- similar prompts --------------------------------------------------------------------------------------------------

THREE = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]  # cosines 0.6, 0.8 and 0 of the first and second, second and third, others


def similar(least: float) -> LeastRecentlyUsed:
    return LeastRecentlyUsed(capacity=10, similarity=least)


@pytest.mark.parametrize(("least", "fate"), [(0.59, "cached"), (0.61, "served")])
def test_a_similar_prompt_is_served_from_the_threshold_on(least: float, fate: str) -> None:
    policy = Notes()
    requests = run(policy, world([0, 1], [0.0, 5.0], embeddings=THREE[:2], cache=similar(least)))
    assert requests["fate"][1] == fate
    if fate == "cached":
        assert isinstance(policy.heard[1], Hit)
        assert policy.heard[1].similarity == pytest.approx(0.6, abs=1e-6)


def test_a_cosine_of_1_reaches_a_threshold_of_1_whatever_the_lengths() -> None:
    embeddings = [[0.3, 0.7], [0.6, 1.4]]
    assert run(Notes(), world([0, 1], [0.0, 5.0], embeddings=embeddings, cache=similar(1.0)))["fate"][1] == "cached"


def test_the_most_similar_prompt_answers_and_the_same_one_before_all() -> None:
    times = [0.0, 5.0, 10.0, 15.0]
    instance = world([0, 2, 1, 2], times, embeddings=[THREE[k] for k in (0, 2, 1, 2)], cache=similar(0.5))
    requests = run(Notes(), instance)
    assert requests["fate"].tolist() == ["served", "served", "cached", "cached"]
    assert requests["answer_of"].tolist()[2:] == [1, 1]


def test_an_answer_to_a_similar_prompt_is_worth_the_lesser_of_its_score_and_that_of_its_deployment_here() -> None:
    """Wrong there or wrong here is wrong."""
    for there, here, worth in ((0.25, 1.0, 0.25), (1.0, 0.75, 0.75)):
        quality = [[there, 1.0], [here, 1.0]]
        instance = world([0, 1], [0.0, 5.0], embeddings=THREE[:2], cache=similar(0.5), quality=quality)
        assert run(Notes(), instance)["quality"][1] == worth
    same = world([0, 0], [0.0, 5.0], embeddings=THREE[:2], cache=similar(0.5), quality=[[1.0, 1.0], [0.25, 1.0]])
    assert run(Notes(), same)["quality"][1] == 1.0  # the same prompt has the stored answer's score


def test_an_embedding_of_nothing_but_zeros_is_similar_to_none() -> None:
    instance = world([0, 1], [0.0, 5.0], embeddings=[[0.0, 0.0], [0.0, 0.0]], cache=similar(0.1))
    assert run(Notes(), instance)["fate"].tolist() == ["served", "served"]


# --- several calls, gates, users --------------------------------------------------------------------------------------


def second_opinion(query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
    return Keep(1) if len(answers) == 2 else Decision(1)


def test_of_several_calls_the_answer_that_was_kept_is_stored_and_all_of_them_are_saved() -> None:
    requests = run(Reviewed(Decision(0), second_opinion), world([7, 7], [0.0, 5.0], cache=CACHE))
    assert requests["fate"].tolist() == ["served", "cached"]
    assert requests["calls"].tolist() == [2, 0]
    assert requests["quality"].tolist() == [1.0, 1.0]
    assert (requests["saved_usd"][1], requests["saved_s"][1]) == (3.0, 2.0)


def test_a_combination_is_stored_for_what_it_is_worth() -> None:
    def both(query: Query, answers: Sequence[Answer], state: State) -> Combine:
        return Combine((0, 1))

    def mean(scores: FloatArray) -> float:
        return float(scores.mean())

    policy = Reviewed(Decision(0, alongside=(1,)), both)
    assert run(policy, world([7, 7], [0.0, 5.0], cache=CACHE, combined=mean))["quality"].tolist() == [0.75, 0.75]
    quality = [[0.5, 1.0], [0.25, 0.25]]
    other = world([0, 1], [0.0, 5.0], embeddings=THREE[:2], cache=similar(0.5), combined=mean, quality=quality)
    assert run(policy, other)["quality"].tolist() == [0.75, 0.25]


def test_a_gate_does_not_wait_for_a_last_query_that_a_cache_answers() -> None:
    for lookup_s in (0.0, 0.5):
        policy = Notes(gate=Gate(2))
        cache = LeastRecentlyUsed(capacity=10, lookup_s=lookup_s)
        requests = run(policy, world([7, 8, 9, 7], [0.0, 1.0, 9.0, 10.0], cache=cache))
        assert requests["fate"].tolist() == ["served"] * 3 + ["cached"]
        assert policy.decided[-1] == (2, 10.0 + lookup_s)  # when the last look-up ended


def test_users_of_a_closed_loop_think_after_a_hit() -> None:
    requests = run(Notes(), world([7] * 6, ClosedLoop(users=1, mean_think_s=1.0), cache=CACHE))
    assert requests["fate"].tolist() == ["served"] + ["cached"] * 5
    assert (requests["arrived_at_s"].diff()[1:] > 0).all()


class Breaks(Policy):
    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)

    def learn_hit(self, hit: Hit) -> None:
        raise KeyError("oh")


def test_a_policy_that_raises_at_a_hit_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"policy 'p' raised KeyError learning from query 1: 'oh'"):
        run(Breaks(), world([7, 7], [0.0, 5.0], cache=CACHE))


# --- the check of the record ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("cost_usd", 1.0, "query 2 was answered by a cache and cost money"),
        ("answer_of", pd.NA, "query 2 was answered by a cache and names no query"),
        ("answer_of", 5, "query 2 has the answer to no query"),
        ("answer_of", 2, "query 2 has an answer that was not there yet"),
        ("deployment", "a", "query 2 was answered by a cache and names a deployment"),
        ("saved_usd", 2.0, "query 2 saved something else than its answer had cost"),
        ("saved_s", 2.0, "query 2 saved other time than its answer had taken"),
        ("started_at_s", 5.0, "query 2 can never have started"),
    ],
)
def test_a_record_of_a_hit_that_cannot_be_is_refused(column: str, value: Any, message: str) -> None:
    instance = world([7, 8, 7], [0.0, 0.0, 5.0], cache=CACHE)
    requests = run(Notes(), instance)
    requests.loc[2, column] = value
    with pytest.raises(RuntimeError, match=message):
        check(requests, fleet_table(instance))
