"""Prefill and decoding in pools of their own: a tandem of queues, by its closed form, by recursion and by hand."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sim.interface import FloatArray
from sim.world.services.disaggregated import Disaggregated
from tests.conftest import Beside
from tests.prefixes.alike import deployment, scenario
from tests.prefixes.alike import run as run_alike
from tests.serving import Request, cancel, serve, slow_down

# A prompt of n tokens takes n / 10 s to prefill and n / 20 s to send; an answer of n tokens n s, one after the other.
ONE_EACH = Disaggregated(1, 1, 0.1, 5.0, 100.0, slots=1, iteration_base_s=1.0, iteration_per_sequence_s=0.0)


def in_turn(ready_s: npt.ArrayLike, takes_s: npt.ArrayLike) -> FloatArray:
    """When each of these has been served, in this order, by one server (Lindley's recursion)."""
    done_s, free_s = [], 0.0
    for ready, takes in zip(np.asarray(ready_s), np.asarray(takes_s), strict=True):
        free_s = max(ready, free_s) + takes
        done_s.append(free_s)
    return np.array(done_s)


def test_prefill_link_and_decoding_each_have_a_queue() -> None:
    a, b = serve(ONE_EACH, [Request(0, 20, 3), Request(1, 20, 2)])
    # a: prefill to 2 s, link to 3, first token at 4, last at 6. b: prefill 2 to 4, link 4 to 5, decoding 6 to 8.
    assert (a.started_s, a.first_token_s, a.finished_s) == pytest.approx((0, 4, 6))
    assert (b.started_s, b.first_token_s, b.finished_s) == pytest.approx((2, 7, 8))


def test_times_are_those_of_three_queues_one_after_the_other(beside: Beside) -> None:
    rng = np.random.default_rng(0)
    n = 2000
    arrived_s = np.cumsum(rng.exponential(25.0, n))
    inputs, outputs = rng.geometric(1 / 100, n), rng.geometric(1 / 15, n)
    requests = [Request(*row) for row in zip(arrived_s.tolist(), inputs.tolist(), outputs.tolist(), strict=True)]
    sent_s = in_turn(in_turn(arrived_s, inputs * 0.1), inputs * 0.05)
    expected_s = in_turn(sent_s, outputs * 1.0)
    finished_s = np.array([outcome.finished_s for outcome in serve(ONE_EACH, requests)])
    np.testing.assert_allclose(finished_s, expected_s, rtol=1e-9)
    figure, whose = "mean departure in s of 2,000 requests", "Lindley's recursion, three times"
    beside("Disaggregation", figure, finished_s.mean(), expected_s.mean(), whose, "each request to 1e-9")


def test_the_mean_time_is_that_of_two_markovian_queues_in_a_row(beside: Beside) -> None:
    rng = np.random.default_rng(1)
    n, mean_tokens = 60_000, 1000
    service = Disaggregated(1, 1, 1 / mean_tokens, 1.0, None, 1, 0.8 / mean_tokens, 0.0)  # 1 s and 0.8 s on average
    arrived_s = np.cumsum(rng.exponential(1 / 0.8, n)).tolist()
    inputs, outputs = (rng.geometric(1 / mean_tokens, n).tolist() for _ in range(2))
    requests = [Request(*row) for row in zip(arrived_s, inputs, outputs, strict=True)]
    spent_s = [outcome.finished_s - at for outcome, at in zip(serve(service, requests), arrived_s, strict=True)]
    blocks = np.array(spent_s).reshape(30, -1).mean(axis=1)
    half_width = 2.05 * blocks.std(ddof=1) / np.sqrt(30)
    jackson_s = 1 / (1 - 0.8) + 1 / (1.25 - 0.8)  # 7.2222
    assert half_width < 0.8
    assert abs(blocks.mean() - jackson_s) < half_width
    figure, within = "mean time in s, M/M/1 -> M/M/1", f"95% interval +- {half_width:.2g}"
    beside("Disaggregation", figure, blocks.mean(), jackson_s, "Jackson's network", within)


def test_without_a_link_time_and_with_several_engines_only_decoding_waits() -> None:
    pools = Disaggregated(2, 2, 0.1, 5.0, None, 1, 1.0, 0.0)
    outcomes = serve(pools, [Request(0, 20, 3), Request(0, 20, 3), Request(0, 20, 3)])
    assert [one.finished_s for one in outcomes] == pytest.approx([5, 5, 8])  # the third is prefilled from 2 to 4 s


def test_room_in_the_cache_of_a_decode_engine_holds_its_queue_back() -> None:
    tight = Disaggregated(4, 1, 0.1, 5.0, None, 8, 1.0, 0.0, kv_tokens=40)
    outcomes = serve(tight, [Request(0, 20, 3), Request(0, 20, 3)])
    assert [one.finished_s for one in outcomes] == pytest.approx([5, 8])


@pytest.mark.parametrize(
    ("at_s", "finished_s"),
    [
        (1.5, [1.5 + 2 + 1 + 2, 1.5 + 4 + 1 + 2]),  # in its prefill: the next prefill begins
        (2.5, [4 + 1 + 2, 6 + 1 + 2]),  # on the link
        (6.5, [6.5 + 2, 6.5 + 2 + 2]),  # in decoding, with the others behind it
    ],
)
def test_a_request_that_leaves_makes_room_in_its_stage(at_s: float, finished_s: list[float]) -> None:
    outcomes = serve(ONE_EACH, [Request(0, 20, 30), Request(0, 20, 2), Request(0, 20, 2)], [(at_s, cancel(0))])
    assert np.isnan(outcomes[0].finished_s)
    assert [one.finished_s for one in outcomes[1:]] == pytest.approx(finished_s)


def test_a_request_may_leave_the_queue_before_the_link_or_before_decoding() -> None:
    waits = Disaggregated(2, 1, 0.1, 5.0, 100.0, slots=1, iteration_base_s=1.0, iteration_per_sequence_s=0.0)
    for at_s in (2.5, 5.0):  # two prefills end at 2 s; one is on the link to 3 s, and decoded to 13 s
        kept, gone = serve(waits, [Request(0, 20, 10), Request(0, 20, 5)], [(at_s, cancel(1))])
        assert kept.finished_s == pytest.approx(13)
        assert np.isnan(gone.finished_s)


def test_every_stage_slows_down() -> None:
    [slow] = serve(ONE_EACH, [Request(0, 20, 3)], [(1.0, slow_down(2.0))])
    assert slow.finished_s == pytest.approx(1 + 2 * 5)


def test_a_prefix_that_is_held_is_not_prefilled_and_is_sent() -> None:
    kept = deployment(service=Disaggregated(1, 1, 0.1, 5.0, 100.0, 1, 1.0, 0.0))
    requests = run_alike(scenario([[1, 2], [1, 2]], [0, 10], kept))
    assert (requests["finished_at_s"] - requests["arrived_at_s"]).tolist() == pytest.approx([2 + 1 + 1, 0 + 1 + 1])


def test_the_slowest_stage_says_what_is_served() -> None:
    assert ONE_EACH.served_per_s(20, 3) == pytest.approx(1 / 3)
    assert ONE_EACH.served_per_s(20, 1) == pytest.approx(1 / 2)
    assert Disaggregated(9, 1, 0.1, 5.0, 100.0, 9, 1.0, 0.0).served_per_s(20, 1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prefill_engines": 0}, "prefill_engines is 0; it must be at least 1"),
        ({"link_bytes_per_s": 0.0}, "link_bytes_per_s is 0.0; it must be positive and finite, or null for no time"),
        ({"slots": 0}, "slots is 0; it must be at least 1, or null for no limit"),
        ({"iteration_base_s": 0.0}, "iteration_base_s and iteration_per_sequence_s are both 0"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {
        "prefill_engines": 1,
        "decode_engines": 1,
        "prefill_per_token_s": 0.1,
        "kv_bytes_per_token": 1.0,
        "link_bytes_per_s": 1.0,
        "slots": 1,
        "iteration_base_s": 1.0,
        "iteration_per_sequence_s": 0.0,
    }
    with pytest.raises(ValueError, match=message):
        Disaggregated(**settings | change)
