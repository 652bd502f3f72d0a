"""The contract where answers may be cut: what a policy may know of caps, and cheats that the fences catch."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.estimators.plain_ridge import PlainRidge
from policies.greedy.capped import CappedGreedy
from policies.learned.r2_router import R2Router
from scenarios.arrivals.closed import ClosedLoop
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.interface import Answer, Decision, Feedback, Keep, Policy, Query, Setting, State
from sim.scenario import Retry, Scenario, Window
from sim.study.contract import causal_fence, counterfactual_fence, history_fence, reset_forgets
from sim.study.contract.worlds import world_of
from sim.world.services.slots import Slots
from tests.calls.reviewing import keep_last
from tests.policies.test_fences import truth

DRAWN = synthetic(n_queries=120, n_history=100, n_models=4, dim=8, seed=1, cap_curve=3.0)
SCORES = np.sort(np.random.default_rng(0).random((120, 4, 15)), axis=2)  # of which one says little of the next
ENERGY_J = np.random.default_rng(1).uniform(1, 9, (120, 4))
WORKLOAD = replace(DRAWN, test=replace(DRAWN.test, capped_quality=SCORES, energy_j=ENERGY_J))
SLOTS = OnePerModel(Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.005), queue_capacity=4)
WORLDS = {
    "slots and a budget": Scenario(
        WORKLOAD, SLOTS, Weighted(total=2.0), Poisson(20), shuffled, retry=Retry(2, backoff_s=0.2)
    ),
    "no prices": Scenario(replace(WORKLOAD, token_prices=None), SLOTS, Weighted(total=1.0), Poisson(20), shuffled),
    "windows of tokens and estimates": Scenario(
        WORKLOAD,
        SLOTS,
        Weighted(total=1.0, unit="tokens"),
        Poisson(20),
        shuffled,
        exhausted="wait",
        window=Window(length_s=1.0, rollover=True),
        reserve="estimate",
    ),
    "a hard budget in tokens": Scenario(WORKLOAD, SLOTS, Weighted(total=0.7, unit="tokens"), Poisson(20), shuffled),
    "a closed loop without budgets": Scenario(WORKLOAD, SLOTS, Unlimited(), ClosedLoop(12, mean_think_s=0.3), shuffled),
}


class Lengthens(Policy):
    """Asks for a short answer first and, if that reached its cap, for one without a cap beside a longer one."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(query.id % 4, fallbacks=(3,), max_output_tokens=(25, 40, 80)[query.id % 3])

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        if len(answers) > 1 and answers[1].came:
            return Keep(1)
        if len(answers) == 1 and not answers[0].output_tokens < 40:
            return Decision(answers[0].deployment, alongside=(1,), max_output_tokens=(None, 150)[query.id % 2])
        return Keep(0) if answers[0].came else Decision(None)


class Learns(Policy):
    """Cuts where the scores, costs and joules that it hears of say that a cut answer is as good."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self.worth = np.zeros(len(setting.fleet))

    def decide(self, query: Query, state: State) -> Decision:
        best = int(self.worth.argmax())
        return Decision(best, max_output_tokens=None if query.id % 3 else 30 + best)

    def learn(self, feedback: Feedback) -> None:
        gain = feedback.quality - 100 * feedback.cost - 0.01 * feedback.energy_j
        self.worth[feedback.deployment] = 0.9 * self.worth[feedback.deployment] + gain


HONEST: dict[str, Callable[[], Policy]] = {
    "capped_greedy": lambda: CappedGreedy(ExactNeighbours(), cost_weight=2000.0),
    "r2_router": lambda: R2Router(PlainRidge(), cost_share=0.999),
    "lengthens": Lengthens,
    "learns": Learns,
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_policy_keeps_the_contract(name: str, world: str) -> None:
    counterfactual_fence(HONEST[name], WORLDS[world])
    causal_fence(HONEST[name], WORLDS[world])
    reset_forgets(HONEST[name], WORLDS[world])


def test_the_worlds_have_answers_that_are_cut_and_whole_ones_in_flight_together() -> None:
    for world, scenario in WORLDS.items():
        requests, calls, _ = world_of(None, scenario, 0, None).run(Lengthens())
        assert calls is not None, world
        served = calls[calls["fate"] == "served"]
        cut = served["output_tokens"] == served["max_output_tokens"]
        assert cut.sum() > 10, world
        assert (~cut).sum() > 10, world
        assert (requests["finished_at_s"] > requests["arrived_at_s"].shift(-1)).sum() > 10, world


# --- policies that break the contract


class KnowsOtherCaps(Policy):
    """Asks for the whole answer if it would be bad at 40 tokens."""

    def decide(self, query: Query, state: State) -> Decision:
        capped = truth().capped_quality
        assert capped is not None
        return Decision(0, max_output_tokens=None if capped[query.id, 0, 3] < 0.2 else 40)


class KnowsTheWholeAnswer(Policy):
    """Asks for 20 tokens if the whole answer would be bad, else for 30."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0, max_output_tokens=20 if truth().quality[query.id, 0] < 0.5 else 30)


