"""Load-aware policies: decisions in states of a few numbers, then waits beside the closed forms of queueing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import brentq

from policies.balancing.latency_priced import LatencyPriced
from policies.balancing.least_loaded import LeastLoaded
from policies.balancing.lowest_latency import LowestLatency
from policies.balancing.power_of_two import PowerOfTwo
from policies.balancing.round_robin import RoundRobin
from policies.balancing.uniform_random import UniformRandom
from policies.balancing.usage_based import UsageBased
from policies.greedy.cheapest_available import CheapestAvailable
from scenarios.arrivals import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.deployment import Deployment
from sim.instance import realise, stream
from sim.interface import (
    Decision,
    DeploymentInfo,
    Estimates,
    Features,
    Feedback,
    FloatArray,
    History,
    Policy,
    Predictor,
    Query,
    Setting,
    State,
)
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.study.statistics import mean_interval
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.services.slots import Instant, Slots
from sim.world.world import simulate


@dataclass(frozen=True)
class Unused:
    """An estimator that nobody asks, because these tests write the estimates on the query."""

    def fit(self, history: History) -> Predictor:
        raise NotImplementedError


def setting(slots: Sequence[float], units: Sequence[str] | None = None) -> Setting:
    """A fleet with these slots and no budgets."""
    n = len(slots)
    fleet = tuple(
        DeploymentInfo(f"d{k}", f"m{k}", unit, each)
        for k, (each, unit) in enumerate(zip(slots, units or ["usd"] * n, strict=True))
    )
    history = History(Features(np.zeros((1, 2), np.float32), np.ones(1, np.int64)), np.ones((1, n)), np.ones((1, n)))
    return Setting(fleet, np.full(n, np.inf), 100, history)


def state(
    queued: Sequence[int], in_flight: Sequence[int], available: Sequence[bool] | None = None, now_s: float = 0.0
) -> State:
    """A state without budgets."""
    n = len(queued)
    return State(
        now_s, np.array(queued), np.array(in_flight), np.full(n, np.inf), np.array(available or [True] * n, np.bool_)
    )


def query(
    number: int = 0,
    quality_hat: Sequence[float] = (0.0,),
    cost_hat: Sequence[float] = (0.0,),
    input_tokens: int = 10,
    arrived_at_s: float = 0.0,
) -> Query:
    """A query with these estimates."""
    embedding = np.zeros(2, np.float32)
    return Query(number, arrived_at_s, embedding, input_tokens, np.array(quality_hat), np.array(cost_hat))


def begin(policy: Policy, slots: Sequence[float], units: Sequence[str] | None = None, seed: int = 0) -> None:
    """Reset a policy for a fleet with these slots."""
    policy.reset(setting(slots, units), np.random.default_rng(seed))


def answer(policy: Policy, to: Query, deployment: int, latency_s: float, cost: float = 0.0) -> None:
    """Tell a policy that a query has been served."""
    policy.learn(Feedback(to, deployment, 1.0, cost, latency_s))


# --- availability, for all of them ------------------------------------------------------------------------------------

POLICIES = {
    "round_robin": RoundRobin(),
    "least_loaded": LeastLoaded(),
    "power_of_two": PowerOfTwo(),
    "lowest_latency": LowestLatency(),
    "cheapest_available": CheapestAvailable(Unused()),
    "usage_based": UsageBased(),
    "latency_priced": LatencyPriced(Unused()),
}


@pytest.mark.parametrize("name", POLICIES)
def test_the_only_available_deployment_is_taken_however_bad_it_is(name: str) -> None:
    policy = POLICIES[name]
    for only in range(3):
        begin(policy, [1, 1, 1])
        queued, quality, cost = [0, 0, 0], [0.9, 0.9, 0.9], [1.0, 1.0, 1.0]
        queued[only], quality[only], cost[only] = 50, 0.1, 9.0
        available = [k == only for k in range(3)]
        for number in range(4):
            decision = policy.decide(query(number, quality, cost), state(queued, [1, 1, 1], available))
            assert (decision.deployment, list(decision.fallbacks)) == (only, [])


@pytest.mark.parametrize("name", POLICIES)
def test_without_any_available_deployment_a_query_goes_where_it_would_go_with_all(name: str) -> None:
    policy, asked = POLICIES[name], query(0, [0.2, 0.9, 0.5], [1.0, 2.0, 3.0])
    choices = []
    for available in ([True] * 3, [False] * 3):
        begin(policy, [2, 2, 2])
        choices.append(policy.decide(asked, state([3, 0, 1], [2, 1, 2], available)))
    assert choices[0] == choices[1]
    assert choices[0].deployment is not None


# --- round robin ------------------------------------------------------------------------------------------------------


def turns(policy: Policy, availability: Sequence[Sequence[bool]]) -> list[int | None]:
    """Where queries go while availability changes."""
    n = len(availability[0])
    return [policy.decide(query(), state([0] * n, [0] * n, now)).deployment for now in availability]


def test_round_robin_takes_turns() -> None:
    policy = RoundRobin()
    begin(policy, [1, 1, 1])
    assert turns(policy, [[True] * 3] * 5) == [0, 1, 2, 0, 1]


def test_round_robin_passes_over_who_is_down() -> None:
    policy = RoundRobin()
    begin(policy, [1, 1, 1])
    down = [True, False, True]
    assert turns(policy, [down, down, down, [True] * 3, [True] * 3]) == [0, 2, 0, 1, 2]


# --- least loaded and power of two ------------------------------------------------------------------------------------


def test_load_counts_queued_and_in_flight_per_place() -> None:
    policy = LeastLoaded()
    begin(policy, [1, 4])
    assert policy.decide(query(), state([0, 0], [1, 3])).deployment == 1  # 1 / 1 against 3 / 4
    assert policy.decide(query(), state([0, 3], [1, 4])).deployment == 0  # 1 / 1 against 7 / 4


def test_equal_loads_go_to_fewer_queries_and_then_to_the_first() -> None:
    policy = LeastLoaded()
    begin(policy, [4, 2])
    assert policy.decide(query(), state([0, 0], [2, 1])).deployment == 1  # both 1 / 2
    assert policy.decide(query(), state([0, 0], [0, 0])).deployment == 0


def test_a_deployment_without_limit_is_loaded_only_when_it_has_a_queue() -> None:
    policy = LeastLoaded()
    begin(policy, [math.inf, 4])
    assert policy.decide(query(), state([0, 0], [90, 1])).deployment == 0  # 0 against 1 / 4
    assert policy.decide(query(), state([9, 2], [90, 4])).deployment == 0  # 99 / 90 against 6 / 4
    assert policy.decide(query(), state([9, 0], [90, 4])).deployment == 1  # 99 / 90 against 4 / 4


def test_power_of_two_never_takes_the_longest_and_sees_every_pair_alike() -> None:
    policy = PowerOfTwo()
    begin(policy, [1, 1, 1])
    now = state([0, 5, 9], [1, 1, 1])
    chosen = np.bincount([policy.decide(query(n), now).deployment or 0 for n in range(3000)], minlength=3)
    assert chosen[2] == 0
    assert chosen[0] / 3000 == pytest.approx(2 / 3, abs=0.03)  # in two of three pairs; four standard deviations


def test_power_of_two_breaks_ties_both_ways() -> None:
    policy = PowerOfTwo()
    begin(policy, [1, 1])
    assert {policy.decide(query(n), state([0, 0], [0, 0])).deployment for n in range(50)} == {0, 1}


# --- lowest latency ---------------------------------------------------------------------------------------------------


def test_each_deployment_is_tried_before_any_is_trusted() -> None:
    policy = LowestLatency()
    begin(policy, [1, 1, 1])
    now = state([0, 0, 0], [0, 0, 0])
    assert [policy.decide(query(n), now).deployment for n in range(4)] == [0, 1, 2, 0]
    answer(policy, query(0), 0, latency_s=0.1)
    assert policy.decide(query(4), now).deployment == 1  # unknown beats fast


def test_latency_is_an_exponentially_weighted_mean() -> None:
    policy = LowestLatency(weight=0.25)
    begin(policy, [1, 1])
    now = state([0, 0], [0, 0])
    answer(policy, query(0), 0, latency_s=4.0)
    answer(policy, query(1), 1, latency_s=3.1)
    assert policy.decide(query(2), now).deployment == 1
    answer(policy, query(2), 0, latency_s=0.0)  # 0.75 x 4 = 3
    assert policy.decide(query(3), now).deployment == 0


# --- cheapest available -----------------------------------------------------------------------------------------------


def test_the_cheapest_without_a_queue_is_taken_and_the_next_cheapest_named() -> None:
    policy = CheapestAvailable(Unused())
    begin(policy, [1, 1, 1])
    asked = query(cost_hat=[3.0, 1.0, 2.0])
    assert policy.decide(asked, state([0, 0, 0], [1, 1, 1])) == Decision(1, [2, 0])
    assert policy.decide(asked, state([0, 1, 0], [1, 1, 1])) == Decision(2, [0])


def test_a_threshold_tolerates_a_queue() -> None:
    policy = CheapestAvailable(Unused(), max_queued=2)
    begin(policy, [1, 1])
    asked = query(cost_hat=[1.0, 2.0])
    assert policy.decide(asked, state([2, 0], [1, 0])).deployment == 0
    assert policy.decide(asked, state([3, 0], [1, 0])).deployment == 1


def test_when_all_are_saturated_the_least_loaded_is_taken() -> None:
    policy = CheapestAvailable(Unused())
    begin(policy, [1, 8])
    assert policy.decide(query(cost_hat=[1.0, 2.0]), state([1, 4], [1, 8])).deployment == 1  # 2 / 1 against 12 / 8


# --- usage based ------------------------------------------------------------------------------------------------------


def test_the_least_used_this_minute_is_taken_and_a_new_minute_forgets() -> None:
    policy = UsageBased()
    begin(policy, [1, 1])
    sizes_and_times = [(100, 0.0), (30, 1.0), (60, 2.0), (5, 59.0), (1, 60.0), (1, 61.0)]
    chosen = [
        policy.decide(query(n, input_tokens=size), state([0, 0], [0, 0], now_s=now_s)).deployment
        for n, (size, now_s) in enumerate(sizes_and_times)
    ]
    # 100 on 0; 30 on 1; 60 on 1, which has 90; 5 on 1, which has 95; and 0 again, because the minute is new.
    assert chosen == [0, 1, 1, 1, 0, 1]


def test_output_tokens_count_when_they_can_be_seen() -> None:
    for unit, expected in (("tokens", 1), ("usd", 0)):
        policy = UsageBased()
        begin(policy, [1, 1], [unit, unit])
        first, second = query(0, input_tokens=10), query(1, input_tokens=20)
        now = state([0, 0], [0, 0])
        assert [policy.decide(asked, now).deployment for asked in (first, second)] == [0, 1]
        answer(policy, first, 0, latency_s=2.0, cost=90.0)  # in tokens: 10 in, 80 out
        assert policy.decide(query(2), state([0, 0], [0, 0], now_s=2.0)).deployment == expected


def test_output_tokens_count_in_the_minute_in_which_they_end() -> None:
    policy = UsageBased()
    begin(policy, [1, 1], ["tokens", "tokens"])
    first = query(0, input_tokens=10, arrived_at_s=59.0)
    assert policy.decide(first, state([0, 0], [0, 0], now_s=59.0)).deployment == 0
    answer(policy, first, 0, latency_s=2.0, cost=15.0)
    assert policy.decide(query(1), state([0, 0], [0, 0], now_s=62.0)).deployment == 1


# --- latency priced ---------------------------------------------------------------------------------------------------


def test_before_any_answer_no_wait_is_priced() -> None:
    policy = LatencyPriced(Unused(), price_per_usd=10.0, price_per_s=100.0)
    begin(policy, [1, 1])
    asked = query(0, quality_hat=[0.9, 0.8], cost_hat=[0.02, 0.0])  # 0.9 - 0.2 against 0.8
    assert policy.decide(asked, state([0, 99], [0, 1])) == Decision(1, [0])


def test_the_wait_is_what_must_finish_first_times_service_over_places() -> None:
    # Deployment 0: 2 slots, both busy, 3 queued: 4 completions at 2 s / 2 each, so 4 s. At 0.1 a second: 0.4.
    policy = LatencyPriced(Unused(), price_per_usd=0.0, price_per_s=0.1)
    for other, expected in ((0.49, 0), (0.51, 1)):
        begin(policy, [2, 2])
        teach_service_time(policy, deployment=0, service_s=2.0)
        assert policy.decide(query(7, [0.9, other], [0, 0]), state([3, 0], [2, 0])).deployment == expected


def test_a_free_place_means_no_wait() -> None:
    policy = LatencyPriced(Unused(), price_per_usd=0.0, price_per_s=100.0)
    begin(policy, [2, 2])
    teach_service_time(policy, deployment=0, service_s=2.0)
    assert policy.decide(query(7, [0.9, 0.8], [0, 0]), state([0, 0], [1, 0])).deployment == 0


def test_the_service_time_is_learned_from_latency_and_the_number_found_waiting() -> None:
    # Found 3 queued before 2 busy slots: 4 completions, 1 + 4 / 2 = 3 services. A latency of 6 s shows 2 s.
    policy = LatencyPriced(Unused(), price_per_usd=0.0, price_per_s=0.1)
    for other, expected in ((0.79, 0), (0.81, 1)):  # one completion ahead: 2 s / 2 = 1 s, at 0.1 a second
        begin(policy, [2, 2])
        asked = query(0, [0.9, 0.0], [0, 0])
        assert policy.decide(asked, state([3, 0], [2, 0])).deployment == 0
        answer(policy, asked, 0, latency_s=6.0)
        assert policy.decide(query(1, [0.9, other], [0, 0]), state([0, 0], [2, 0])).deployment == expected


def test_what_went_to_a_next_choice_teaches_nothing() -> None:
    policy = LatencyPriced(Unused(), price_per_usd=0.0, price_per_s=0.1)
    begin(policy, [1, 1])
    asked = query(0, [0.9, 0.8], [0, 0])
    assert policy.decide(asked, state([0, 0], [0, 0])) == Decision(0, [1])
    answer(policy, asked, 1, latency_s=1000.0)
    assert policy.decide(query(1, [0.8, 0.9], [0, 0]), state([0, 5], [0, 1])).deployment == 1


def test_a_query_that_is_not_worth_its_price_may_be_declined() -> None:
    policy = LatencyPriced(Unused(), price_per_usd=10.0, decline=True)
    begin(policy, [1, 1])
    now = state([0, 0], [0, 0])
    assert policy.decide(query(0, [0.5, 0.9], [0.05, 0.10]), now) == Decision(None)  # 0 and -0.1
    assert policy.decide(query(1, [0.6, 0.9], [0.05, 0.10]), now) == Decision(0, [])


def teach_service_time(policy: Policy, deployment: int, service_s: float) -> None:
    """Let a policy see one query that found an idle fleet and was served in this time."""
    quality = [0.0, 0.0]
    quality[deployment] = 1.0
    first = query(100, quality, [0, 0])
    assert policy.decide(first, state([0, 0], [0, 0])).deployment == deployment
    answer(policy, first, deployment, service_s)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LowestLatency(weight=0.0), "weight is 0.0; it must be above 0 and at most 1"),
        (lambda: CheapestAvailable(Unused(), max_queued=-1), "max_queued is -1"),
        (lambda: LatencyPriced(Unused(), price_per_s=-0.1), "price_per_s is -0.1"),
        (lambda: LatencyPriced(Unused(), price_per_usd=math.inf), "price_per_usd is inf"),
        (lambda: LatencyPriced(Unused(), weight=2.0), "weight is 2.0"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=message):
        build()


# --- through the world ------------------------------------------------------------------------------------------------

N_SERVERS, LOAD, N_QUERIES, WARM_UP, REPLICATIONS = 4, 0.7, 6000, 500, 12


def mean_waits_s(policies: dict[str, Policy]) -> dict[str, FloatArray]:
    """Mean waits by policy and replication (REPLICATIONS,): four servers with exponential service of mean 1 s.

    Service is 0.001 s a token and tokens are exponential with mean 1,000; all policies meet the same queries.
    """
    waits: dict[str, list[float]] = {name: [] for name in policies}
    names = [f"server-{k}" for k in range(N_SERVERS)]
    fleet = Listed([Deployment(name, name, Slots(1, 0.0, 0.001)) for name in names])
    for replication in range(REPLICATIONS):
        tokens = np.random.default_rng(replication).exponential(1000, N_QUERIES).round().astype(np.int64)
        rows = Rows(
            embeddings=np.zeros((N_QUERIES, 1), np.float32),
            input_tokens=np.ones(N_QUERIES, np.int64),
            quality=np.ones((N_QUERIES, N_SERVERS)),
            cost_usd=np.ones((N_QUERIES, N_SERVERS)),
            output_tokens=np.repeat(tokens[:, None], N_SERVERS, axis=1),
        )
        arrivals = Poisson(LOAD * N_SERVERS)
        scenario = Scenario(Workload(tuple(names), rows, rows), fleet, Unlimited(), arrivals, given)
        instance = realise(scenario, 5, replication)
        estimates: Estimates = EstimateCache().get(None, instance)
        for name, policy in policies.items():
            requests = frame(simulate(name, policy, instance, estimates, stream(5, replication, "policy")), instance)
            waited = requests["started_at_s"] - requests["arrived_at_s"]
            waits[name].append(float(waited.iloc[WARM_UP:].mean()))
    return {name: np.array(means) for name, means in waits.items()}


@pytest.fixture(scope="module")
def waits_s() -> dict[str, FloatArray]:
    return mean_waits_s(
        {
            "random": UniformRandom(),
            "round_robin": RoundRobin(),
            "power_of_two": PowerOfTwo(),
            "least_loaded": LeastLoaded(),
        }
    )


def erlang_c_wait_s(n_servers: int, offered: float) -> float:
    """Mean wait of M/M/c with service of mean 1 s: C(c, a) / (c - a)."""
    blocked = offered**n_servers / math.factorial(n_servers) * n_servers / (n_servers - offered)
    return blocked / (sum(offered**k / math.factorial(k) for k in range(n_servers)) + blocked) / (n_servers - offered)


def test_random_routing_makes_each_server_an_m_m_1_queue(waits_s: dict[str, FloatArray]) -> None:
    mean, half = mean_interval(list(waits_s["random"]), confidence=0.99)
    assert abs(mean - LOAD / (1 - LOAD)) < half
    assert half < 0.25


def test_round_robin_makes_each_server_a_g_m_1_queue_with_erlang_gaps(waits_s: dict[str, FloatArray]) -> None:
    # G/M/1: the wait is sigma / (1 - sigma), where sigma is the gaps' Laplace transform at 1 - sigma.
    def excess(sigma: float) -> float:
        return float((LOAD * N_SERVERS / (LOAD * N_SERVERS + 1 - sigma)) ** N_SERVERS - sigma)

    sigma = float(brentq(excess, 1e-6, 1 - 1e-6))
    mean, half = mean_interval(list(waits_s["round_robin"]), confidence=0.99)
    assert abs(mean - sigma / (1 - sigma)) < half
    assert half < 0.25


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [("least_loaded", "power_of_two"), ("power_of_two", "round_robin"), ("round_robin", "random")],
)
def test_the_more_a_policy_sees_the_shorter_the_wait(waits_s: dict[str, FloatArray], shorter: str, longer: str) -> None:
    difference, half = mean_interval(list(waits_s[longer] - waits_s[shorter]), confidence=0.99)
    assert difference > half  # paired: both met the same queries


def test_no_routing_beats_one_queue_for_all_servers(waits_s: dict[str, FloatArray]) -> None:
    pooled_s = erlang_c_wait_s(N_SERVERS, LOAD * N_SERVERS)
    for name, means in waits_s.items():
        mean, half = mean_interval(list(means), confidence=0.99)
        assert mean + half > pooled_s, name


def test_places_are_the_slots_of_a_service_and_have_no_limit_without() -> None:
    rows = Rows(
        np.zeros((1, 1), np.float32), np.ones(1, np.int64), np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1), np.int64)
    )
    fleet = Listed([Deployment("slots", "m", Slots(3, 0.0, 0.1)), Deployment("instant", "m", Instant())])
    scenario = Scenario(Workload(("m",), rows, rows), fleet, Unlimited(), Poisson(1.0), given)
    assert [info.slots for info in realise(scenario, 0, 0).setting.fleet] == [3.0, math.inf]
