"""How a refused query goes on is told by the setting, and every rule that it matters to does what is right then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from policies.balancing.latency_priced import LatencyPriced
from policies.budgeted.balance import Balance
from policies.budgeted.dual_subgradient import DualSubgradient
from policies.budgeted.dynamic_price import DynamicPrice
from policies.budgeted.knapsack_threshold import KnapsackThreshold
from policies.budgeted.mirror_descent import Entropic, Euclidean
from policies.budgeted.msvv import Msvv
from policies.budgeted.sampled_dual import SampledDual
from policies.budgeted.steward import Steward
from policies.estimators.kernel_ridge import KernelRidge
from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.cheapest_available import CheapestAvailable
from scenarios.arrivals import Deterministic
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.instance import realise
from sim.interface import Decision, Policy, Query, Setting, State
from sim.scenario import EXHAUSTED, Scenario, Window
from sim.study.experiment import compare
from sim.world.services.slots import Instant
from tests.worlds import idle, tiny_query, tiny_rows, tiny_scenario, tiny_setting, tiny_workload

EXACT = ExactNeighbours(k=1)


def scenario(exhausted: str) -> Scenario:
    """600 queries, 6 models, weighted budgets; in six windows where refused queries wait for the next."""
    workload = synthetic(n_queries=600, n_history=900, n_models=6, dim=16, seed=3)
    window = Window(length_s=100.0) if exhausted == "wait" else None
    return Scenario(
        workload, OnePerModel(Instant()), Weighted(), Deterministic(1.0), shuffled, exhausted=exhausted, window=window
    )


@pytest.mark.parametrize("exhausted", EXHAUSTED)
def test_the_setting_says_how_the_scenario_lets_refused_queries_go_on(exhausted: str) -> None:
    world = tiny_scenario(tiny_workload(tiny_rows([[1.0]], [[1.0]])))
    told = replace(world, exhausted=exhausted, window=Window(1.0) if exhausted == "wait" else None)
    assert realise(told, 0, 0).setting.refused == exhausted


def test_a_setting_made_by_hand_lets_them_go_to_the_next_choice() -> None:
    assert tiny_setting([1.0], 1).refused == "fallback"


# --- one decision, by hand


def decided(policy: Policy, refused: str, query: Query, remaining: Sequence[float], skip: int = 0) -> Decision:
    """What a policy decides on a query with so much left, its first ``skip`` queries past, in a run of 100."""
    n = len(remaining)
    setting: Setting = replace(tiny_setting([10.0] * n, 100), refused=refused)
    policy.reset(setting, np.random.default_rng(0))
    state: State = idle(n)._replace(remaining=np.array(remaining))
    for number in range(skip):
        policy.decide(tiny_query(number, [0.0] * n, [1.0] * n), state)
    return policy.decide(query._replace(id=skip), state)


PORT_FALLBACK = SampledDual(EXACT, eps=0.01, fallback=True)


@pytest.mark.parametrize("policy", [PORT_FALLBACK, LatencyPriced(EXACT, price_per_usd=0.01)])
@pytest.mark.parametrize(
    ("refused", "remaining", "expected"),
    [
        ("fallback", [0.5, 9.0], 0),  # a refusal is free: the best is asked first
        ("wait", [0.5, 9.0], 0),
        ("lost", [0.5, 9.0], 1),  # the best cannot pay 1, and nobody would ask the second
        ("lost", [9.0, 9.0], 0),
        ("lost", [0.5, 0.5], 0),  # by the estimates nobody can pay; it may cost less than estimated
    ],
)
def test_who_names_next_choices_looks_at_budgets_only_where_nobody_asks_them(
    policy: Policy, refused: str, remaining: list[float], expected: int
) -> None:
    query = tiny_query(0, [0.9, 0.8], [1.0, 1.0])
    assert decided(policy, refused, query, remaining, skip=1).deployment == expected


@pytest.mark.parametrize(("refused", "expected"), [("fallback", 0), ("wait", 0), ("lost", 1)])
def test_the_cheapest_is_the_cheapest_that_can_pay_where_refused_queries_are_lost(refused: str, expected: int) -> None:
    query = tiny_query(0, [0.9, 0.8], [1.0, 2.0])
    assert decided(CheapestAvailable(EXACT), refused, query, [0.5, 9.0]).deployment == expected


@pytest.mark.parametrize(
    "policy",
    [
        Balance(EXACT),
        Msvv(EXACT),
        KnapsackThreshold(EXACT, lowest=0.1, highest=0.2),
        DualSubgradient(EXACT),
        DynamicPrice(EXACT, eps=0.01),
        Euclidean(EXACT),
        Entropic(EXACT),
    ],
)
@pytest.mark.parametrize(
    ("refused", "expected"),
    [("lost", None), ("fallback", None), ("wait", 0)],  # the next window may pay
)
def test_who_declines_what_no_budget_can_pay_lets_it_wait_where_it_may(
    policy: Policy, refused: str, expected: int | None
) -> None:
    query = tiny_query(0, [0.9], [1.0])
    assert decided(policy, refused, query, [0.5], skip=1).deployment == expected
    assert decided(policy, refused, query, [2.0], skip=1).deployment == 0


def test_the_published_port_asks_the_same_whatever_becomes_of_refused_queries() -> None:
    query = tiny_query(0, [0.9, 0.8], [1.0, 1.0])
    for refused in EXHAUSTED:
        assert decided(SampledDual(EXACT, eps=0.01), refused, query, [0.5, 9.0], skip=1) == Decision(0)


# --- whole runs


@dataclass
class Told(Policy):
    """Another policy that is told something else of refused queries than is true."""

    policy: Policy
    refused: str

    def __post_init__(self) -> None:
        self.estimator = self.policy.estimator

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self.policy.reset(replace(setting, refused=self.refused), rng)

    def decide(self, query: Query, state: State) -> Decision:
        return self.policy.decide(query, state)


def quality(policies: dict[str, Policy], exhausted: str) -> dict[str, float]:
    """The mean quality of policies over two replications."""
    found = compare(scenario(exhausted), policies, replications=2).groupby("policy")["quality"].mean()
    return {name: float(found[name]) for name in policies}


@pytest.mark.slow
def test_steward_gets_nearly_as_much_however_refused_queries_go_on() -> None:
    steward = Steward(KernelRidge(landmarks=200))
    got = {exhausted: quality({"steward": steward}, exhausted)["steward"] for exhausted in EXHAUSTED}
    assert min(got.values()) > 0.9 * max(got.values())


@pytest.mark.slow
def test_steward_would_lose_much_if_the_setting_could_disagree() -> None:
    told = Told(Steward(KernelRidge(landmarks=200)), "fallback")
    got = quality({"steward": Steward(KernelRidge(landmarks=200)), "misled": told}, "lost")
    assert got["steward"] > 1.02 * got["misled"]


def test_port_mended_gets_nearly_as_much_where_its_next_choices_are_not_asked() -> None:
    policy = SampledDual(KernelRidge(landmarks=200), fallback=True)
    got = {exhausted: quality({"port": policy}, exhausted)["port"] for exhausted in ("lost", "fallback")}
    assert got["lost"] > 0.95 * got["fallback"]