class KnowsHowLongItIs(Policy):
    """Asks for 20 tokens if the whole answer would be short, else for 30."""

    def decide(self, query: Query, state: State) -> Decision:
        tokens = truth().output_tokens
        assert tokens is not None
        return Decision(0, max_output_tokens=20 if tokens[query.id, 0] < 150 else 30)


class SeesWhatWasCutOff(Policy):
    """Looks at the whole answer after the cut one has come."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0, max_output_tokens=20)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        if len(answers) == 1 and truth().quality[query.id, 0] > 0.5:
            return Decision(0)
        return keep_last(query, answers, state) if answers[-1].came else Decision(None)


class SeesItsCutAnswerInFlight(Policy):
    """Follows the query before if its cut answer will be good, though it has only just been sent."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self._last = 0

    def decide(self, query: Query, state: State) -> Decision:
        capped = truth().capped_quality
        assert capped is not None
        if query.id > 0 and capped[query.id - 1, self._last, 1] < 0.1:
            self._last = 1 - self._last
        return Decision(self._last, max_output_tokens=20)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("cheat", [KnowsOtherCaps, KnowsTheWholeAnswer, KnowsHowLongItIs])
def test_the_counterfactual_fence_notices_who_knows_other_caps(cheat: type[Policy], world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw the outcome of a cap that was not chosen"):
        counterfactual_fence(cheat, WORLDS[world])


@pytest.mark.parametrize("world", WORLDS)
def test_the_counterfactual_fence_notices_who_sees_what_was_cut_off(world: str) -> None:
    with pytest.raises(AssertionError, match=r"review after 1 call of query \d+, .*: it saw the outcome of a "):
        counterfactual_fence(SeesWhatWasCutOff, WORLDS[world])


@pytest.mark.parametrize("world", WORLDS)
def test_the_causal_fence_notices_who_sees_a_cut_answer_in_flight(world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw the outcome of a query that was not finished"):
        causal_fence(SeesItsCutAnswerInFlight, WORLDS[world])


class PeeksAtHiddenHistory(Policy):
    """Cuts where the history of the workload, hidden or not, says that cut answers of the last model are good."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self._capped = truth().scenario.workload.history.capped_quality

    def decide(self, query: Query, state: State) -> Decision:
        assert self._capped is not None
        return Decision(0, max_output_tokens=20 if self._capped[query.id % 100, 3, 4] < 0.5 else 30)


def test_what_the_history_hides_is_hidden_of_cut_answers_too() -> None:
    hides = replace(WORLDS["a closed loop without budgets"], profiled={WORKLOAD.models[3]: 5})
    history = world_of(None, hides, 0, None).instance.setting.history
    assert history.capped is not None
    assert (np.isnan(history.capped.quality) == ~history.known[..., None]).all()
    assert (np.isnan(history.capped.cost) == ~history.known[..., None]).all()
    history_fence(HONEST["capped_greedy"], hides)
    history_fence(HONEST["r2_router"], hides)
    with pytest.raises(AssertionError, match="it saw a part of the history that is hidden"):
        history_fence(PeeksAtHiddenHistory, hides)
