"""Paged continuous batching: by hand, and iteration by iteration in the plainest way."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.world.services.paged import PagedBatching
from tests.serving import Outcome, Request, cancel, serve, slow_down


def finished(outcomes: list[Outcome]) -> list[float]:
    return [outcome.finished_s for outcome in outcomes]


def first_tokens(outcomes: list[Outcome]) -> list[float]:
    return [outcome.first_token_s for outcome in outcomes]


def test_the_prefill_gives_the_first_token_and_each_iteration_another() -> None:
    # Prefill: 1 + 0.5 + 10 x 0.1 = 2.5 s; then 4 iterations of 1 + 0.25 s.
    service = PagedBatching(4, 1.0, 0.25, prefill_base_s=0.5, prefill_per_token_s=0.1)
    outcomes = serve(service, [Request(2.0, 10, 5)])
    assert first_tokens(outcomes) + finished(outcomes) == pytest.approx([4.5, 9.5])


def test_an_iteration_takes_longer_with_a_fuller_cache() -> None:
    # The prefill takes 1 + 1.0 s. Decoding begins with 10 tokens held, one more each time: 1 + 1.0, 1 + 1.1, 1 + 1.2 s.
    outcomes = serve(PagedBatching(4, 1.0, 0.0, 0.1), [Request(0.0, 10, 4)])
    assert first_tokens(outcomes) + finished(outcomes) == pytest.approx([2.0, 8.3])


def test_who_comes_during_an_iteration_joins_at_its_end() -> None:
    outcomes = serve(PagedBatching(4, 1.0, 0.0), [Request(0.0, 1, 10), Request(4.5, 1, 2)])
    assert first_tokens(outcomes) == pytest.approx([1.0, 6.0])
    assert finished(outcomes) == pytest.approx([10.0, 7.0])


def test_a_long_prompt_is_prefilled_in_chunks_beside_the_decoding() -> None:
    # 4 tokens an iteration: one for the first request, three of the second's seven: iterations of 3, 3 and 1.
    service = PagedBatching(2, 1.0, 0.0, prefill_per_token_s=1.0, batched_tokens=4)
    outcomes = serve(service, [Request(0.0, 1, 5), Request(1.0, 7, 1)])
    # 2 s: the first's prefill; iterations end at 2 + 4, + 4, + 2, + 1
    assert first_tokens(outcomes) == pytest.approx([2.0, 12.0])
    assert finished(outcomes) == pytest.approx([13.0, 12.0])


def test_when_the_cache_is_full_the_last_to_join_starts_again() -> None:
    # Room for 8. The first is prefilled by 1 s, the second by 2 s: 4 + 3 held, no room for a token each. The second has
    # made one, and starts again when the first has its five, at 5 s: its second token is ready at 6 s, the fourth at 8.
    outcomes = serve(PagedBatching(4, 1.0, 0.0, kv_tokens=8), [Request(0.0, 3, 5), Request(0.0, 3, 4)])
    assert first_tokens(outcomes) == pytest.approx([1.0, 2.0])
    assert finished(outcomes) == pytest.approx([5.0, 8.0])


def test_a_request_larger_than_the_cache_is_served_alone() -> None:
    outcomes = serve(PagedBatching(4, 1.0, 0.0, kv_tokens=5), [Request(0.0, 9, 3), Request(0.0, 1, 1)])
    assert finished(outcomes) == pytest.approx([3.0, 4.0])


def test_ranks_wait_for_the_slowest_of_them() -> None:
    # Each alone in its rank; the second's prefill of 9 s makes the first's iteration as long.
    service = PagedBatching(1, 1.0, 0.0, prefill_per_token_s=1.0, ranks=2)
    outcomes = serve(service, [Request(0.0, 1, 3), Request(1.0, 9, 1)])
    assert first_tokens(outcomes) == pytest.approx([2.0, 12.0])
    assert finished(outcomes) == pytest.approx([13.0, 12.0])


def test_each_rank_has_its_own_slots_and_queue() -> None:
    service = PagedBatching(1, 1.0, 0.0, ranks=2)
    outcomes = serve(service, [Request(0.0, 1, 9), Request(0.0, 1, 3), Request(0.5, 1, 1), Request(0.6, 1, 1)])
    # The third queues at the first rank, as both are alike, and the fourth at the second.
    assert [outcome.started_s for outcome in outcomes] == pytest.approx([0.0, 0.0, 9.0, 4.0])


def test_a_completion_is_known_after_the_overhead_but_frees_its_slot_before() -> None:
    outcomes = serve(PagedBatching(1, 1.0, 0.0, overhead_s=0.25), [Request(0.0, 1, 2), Request(0.0, 1, 2)])
    assert first_tokens(outcomes) == pytest.approx([1.25, 3.25])
    assert finished(outcomes) == pytest.approx([2.25, 4.25])


def test_who_is_cancelled_leaves_at_the_end_of_the_iteration() -> None:
    # H = 1, and the prefill takes no time: the first decodes alone to 1 s, then with the second, at 2 s a token.
    # At 6.5 s the iteration from 5 to 7 s is under way: then the first has five tokens, and needs 4 s for four more.
    outcomes = serve(PagedBatching(2, 0.0, 1.0), [Request(0.0, 1, 9), Request(0.5, 1, 9)], [(6.5, cancel(1))])
    assert math.isnan(outcomes[1].finished_s)
    assert outcomes[0].finished_s == pytest.approx(11.0)


def test_half_speed_doubles_what_is_left() -> None:
    actions = [(2.5, slow_down(2.0)), (5.5, slow_down(1.0))]
    assert finished(serve(PagedBatching(2, 1.0, 0.0), [Request(0.0, 1, 6)], actions)) == pytest.approx([7.5])


def stepped(service: PagedBatching, requests: list[Request]) -> list[tuple[float, float]]:  # noqa: PLR0912 - plainly
    """Return (first token, completion), an iteration at a time: the schedule of one rank, written down plainly."""
    first, last = [math.inf] * len(requests), [math.inf] * len(requests)
    made = [0] * len(requests)
    computed = [0] * len(requests)
    running: list[int] = []
    waiting: list[int] = []
    slots, budget = service.slots or math.inf, service.batched_tokens or math.inf
    kv_tokens = service.kv_tokens or math.inf
    now_s, upcoming = 0.0, 0

    def held() -> int:
        return sum(prompt[k] if computed[k] < prompt[k] else computed[k] for k in running)

    prompt = [request.input_tokens for request in requests]
    while upcoming < len(requests) or running or waiting:
        if not running and not waiting:
            now_s = max(now_s, requests[upcoming].arrival_s)
        while upcoming < len(requests) and requests[upcoming].arrival_s <= now_s + 1e-12:
            waiting.append(upcoming)
            upcoming += 1
        preempted = False
        while len(running) > 1 and held() + sum(computed[k] >= prompt[k] for k in running) > kv_tokens:
            victim = running.pop()
            prompt[victim] = requests[victim].input_tokens + made[victim]
            computed[victim] = 0
            waiting.insert(0, victim)
            preempted = True
        while waiting and not preempted and len(running) < slots:
            k, decoding = waiting[0], sum(computed[k] >= prompt[k] for k in running)
            if running and held() + decoding + prompt[k] > kv_tokens:
                break
            running.append(waiting.pop(0))
        decoding_now = [k for k in running if computed[k] >= prompt[k]]
        room = budget - len(decoding_now)
        chunks = {}
        for k in running:
            if k not in decoding_now and room > 0:
                chunks[k] = min(prompt[k] - computed[k], room)
                room -= chunks[k]
        now_s += (
            service.iteration_base_s
            + service.iteration_per_sequence_s * len(decoding_now)
            + service.iteration_per_kv_token_s * held()
            + (service.prefill_base_s + service.prefill_per_token_s * sum(chunks.values()) if chunks else 0.0)
        )
        for k in decoding_now:
            computed[k] += 1
            made[k] += 1
        for k, size in chunks.items():
            computed[k] += int(size)
            made[k] += computed[k] == prompt[k]
        for k in list(running):
            if made[k]:
                first[k] = min(first[k], now_s)
            if made[k] >= requests[k].output_tokens:
                last[k] = now_s
                running.remove(k)
    return list(zip(first, last, strict=True))


SERVICES = st.builds(
    PagedBatching,
    slots=st.sampled_from([None, 1, 2, 5]),
    iteration_base_s=st.sampled_from([0.0, 0.02]),
    iteration_per_sequence_s=st.sampled_from([0.001, 0.0137]),
    iteration_per_kv_token_s=st.sampled_from([0.0, 1e-5]),
    prefill_base_s=st.sampled_from([0.0, 0.011]),
    prefill_per_token_s=st.sampled_from([0.0, 1e-4]),
    batched_tokens=st.sampled_from([None, 64]),
    kv_tokens=st.sampled_from([None, 400]),
)
REQUESTS = st.lists(
    st.builds(Request, st.floats(0, 3), st.integers(1, 300), st.integers(1, 60)), min_size=1, max_size=15
).map(lambda requests: sorted(requests, key=lambda request: request.arrival_s))


@given(SERVICES, REQUESTS)
def test_leaping_gives_the_times_of_stepping(service: PagedBatching, requests: list[Request]) -> None:
    # Arrivals of one moment are told to the server one by one: the first starts an iteration, the others join the next.
    requests = [
        Request(request.arrival_s + 0.00173 * k, request.input_tokens, request.output_tokens)
        for k, request in enumerate(requests)
    ]
    outcomes = serve(service, requests)
    expected = stepped(service, requests)
    assert first_tokens(outcomes) == pytest.approx([first for first, _ in expected], abs=1e-9)
    assert finished(outcomes) == pytest.approx([last for _, last in expected], abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1.0, 0.1), "slots is 0"),
        ((1, 0.0, 0.0), "an iteration must take time"),
        ((8, 1.0, 0.1, 0.0, 0.0, 0.0, 4), "batched_tokens is 4; it must be at least the 8 slots"),
        ((8, 1.0, 0.1, -1.0), "iteration_per_kv_token_s is -1.0"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple[int, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PagedBatching(*arguments)
