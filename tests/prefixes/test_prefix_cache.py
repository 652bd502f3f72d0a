"""What a replica holds it does not prefill again: in hand-made worlds, with events, retries and several calls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scenarios.budgets import Amounts
from scenarios.events import Outage, PriceChange
from sim.interface import Answer, Decision, Keep, Policy, PrefixTree, Query, State
from sim.scenario import Retry, Window
from sim.study.fleet import unbounded
from sim.study.metrics.caching import prefix_hit_rate, prefix_token_hit_rate, saved_prefill_tokens
from sim.workload import Workload
from sim.world.services.paged import PagedBatching
from sim.world.services.slots import Slots
from sim.world.stations.autoscaler import TargetTracking
from tests.prefixes.alike import INF, deployment, rows, run, scenario


def test_blocks_that_are_held_are_not_prefilled_again() -> None:
    requests = run(scenario([[1, 2, 3], [1, 2, 9], [7, 2, 3], [1, 2, 9]], [0, 10, 20, 30]))
    assert requests["prefix_blocks"].tolist() == [3, 3, 3, 3]
    assert requests["hit_blocks"].tolist() == [0, 2, 0, 3]  # what follows a block that is not held is no prefix
    assert requests["cached_tokens"].tolist() == [0, 20, 0, 30]
    assert (requests["first_token_at_s"] - requests["arrived_at_s"]).tolist() == pytest.approx([4, 2, 4, 1])


def test_metrics_count_blocks_and_tokens_of_what_was_served_where_prefixes_are_kept() -> None:
    requests = run(scenario([[1, 2, 3], [1, 2], [1]], [0, 10, 20]))
    assert prefix_hit_rate(requests) == pytest.approx(3 / 6)
    assert prefix_token_hit_rate(requests) == pytest.approx(30 / 60)
    assert saved_prefill_tokens(requests) == 30
    nowhere = run(scenario([[1, 2, 3], [1, 2], [1]], [0, 10, 20], deployment(room=None)))
    assert nowhere["hit_blocks"].isna().all()
    assert nowhere["cached_tokens"].tolist() == [0, 0, 0]
    assert prefix_hit_rate(nowhere) != prefix_hit_rate(nowhere)  # NaN
    assert saved_prefill_tokens(nowhere) == 0


def test_a_prompt_that_begins_while_another_is_prefilled_finds_its_blocks_as_prefills_take_turns() -> None:
    requests = run(scenario([[1, 2, 3], [1, 2, 3]], [0, 1]))
    assert requests["hit_blocks"].tolist() == [0, 3]
    # The second waits for the prefill of the first, which ends at 3 s, and has none of its own.
    assert requests["first_token_at_s"].tolist() == pytest.approx([4, 4])


def test_the_least_recently_used_leaf_makes_room() -> None:
    requests = run(scenario([[1, 2, 3], [1, 8], [1, 2, 3], [1, 8]], [0, 10, 20, 30], deployment(room=30)))
    # [1, 8] drops block 3; [1, 2, 3] then drops 8.
    assert requests["hit_blocks"].tolist() == [0, 1, 2, 1]


def test_of_a_prompt_that_has_no_room_the_first_blocks_are_held() -> None:
    requests = run(scenario([[1, 2, 3, 4], [1, 2, 3, 4]], [0, 10], deployment(room=25)))
    assert requests["hit_blocks"].tolist() == [0, 2]


def test_a_tree_forgets_what_was_not_used_since_a_time() -> None:
    tree = PrefixTree()
    tree.add([1, 2], now_s=1.0)
    tree.add([1, 5], now_s=3.0)
    tree.forget(before_s=2.0)
    assert (tree.held([1, 2]), tree.held([1, 5]), len(tree)) == (1, 2, 2)


def test_a_cached_token_has_its_own_price_that_of_the_moment_of_the_decision() -> None:
    priced = deployment(prices=(1e6, 2e6, 4e5))  # 1 USD an input token, 2 an output token, 0.4 a cached one
    requests = run(scenario([[1, 2], [1, 2], [1, 3]], [0, 10, 20], priced, events=[PriceChange(15, 2.0)]))
    assert requests["cost_usd"].tolist() == pytest.approx([22, 22 - 20 * 0.6, 2 * (22 - 10 * 0.6)])


def test_a_budget_commits_the_whole_price_and_is_charged_what_is_left() -> None:
    priced = deployment(prices=(1e6, 0.0, 0.0))
    times = [0, 10, 20, 30]
    requests = run(scenario([[1, 2], [1, 2], [1, 2], [7, 8]], times, priced, budget=Amounts([45.0])))
    assert requests["cost_usd"].tolist() == [20, 0, 0, 20]
    assert requests["fate"].tolist() == ["served"] * 4
    short = run(scenario([[1, 2], [1, 2]], [0, 10], priced, budget=Amounts([30.0])))
    assert short["fate"].tolist() == ["served", "exhausted"]  # nobody knows before that it would be free
    window = run(scenario([[1, 2], [1, 2]], [0, 10], priced, budget=Amounts([20.0]), window=Window(5.0, spread=False)))
    assert window["cost_usd"].tolist() == [20, 0]


def test_no_hindsight_optimum_knows_what_a_prefix_will_save() -> None:
    assert unbounded(scenario([[1]], [0], deployment(prices=(2.0, 2.0, 1.0)))) == (
        "prompts cost less where their prefix is held: use prefix_cache_tokens=null"
    )
    assert unbounded(scenario([[1]], [0], deployment(prices=(2.0, 2.0, 2.0)))) is None
    assert unbounded(scenario([[1]], [0])) is None


def test_an_outage_empties_a_replica_and_a_retry_begins_anew() -> None:
    fails: dict[str, Any] = {"events": [Outage(at_s=10.5, for_s=1)], "retry": Retry(attempts=2, backoff_s=9.5)}
    requests = run(scenario([[1, 2, 3], [1, 2, 3], [1, 2, 3]], [0, 10, 40], **fails))
    assert requests["attempts"].tolist() == [1, 2, 1]
    assert requests["hit_blocks"].tolist() == [0, 0, 3]
    assert requests["finished_at_s"].tolist() == pytest.approx([4, 20 + 4, 41])


def test_a_replica_that_opens_later_holds_nothing() -> None:
    scaled = deployment(autoscaler=TargetTracking(1, 2, 1.0, interval_s=0.5, cold_start_s=0.0))
    requests = run(scenario([[1, 2, 3], [1, 2, 3], [1, 2, 3]], [0, 0.1, 1], scaled))
    assert requests["hit_blocks"].tolist() == [0, 3, 0]  # the third opens the second replica


class AsksTwice(Policy):
    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        return Decision(0) if len(answers) == 1 else Keep(1)


def test_every_call_of_a_query_meets_the_cache() -> None:
    requests = run(scenario([[1, 2], [1, 2]], [0, 10], deployment(prices=(1e6, 0.0, 0.0))), AsksTwice())
    assert requests["cost_usd"].tolist() == [20, 0]
    assert requests["hit_blocks"].tolist() == [2, 2]  # of the answer that was kept
    assert requests["finished_at_s"].tolist() == pytest.approx([4, 12])


def test_chunked_prefill_leaves_at_least_a_token_to_prefill() -> None:
    paged = PagedBatching(4, 1.0, 0.0, prefill_per_token_s=0.1, batched_tokens=20)
    requests = run(scenario([[1, 2, 3], [1, 2, 3]], [0, 20], deployment(service=paged)))
    # 30 tokens in two iterations of 1 s and 3 s of prefill; then the last token alone.
    assert (requests["finished_at_s"] - requests["arrived_at_s"]).tolist() == pytest.approx([5, 1.1])


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (deployment(service=Slots(1, 0.5, 0.1)), "prefix_cache_tokens of 'a' is inf, and it would save nothing"),
        (deployment(room=9), "prefix_cache_tokens of 'a' is 9; it must be at least a block of 10 tokens, or null"),
    ],
)
def test_a_cache_that_can_do_nothing_is_refused(kept: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(scenario([[1]], [0], kept))  # type: ignore[arg-type]


@pytest.mark.parametrize("room", [0.5, -1.0, float("nan")])
def test_a_room_that_cannot_be_is_refused(room: float) -> None:
    with pytest.raises(
        ValueError, match=r"prefix_cache_tokens of 'a' is .*; it must be at least 1, inf for any number"
    ):
        deployment(room=room)


def test_more_blocks_than_a_prompt_has_tokens_are_refused() -> None:
    test = replace(rows([[1, 2]]), input_tokens=np.array([10]))
    message = (
        "there are 2 prefix blocks of 10 tokens in history row 0, whose prompt has 10 tokens; it must have at most 1"
    )
    with pytest.raises(ValueError, match=message):
        Workload(("m",), test, test)


def test_a_service_with_a_price_of_cached_input_saves_money_without_a_prefill() -> None:
    hosted = deployment(service=Slots(1, 0.5, 0.1), prices=(1e6, 0.0, 5e5), room=INF)
    assert run(scenario([[1], [1]], [0, 10], hosted))["cost_usd"].tolist() == [10, 5]
