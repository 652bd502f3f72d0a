"""The contract of a policy, over every policy in conf/policy, and policies that break it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from scenarios.arrivals.closed import ClosedLoop
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.instance import Instance
from sim.interface import Decision, Estimates, Features, Gate, History, Policy, Query, Setting, State
from sim.scenario import Scenario, TokenBucket, Window
from sim.study.contract import (
    asking_changes_nothing,
    causal_fence,
    counterfactual_fence,
    purity_of_estimator,
    reset_forgets,
)
from sim.study.contract.worlds import world_of
from sim.study.oracles import EstimateCache
from sim.world.services.batching import Batching
from sim.world.services.slots import Slots
from tests.configured import ALL, LONG, NAMES, QUICK, configured_policy

WORKLOAD = synthetic(n_queries=120, n_history=100, n_models=4, dim=8, seed=1)
SLOTS = OnePerModel(Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.005), queue_capacity=4)
BATCHING = OnePerModel(
    Batching(
        slots=4,
        iteration_base_s=0.004,
        iteration_per_sequence_s=0.001,
        prefill_per_token_s=0.0001,
        kv_tokens=1500,
        reserved_output_tokens=200,
    ),
    queue_capacity=4,
)
WORLDS = {
    "slots and a budget": Scenario(WORKLOAD, SLOTS, Weighted(total=1.0), Poisson(20), shuffled),
    "refused queries that are lost": Scenario(
        WORKLOAD, SLOTS, Weighted(total=0.5), Poisson(20), shuffled, exhausted="lost"
    ),
    "batching, windows of tokens and a stale state": Scenario(
        WORKLOAD,
        BATCHING,
        Weighted(total=0.5, unit="tokens"),
        Poisson(20),
        shuffled,
        exhausted="wait",
        window=Window(length_s=1.0, rollover=True),
        reserve="estimate",
        state_refresh_s=0.3,
    ),
    "a closed loop without budgets": Scenario(WORKLOAD, SLOTS, Unlimited(), ClosedLoop(12, mean_think_s=0.3), shuffled),
    "a gate and token buckets": Scenario(
        WORKLOAD, BATCHING, Weighted(total=1.0), Poisson(20), shuffled, window=TokenBucket(burst_s=2.0)
    ),
}
ESTIMATES = {world: EstimateCache() for world in WORLDS}
# Every policy is tried in this one; a few of every kind in all worlds, and the others there with `make proof`.
ALWAYS = ("batching, windows of tokens and a stale state",)
EVERYWHERE = [
    pytest.param(name, world, marks=() if name in QUICK or (world in ALWAYS and name not in LONG) else pytest.mark.slow)
    for name in NAMES
    for world in WORLDS
]


def fresh(name: str, world: str) -> Callable[[], Policy]:
    """What makes a policy of conf/policy; a large gate becomes a small one, and some worlds have a gate for all."""

    def make() -> Policy:
        policy = configured_policy(name)
        if policy.gate.size > 1 or "gate" in world:
            policy.gate = Gate(size=12, window_s=0.5)
        return policy

    return make


@pytest.mark.parametrize(("name", "world"), EVERYWHERE)
def test_outcomes_of_deployments_that_were_not_tried_change_nothing(name: str, world: str) -> None:
    counterfactual_fence(fresh(name, world), WORLDS[world], estimates=ESTIMATES[world])


@pytest.mark.parametrize(("name", "world"), EVERYWHERE)
def test_what_is_not_revealed_by_a_moment_changes_no_decision_up_to_it(name: str, world: str) -> None:
    causal_fence(fresh(name, world), WORLDS[world], estimates=ESTIMATES[world])


@pytest.mark.parametrize("name", ALL)
def test_a_policy_that_is_used_again_decides_the_same(name: str) -> None:
    world = "slots and a budget"
    reset_forgets(fresh(name, world), WORLDS[world], estimates=ESTIMATES[world])


@pytest.mark.parametrize("name", ALL)
def test_a_policy_that_is_asked_what_it_believes_decides_the_same(name: str) -> None:
    world = "slots and a budget"
    asking_changes_nothing(fresh(name, world), WORLDS[world], estimates=ESTIMATES[world])


@pytest.mark.parametrize("name", ["port", "knn_perf", "model_perf", "steward"])
def test_estimates_are_functions_of_single_rows(name: str) -> None:
    purity_of_estimator(lambda: configured_policy(name), WORLDS["slots and a budget"])


def test_the_worlds_have_queues_refusals_waiting_and_empty_budgets() -> None:
    fates: set[str] = set()
    for world, scenario in WORLDS.items():
        requests, *_ = world_of(None, scenario, 0, None).run(fresh("random", world)())
        fates |= set(requests["fate"])
        assert (requests["finished_at_s"] > requests["arrived_at_s"].shift(-1)).sum() > 20  # still in flight then
    assert fates == {"served", "exhausted", "rejected"}
    requests, *_ = world_of(None, WORLDS["slots and a budget"], 0, None).run(configured_policy("random"))
    assert (requests["started_at_s"] > requests["offered_at_s"]).any()
    requests, *_ = world_of(None, WORLDS["batching, windows of tokens and a stale state"], 0, None).run(
        configured_policy("random")
    )
    assert (requests["offered_at_s"] > requests["decided_at_s"]).any()


# --- policies that break the contract


def truth() -> Instance:
    """The truth of the run at hand, found where no policy may look: among the variables of what called it."""
    caller = inspect.currentframe()
    while caller is not None:
        if caller.f_code.co_name == "simulate":
            instance = caller.f_locals["instance"]
            assert isinstance(instance, Instance)
            return instance
        caller = caller.f_back
    raise RuntimeError("no run is going on")


class KnowsTheBest(Policy):
    """Sends a query where its answer will be best."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(truth().quality[query.id].argmax()))


