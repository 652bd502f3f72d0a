"""A hosted model behind rate limits: every number here can be checked by hand."""

import math

import numpy as np
import pytest

from sim.world.services.hosted import Api
from tests.serving import Request, cancel, serve, slow_down


def api(
    requests_per_minute: int | None = None, tokens_per_minute: int | None = None, when_limited: str = "wait"
) -> Api:
    return Api(requests_per_minute, tokens_per_minute, 1.0, 0.0, 0.5, 0.0, when_limited)


def test_the_first_token_comes_first_and_each_further_one_after_its_time() -> None:
    [outcome] = serve(api(), [Request(2.0, 10, 5)])
    assert (outcome.started_s, outcome.first_token_s, outcome.finished_s) == (2.0, 3.0, 5.0)


def test_without_limits_nobody_waits_for_anybody() -> None:
    outcomes = serve(api(), [Request(0.0, 10, 5)] * 100)
    assert {outcome.finished_s for outcome in outcomes} == {3.0}


def test_a_full_bucket_serves_a_minutes_allowance_at_once_and_then_one_request_per_share() -> None:
    outcomes = serve(api(requests_per_minute=4), [Request(0.0, 10, 1)] * 7)
    assert [outcome.started_s for outcome in outcomes] == pytest.approx([0, 0, 0, 0, 15, 30, 45])


def test_a_bucket_refills_while_nobody_comes_but_never_over_its_edge() -> None:
    outcomes = serve(api(requests_per_minute=2), [Request(0.0, 1, 1)] * 2 + [Request(1000.0, 1, 1)] * 3)
    assert [outcome.started_s for outcome in outcomes] == pytest.approx([0, 0, 1000, 1000, 1030])


def test_the_token_limit_counts_input_and_output() -> None:
    # 600 a minute are 10 a second: 300 + 300 empty the bucket, and 40 + 10 are there again after 5 s.
    outcomes = serve(api(tokens_per_minute=600), [Request(0.0, 300, 300), Request(0.0, 40, 10), Request(0.0, 5, 5)])
    assert [outcome.started_s for outcome in outcomes] == pytest.approx([0, 5, 6])


def test_a_request_above_a_minutes_allowance_leaves_a_debt() -> None:
    outcomes = serve(api(tokens_per_minute=60), [Request(0.0, 80, 10), Request(0.0, 5, 5)])
    assert [outcome.started_s for outcome in outcomes] == pytest.approx([0, 40])  # 30 owed, and 10 needed


def test_both_limits_hold() -> None:
    outcomes = serve(api(requests_per_minute=60, tokens_per_minute=600), [Request(0.0, 295, 5)] * 3)
    assert [outcome.started_s for outcome in outcomes] == pytest.approx([0, 0, 30])


def test_who_may_not_wait_is_not_woken() -> None:
    outcomes = serve(api(requests_per_minute=1, when_limited="reject"), [Request(0.0, 1, 1)] * 2)
    assert outcomes[0].finished_s == 1.0
    assert math.isnan(outcomes[1].started_s)


def test_who_waits_behind_a_large_request_begins_when_it_has() -> None:
    requests = [Request(0.0, 500, 100), Request(0.0, 500, 100), Request(1.0, 1, 1)]
    outcomes = serve(api(tokens_per_minute=600), requests)
    assert [outcome.started_s for outcome in outcomes] == pytest.approx([0, 60, 60.2])


def test_times_are_lognormal_about_their_medians() -> None:
    service = Api(None, None, 2.0, 0.5, 0.1, 0.3)
    [outcome] = serve(service, [Request(0.0, 1, 11, (1.0, -1.0))])
    assert outcome.first_token_s == pytest.approx(2 * math.exp(0.5))
    assert outcome.finished_s - outcome.first_token_s == pytest.approx(10 * 0.1 * math.exp(-0.3))


def test_draws_are_standard_normal_and_none_where_nothing_varies() -> None:
    draws = Api(None, None, 2.0, 0.5, 0.1, 0.0).draw(20_000, np.random.default_rng(0))
    assert draws is not None
    assert draws.shape == (20_000, 2)
    assert draws.mean(axis=0) == pytest.approx([0, 0], abs=0.03)  # 4 standard errors
    assert draws.std(axis=0) == pytest.approx([1, 1], abs=0.03)
    assert api().draw(3, np.random.default_rng(0)) is None


def test_a_cancelled_request_never_finishes_and_has_been_counted() -> None:
    outcomes = serve(api(requests_per_minute=1), [Request(0.0, 1, 100), Request(0.0, 1, 1)], [(5.0, cancel(0))])
    assert math.isnan(outcomes[0].finished_s)
    assert outcomes[1].started_s == pytest.approx(60)


def test_half_speed_doubles_what_is_left() -> None:
    # 1 s to the first token, 4 s for 8 more; half speed from 2 s to 4 s: 1 s of the 4 s done, 1 s in 2 s, 2 s left.
    [outcome] = serve(api(), [Request(0.0, 1, 9)], [(2.0, slow_down(2.0)), (4.0, slow_down(1.0))])
    assert (outcome.first_token_s, outcome.finished_s) == pytest.approx((1.0, 6.0))
    [outcome] = serve(api(), [Request(0.0, 1, 1)], [(0.5, slow_down(4.0))])
    assert (outcome.first_token_s, outcome.finished_s) == pytest.approx((2.5, 2.5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, None, 1.0, 0.0, 0.1, 0.0), "requests_per_minute is 0"),
        ((1, 0, 1.0, 0.0, 0.1, 0.0), "tokens_per_minute is 0"),
        ((1, 1, -1.0, 0.0, 0.1, 0.0), "time_to_first_token_s is -1.0"),
        ((1, 1, 1.0, 0.0, 0.1, 0.0, "drop"), "when_limited is 'drop'; it must be one of wait, reject"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple[int, int, float, float, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Api(*arguments)
