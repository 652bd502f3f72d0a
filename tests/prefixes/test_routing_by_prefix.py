"""Balancers and policies that send prompts where their prefix is: by hand, and what they know and do not know."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from policies.balancing.prefix_affinity import PrefixAffinity
from policies.balancing.prefix_then_load import PrefixThenLoad
from scenarios.arrivals.batches import Sessions
from scenarios.budgets import Unlimited, Weighted
from scenarios.events import Outage
from scenarios.fleets import Listed, OnePerModel
from scenarios.orders import given
from scenarios.workloads.sessions import sessions
from sim.deployment import Deployment
from sim.interface import Decision, Policy, Query, State
from sim.scenario import Scenario, Window
from sim.study.contract import asking_changes_nothing, causal_fence, counterfactual_fence, reset_forgets
from sim.study.metrics.caching import prefix_hit_rate
from sim.world.services.batching import Batching
from sim.world.services.disaggregated import Disaggregated
from sim.world.stations import prefix_balancer
from sim.world.stations.autoscaler import TargetTracking
from sim.world.stations.balancer import RoundRobin
from tests.configured import configured_policy
from tests.policies.test_fences import truth
from tests.prefixes.alike import First, deployment, run, scenario
from tests.worlds import tiny_setting

TURNS = [[1], [2], [3], [1, 4], [2, 5], [3, 6], [1, 4, 7], [2, 5, 8], [3, 6, 9]]  # of three sessions
OF = [0, 1, 2] * 3
APART_S = [10.0 * k for k in range(9)]
BOTH = (deployment("a"), deployment("b"))


def hits(*args: object, **others: object) -> list[int]:
    policy = others.pop("policy", None)
    return run(scenario(*args, **others), policy)["hit_blocks"].tolist()  # type: ignore[arg-type]


def test_a_balancer_that_keeps_sessions_together_hits_all_that_was_said() -> None:
    for balancer in (prefix_balancer.PrefixAffinity(), prefix_balancer.PrefixThenLoad()):
        kept = deployment(replicas=2, balancer=balancer)
        assert hits(TURNS, APART_S, kept, sessions=OF) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    in_turn = deployment(replicas=2, balancer=RoundRobin())
    assert hits(TURNS, APART_S, in_turn, sessions=OF) == [0, 0, 0, 0, 0, 0, 1, 1, 1]


def test_without_sessions_affinity_is_by_the_first_blocks() -> None:
    one = deployment(replicas=2, balancer=prefix_balancer.PrefixAffinity(blocks=1))
    assert hits(TURNS, APART_S, one) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_prompts_without_blocks_and_sessions_go_to_the_least_loaded() -> None:
    kept = deployment(replicas=2, balancer=prefix_balancer.PrefixAffinity())
    requests = run(scenario([[], [], []], [0, 0.1, 0.2], kept))
    assert (requests["finished_at_s"] - requests["arrived_at_s"]).tolist() == pytest.approx([1, 1, 1])


def test_a_replica_that_opens_moves_no_session_but_its_own() -> None:
    scaled = deployment(
        balancer=prefix_balancer.PrefixAffinity(),
        autoscaler=TargetTracking(2, 2, 9.0, interval_s=1.0, cold_start_s=0.0),
    )
    blocks, of = [[k] for k in range(40)] * 2, list(range(40)) * 2
    times_s = [*(0.02 * k for k in range(40)), *(100 + 10.0 * k for k in range(40))]
    again = hits(blocks, times_s, scaled, sessions=of)[40:]
    assert 10 < sum(again) < 30  # about half of the sessions belong to the second replica, and begin anew there


def test_the_longest_prefix_is_left_where_it_has_too_many_more_jobs() -> None:
    for extra, expected in ((0, [0, 0, 1]), (1, [0, 1, 1])):
        kept = deployment(replicas=2, balancer=prefix_balancer.PrefixThenLoad(extra))
        assert hits([[1, 2], [1, 3], [1, 3]], [0, 0.1, 20], kept)[:2] == expected[:2]


def test_a_policy_remembers_what_it_has_sent() -> None:
    for policy in (PrefixAffinity(), PrefixThenLoad()):
        assert hits(TURNS, APART_S, *BOTH, sessions=OF, policy=policy) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_policy_does_not_know_what_a_deployment_has_lost() -> None:
    requests = run(scenario([[1, 2], [1, 3]], [0, 10], *BOTH, events=[Outage(5.0, 1.0)]), PrefixThenLoad())
    assert requests["deployment"].tolist() == ["a", "a"]
    assert requests["hit_blocks"].tolist() == [0, 0]


def test_a_policy_forgets_after_a_time_and_beyond_its_memory() -> None:
    # The second prompt goes to b, as a is busy and nobody was sent it. Then the third is known at b, or forgotten.
    known, times_s = [[1, 2], [3], [3, 4]], [0.0, 1.0, 20.0]
    assert run(scenario(known, times_s, *BOTH), PrefixThenLoad())["deployment"].tolist() == ["a", "b", "b"]
    assert run(scenario(known, times_s, *BOTH), PrefixThenLoad(forget_s=5.0))["deployment"].tolist() == ["a", "b", "a"]
    long = [[9], [1], [1, 2, 3], [1, 2, 3]]
    small = run(scenario(long, [0.0, 1.0, 20.0, 40.0], *BOTH), PrefixThenLoad(memory_blocks=1))
    assert small["hit_blocks"].tolist() == [0, 0, 1, 3]


def test_load_comes_before_a_prefix_when_it_is_too_much() -> None:
    blocks, times_s = [[1]] * 4, [0.0, 0.1, 0.2, 0.3]
    assert run(scenario(blocks, times_s, *BOTH), PrefixThenLoad(extra=1))["deployment"].tolist() == ["a", "a", "b", "b"]


def test_both_say_when_there_is_nothing_to_go_by() -> None:
    assert PrefixThenLoad().lacks(tiny_setting([1.0], 1)) == "the workload has no prefix blocks"
    assert PrefixAffinity().lacks(tiny_setting([1.0], 1)) == "the workload has neither prefix blocks nor sessions"


@pytest.mark.parametrize("make", [lambda: PrefixAffinity(0), lambda: PrefixThenLoad(-1), lambda: PrefixThenLoad(1, 0)])
def test_numbers_that_cannot_be_are_refused(make: Callable[[], Policy]) -> None:
    with pytest.raises(ValueError, match=r"(blocks is 0|extra is -1|memory_blocks is 0); it must be at least"):
        make()


WORKLOAD = sessions(n_queries=150, n_history=60, n_models=3, dim=4, seed=1)
FLEET = OnePerModel(
    Batching(4, 0.02, 0.001, prefill_per_token_s=1e-4),
    replicas=2,
    balancer=prefix_balancer.PrefixThenLoad(2),
    queue_capacity=3,
    prefix_cache_tokens=6000.0,
)
BUSY = Scenario(WORKLOAD, FLEET, Weighted(total=2.0), Sessions(4.0, 5.0, 2.0), given)


PRICED = Deployment(
    "a",
    WORKLOAD.models[0],
    Disaggregated(2, 1, 1e-4, 1e5, 1e9, slots=4, iteration_base_s=0.02, iteration_per_sequence_s=0.001),
    queue_capacity=5,
    prefix_cache_tokens=20_000.0,
    price_input_usd_per_million=1.0,
    price_output_usd_per_million=2.0,
    price_cached_input_usd_per_million=0.1,
)
POOLS = Listed([PRICED, replace(PRICED, name="b", model=WORKLOAD.models[1])])
CHEAPER = replace(BUSY, fleet=POOLS, window=Window(5.0), exhausted="wait", state_refresh_s=0.7)


@pytest.mark.parametrize("world", [BUSY, CHEAPER], ids=["batches", "pools, and a price of what is held"])
@pytest.mark.parametrize("name", ["prefix_affinity", "prefix_then_load", "port", "cascade", "latency_priced"])
def test_policies_keep_the_contract_where_prefixes_are_kept(name: str, world: Scenario) -> None:
    for fence in (counterfactual_fence, causal_fence, reset_forgets, asking_changes_nothing):
        fence(lambda: configured_policy(name), world)


class Foresees(Policy):
    """Knows which prompts are longer than they seem: a cheat, so that the fences are seen to look here."""

    def decide(self, query: Query, state: State) -> Decision:
        tokens = truth().output_tokens
        assert tokens is not None
        return Decision(int(tokens[query.id, 0] % 2))


def test_the_fences_find_a_cheat_where_prefixes_are_kept() -> None:
    with pytest.raises(AssertionError, match="it saw the outcome"):
        causal_fence(Foresees, CHEAPER)


def test_in_a_busy_world_routing_by_prefix_has_the_most_hits() -> None:

    large = sessions(n_queries=1500, n_history=50, n_models=2, dim=4)
    service = Batching(16, 0.02, 0.0005, prefill_per_token_s=5e-5)

    def rate(policy: Policy, balancer: object = None) -> float:
        fleet = OnePerModel(service, replicas=3, balancer=balancer, prefix_cache_tokens=50_000.0)  # type: ignore[arg-type]
        return prefix_hit_rate(run(Scenario(large, fleet, Unlimited(), Sessions(1.0, 5.0, 10.0), given), policy))

    plain, kept = rate(First()), rate(First(), prefix_balancer.PrefixThenLoad())
    together = rate(First(), prefix_balancer.PrefixAffinity())
    assert plain < together < 1
    assert plain < kept < 1


def test_the_policy_of_the_abilities_page_goes_where_a_prefix_was_sent() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "abilities.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    (written,) = (block for block in blocks if "class WhereItWas" in block)
    namespace: dict[str, type[Policy]] = {}
    exec(compile(written, "docs/abilities.md", "exec"), namespace)
    assert hits(TURNS[:6], APART_S[:6], *BOTH, policy=namespace["WhereItWas"]()) == [0, 0, 0, 1, 1, 1]