class SeesInFlight(Policy):
    """Follows the query before if its answer will be good, though it has only just been sent."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self._last = 0

    def decide(self, query: Query, state: State) -> Decision:
        if query.id > 0 and truth().quality[query.id - 1, self._last] < 0.5:
            self._last = 1 - self._last
        return Decision(self._last)


class KnowsTheChances(Policy):
    """Sends a query where its answer is expected to be best."""

    def decide(self, query: Query, state: State) -> Decision:
        expected = truth().expected
        assert expected is not None
        return Decision(int(expected.quality[query.id].argmax()))


class SeesItsOwnAnswer(Policy):
    """Declines a query whose answer will be long."""

    def decide(self, query: Query, state: State) -> Decision:
        tokens = truth().output_tokens
        assert tokens is not None
        return Decision(0 if tokens[query.id, 0] < 200 else None)


class PeeksAtTheNext(Policy):
    """Chooses by how long the next query will be."""

    def decide(self, query: Query, state: State) -> Decision:
        tokens = truth().features.input_tokens
        return Decision(int(tokens[min(query.id + 1, len(tokens) - 1)] % 2))


class PeeksAtTheClock(Policy):
    """Chooses by when the next query will come."""

    def decide(self, query: Query, state: State) -> Decision:
        gaps_s = truth().gaps_s
        return Decision(int(gaps_s[min(query.id + 1, len(gaps_s) - 1)] < 0.03))


class Remembers(Policy):
    """Goes to another deployment from its hundredth query on, and does not begin to count anew."""

    decided = 0

    def decide(self, query: Query, state: State) -> Decision:
        self.decided += 1
        return Decision(int(self.decided > 99))


@pytest.mark.parametrize("world", WORLDS)
def test_the_counterfactual_fence_notices_a_policy_that_knows_other_outcomes(world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, at .* s, .*: it saw the outcome of a deployment that"):
        counterfactual_fence(KnowsTheBest, WORLDS[world])


@pytest.mark.parametrize("world", WORLDS)
def test_the_counterfactual_fence_notices_a_policy_that_knows_the_chances_of_outcomes(world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, at .* s, .*: it saw the outcome of a deployment that"):
        counterfactual_fence(KnowsTheChances, WORLDS[world])


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("cheat", [SeesInFlight, SeesItsOwnAnswer])
def test_the_causal_fence_notices_a_policy_that_sees_what_is_in_flight(cheat: type[Policy], world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw the outcome of a query that was not finished"):
        causal_fence(cheat, WORLDS[world])


@pytest.mark.parametrize("world", WORLDS)
def test_the_causal_fence_notices_a_policy_that_sees_the_query_to_come(world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw a query that had not arrived"):
        causal_fence(PeeksAtTheNext, WORLDS[world])


@pytest.mark.parametrize("world", [world for world in WORLDS if "closed loop" not in world])
def test_the_causal_fence_notices_a_policy_that_sees_when_the_next_query_comes(world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw a query that had not arrived"):
        causal_fence(PeeksAtTheClock, WORLDS[world])


@pytest.mark.parametrize("cheat", [SeesInFlight, PeeksAtTheNext, PeeksAtTheClock])
def test_the_counterfactual_fence_alone_would_not_do(cheat: type[Policy]) -> None:
    counterfactual_fence(cheat, WORLDS["slots and a budget"])


def test_a_policy_that_remembers_the_run_before_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"query 0, .*: reset left something of the run before"):
        reset_forgets(Remembers, WORLDS["a closed loop without budgets"])


class ChangedByAsking(Policy):
    """Goes to another deployment once it has been asked a hundred times what it believes."""

    asked = 0

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(self.asked > 99))

    def believes(self, query: Query) -> Estimates:
        self.asked += 1
        return super().believes(query)


def test_a_policy_that_asking_changes_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"query 99, .*: believes changes the policy"):
        asking_changes_nothing(ChangedByAsking, WORLDS["a closed loop without budgets"])


@dataclass(frozen=True)
class Centred:
    """An estimator of nothing, that compares each query with the others asked about."""

    def fit(self, history: History) -> "Centred":
        return self

    def predict(self, features: Features) -> Estimates:
        excess = features.input_tokens - features.input_tokens.mean()
        return Estimates(np.tile(excess[:, None], 4), np.ones((len(excess), 4)))


class Relative(Policy):
    """Has an estimator that looks at other queries."""

    estimator = Centred()

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)


def test_an_estimator_that_looks_at_other_queries_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"quality of row \d+ changes when later rows are others"):
        purity_of_estimator(Relative, WORLDS["slots and a budget"])
