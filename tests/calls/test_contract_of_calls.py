"""The contract of policies that look at answers: what they may see of calls, and cheats that the fences catch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from policies.greedy.cascade import Cascade
from scenarios.arrivals.closed import ClosedLoop
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.interface import Answer, Decision, Feedback, Keep, Policy, Query, Setting, State
from sim.scenario import Retry, Scenario, Window
from sim.study.contract import (
    NothingHiddenError,
    asking_changes_nothing,
    causal_fence,
    counterfactual_fence,
    reset_forgets,
    score_fence,
)
from sim.study.contract.worlds import world_of
from sim.world.services.slots import Slots
from tests.calls.reviewing import keep_last
from tests.configured import configured_policy
from tests.policies.test_fences import truth

PLAIN = synthetic(n_queries=120, n_history=100, n_models=4, dim=8, seed=1)
DRAWN = np.random.default_rng(0).random(PLAIN.test.quality.shape)
WORKLOAD = replace(PLAIN, test=replace(PLAIN.test, confidence=DRAWN))
SLOTS = OnePerModel(Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.005), queue_capacity=4)
WORLDS = {
    "slots and a budget": Scenario(
        WORKLOAD, SLOTS, Weighted(total=2.0), Poisson(20), shuffled, retry=Retry(2, backoff_s=0.2)
    ),
    "windows of estimates and a slow decision": Scenario(
        WORKLOAD,
        SLOTS,
        Weighted(total=4.0),
        Poisson(20),
        shuffled,
        exhausted="wait",
        window=Window(length_s=1.0, rollover=True),
        reserve="estimate",
        decision_s=0.05,
    ),
    "a closed loop without budgets": Scenario(WORKLOAD, SLOTS, Unlimited(), ClosedLoop(12, mean_think_s=0.3), shuffled),
}


class Ladder(Policy):
    """Asks the first two deployments in turn if the first is unsure, and the third beside the second."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0, fallbacks=(3,))

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        came = [(answer.confidence, index) for index, answer in enumerate(answers) if answer.came]
        if came and (max(came)[0] > 0.5 or len(answers) > 1):
            return Keep(max(came)[1])
        return Decision(1, alongside=(2,)) if len(answers) == 1 else Decision(None)


class Learns(Ladder):
    """Begins where the scores and costs that it hears of are best."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self.worth = np.zeros(len(setting.fleet))

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(self.worth[:3].argmax()))

    def learn(self, feedback: Feedback) -> None:
        self.worth[feedback.deployment] += np.nan_to_num(feedback.quality) - feedback.cost


HONEST = {"cascade": lambda: Cascade(0.6), "ladder": Ladder, "learns": Learns}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_policy_keeps_the_contract(name: str, world: str) -> None:
    counterfactual_fence(HONEST[name], WORLDS[world])
    score_fence(HONEST[name], WORLDS[world])
    causal_fence(HONEST[name], WORLDS[world])
    reset_forgets(HONEST[name], WORLDS[world])
    asking_changes_nothing(HONEST[name], WORLDS[world])


def test_the_worlds_have_rounds_lost_calls_and_calls_under_way() -> None:
    lost = 0
    for scenario in WORLDS.values():
        requests, calls, _ = world_of(None, scenario, 0, None).run(Ladder())
        assert calls is not None
        assert (calls["round"] == 1).sum() > 20
        assert (requests["finished_at_s"] > requests["arrived_at_s"].shift(-1)).sum() > 20
        lost += (calls["fate"] != "served").sum()
    assert lost > 20


class KnowsCallsNeverMade(Ladder):
    """Asks again if the next deployment would answer better."""

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        better = len(answers) == 1 and truth().quality[query.id, 1] > 0.5
        return Decision(1) if better or (not answers[-1].came and len(answers) == 1) else last_that_came(answers)


class KnowsItsScore(Ladder):
    """Asks again if the answer is not right, though nobody has said so."""

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        wrong = truth().quality[query.id, answers[-1].deployment] < 0.5 or not answers[-1].came
        return Decision(1) if len(answers) == 1 and wrong else last_that_came(answers)


class KnowsConfidenceBeforehand(Ladder):
    """Begins with the deployment that will be the surest."""

    def decide(self, query: Query, state: State) -> Decision:
        confidence = truth().confidence
        assert confidence is not None
        return Decision(int(confidence[query.id].argmax()))


class SeesConfidenceInFlight(Ladder):
    """Begins elsewhere if the query before will get an unsure answer, which is not there yet."""

    def decide(self, query: Query, state: State) -> Decision:
        confidence = truth().confidence
        assert confidence is not None
        return Decision(int(query.id > 0 and confidence[query.id - 1, 0] < 0.5))


def last_that_came(answers: Sequence[Answer]) -> Decision | Keep:
    """Keep the last answer that came, or give up."""
    came = [index for index, answer in enumerate(answers) if answer.came]
    return Keep(came[-1]) if came else Decision(None)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("cheat", [KnowsCallsNeverMade, KnowsConfidenceBeforehand])
def test_outcomes_of_calls_never_made_are_hidden(cheat: type[Policy], world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw the outcome of a deployment that"):
        counterfactual_fence(cheat, WORLDS[world])


@pytest.mark.parametrize("world", WORLDS)
def test_the_score_of_an_answer_that_is_not_kept_is_hidden_from_its_review(world: str) -> None:
    with pytest.raises(AssertionError, match=r"the review after 1 call of query \d+, .*: it saw the score of an"):
        score_fence(KnowsItsScore, WORLDS[world])


def test_no_score_is_hidden_from_a_policy_that_makes_one_call_for_each_query() -> None:
    with pytest.raises(NothingHiddenError, match="every answer was kept"):
        score_fence(lambda: configured_policy("random"), WORLDS["slots and a budget"])


@pytest.mark.parametrize("world", WORLDS)
def test_the_score_of_an_answer_is_hidden_until_its_query_has_ended(world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw the outcome of a query that was not finished"):
        causal_fence(KnowsItsScore, WORLDS[world], shares=np.linspace(0.1, 0.9, 9).tolist())


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("cheat", [KnowsConfidenceBeforehand, SeesConfidenceInFlight])
def test_the_confidence_of_an_answer_that_has_not_arrived_is_hidden(cheat: type[Policy], world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw the outcome of a query that was not finished"):
        causal_fence(cheat, WORLDS[world])


class Counts(Policy):
    """Asks several at once from its hundredth query on, and does not begin to count anew."""

    decided = 0

    def decide(self, query: Query, state: State) -> Decision:
        self.decided += 1
        return Decision(0)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        if answers[-1].came:
            return keep_last(query, answers, state) if self.decided < 200 or len(answers) > 1 else Decision(1)
        return Decision(None)


def test_a_review_that_remembers_the_run_before_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: reset left something of the run before"):
        reset_forgets(Counts, WORLDS["a closed loop without budgets"])
