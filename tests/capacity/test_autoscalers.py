"""Autoscalers by queue, utilisation and waits; cold starts, warm pools, stabilisation, and what all of it costs."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.arrivals import Deterministic, Poisson
from sim.deployment import Deployment
from sim.distributions import Exponential
from sim.study.metrics.latency import wait_s
from sim.study.theory.markovian import mmc_mean_wait_s
from sim.world.services.batching import Batching
from sim.world.services.slots import Slots
from sim.world.services.timed import Timed
from sim.world.stations.autoscaler import Scaler, TargetTracking, WarmPool
from sim.world.stations.scalers import QueueTracking, SloTracking, UtilisationTracking
from sim.world.stations.station import Station
from tests.capacity.worlds import changes, paid, run
from tests.conftest import Beside

FOUR_SLOTS = Slots(4, 0.0, 0.01)


def test_utilisation_is_scaled_by_kubernetes_formula(beside: Beside) -> None:
    # 2 replicas of 4 slots, 6 busy: a share of 0.75. ceil(2 x 0.75 / 0.5) = 3.
    scaler = UtilisationTracking(1, 9, 0.5, interval_s=10.0, cold_start_s=0.0)
    done = run([0.0] * 6, [15.0] * 6, service=FOUR_SLOTS, replicas=2, autoscaler=scaler)
    assert changes(done, "serving") == [(0.0, 2), (10.0, 3)]
    figure = "replicas wanted, 2 replicas at 75% of their slots, target 50%"
    beside("Capacity that moves", figure, changes(done, "serving")[-1][1], 3, "Kubernetes' formula", "exactly")


@pytest.mark.parametrize(("tolerance", "replicas"), [(0.0, 3), (0.1, 2)])
def test_a_load_near_its_target_changes_nothing(tolerance: float, replicas: int) -> None:
    # A share of 0.75 over 0.7 is 1.07: ceil(2 x 1.07) = 3, and within a tenth of 1.
    scaler = UtilisationTracking(1, 9, 0.7, interval_s=10.0, cold_start_s=0.0, tolerance=tolerance)
    done = run([0.0] * 6, [15.0] * 6, service=FOUR_SLOTS, replicas=2, autoscaler=scaler)
    assert changes(done, "serving")[-1][1] == replicas


def test_a_queue_is_shared_by_as_many_replicas_as_its_target_says() -> None:
    # Of nine queries one is in service and eight wait: at two a replica that is four, three of them new, up at 12 s.
    scaler = QueueTracking(1, 9, 2.0, interval_s=10.0, cold_start_s=2.0)
    done = run([0.0] * 9, [30.0] * 9, autoscaler=scaler)
    assert changes(done, "serving")[:2] == [(0.0, 1), (12.0, 4)]
    assert changes(done, "starting")[:3] == [(0.0, 0), (10.0, 3), (12.0, 0)]


def test_the_bounds_hold_whatever_the_queue() -> None:
    scaler = QueueTracking(1, 3, 1.0, interval_s=10.0, cold_start_s=0.0)
    done = run([0.0] * 50, [5.0] * 50, autoscaler=scaler)
    assert max(number for _, number in changes(done, "serving")) == 3


def test_waits_above_their_limit_are_scaled_by_kubernetes_formula() -> None:
    # Three queries of 4 s each. At 7 s two have waited 0 s and 4 s, and the third, still waiting, 7 s, which is above
    # the limit of 2 s and counts. The 100th percentile is 7 s: ceil(1 x 7 / 2) = 4.
    scaler = SloTracking(1, 9, 2.0, "wait", window_s=60.0, percent=100.0, interval_s=7.0, cold_start_s=0.0)
    done = run([0.0] * 3, [4.0] * 3, autoscaler=scaler)
    assert changes(done, "serving")[1] == (7.0, 4)


def test_first_tokens_count_when_they_come_and_not_when_answers_end() -> None:
    # A first token after 3 s, and 100 s of answer behind it: at 5 s it counts, 3 / 1.5 = 2.
    scaler = SloTracking(1, 9, 1.5, "first_token", window_s=60.0, interval_s=5.0, cold_start_s=0.0)
    done = run([0.0], [100.0], service=Slots(1, 3.0, 0.01), autoscaler=scaler)
    assert changes(done, "serving")[1] == (5.0, 2)


def test_one_replica_goes_while_waits_are_far_below_their_limit() -> None:
    # The one wait, of 0 s, is forgotten after 10 s, and none is like one of 0 s: one fewer at each look.
    scaler = SloTracking(1, 9, 2.0, "wait", window_s=10.0, interval_s=4.0, cold_start_s=0.0)
    done = run([0.0, 20.0], [1.0, 1.0], replicas=4, autoscaler=scaler)
    assert changes(done, "serving") == [(0.0, 4), (4.0, 3), (8.0, 2), (12.0, 1)]


def test_the_highest_wish_of_the_last_seconds_counts() -> None:
    # One of five is served every 11 s, so 4, 3, 2, 1 and 0 wait at 10 s, 20 s and so on. At each look the highest of
    # the wishes counts that are less than 25 s old: the four of 10 s until 30 s, the three of 20 s at 40 s.
    scaler = QueueTracking(1, 9, 1.0, interval_s=10.0, cold_start_s=0.0, stabilisation_s=25.0)
    done = run([0.0] * 5 + [70.0], [11.0] * 5 + [1.0], autoscaler=scaler)
    assert changes(done, "serving") == [(0.0, 1), (10.0, 4), (40.0, 3), (50.0, 2), (60.0, 1)]


def test_replicas_of_the_beginning_are_a_wish_of_the_beginning() -> None:
    scaler = UtilisationTracking(1, 9, 0.5, interval_s=10.0, stabilisation_s=25.0)
    done = run([0.0, 60.0], [1.0, 1.0], replicas=3, autoscaler=scaler)
    assert changes(done, "serving") == [(0.0, 3), (30.0, 1)]


def test_a_spare_opens_sooner_and_is_made_again() -> None:
    # At 10 s two are wanted: the spare opens at 11 s, and another is ready 30 s later. What is paid: 1 + 0.25 up to
    # 10 s; then two and the coming spare up to 40 s; then two and a quarter.
    pool = WarmPool(1, warm_start_s=1.0, price_share=0.25)
    scaler = QueueTracking(1, 2, 1.0, interval_s=10.0, cold_start_s=30.0, stabilisation_s=100.0, warm_pool=pool)
    done = run([0.0] * 3, [30.0] * 3, autoscaler=scaler)
    assert changes(done, "serving") == [(0.0, 1), (11.0, 2)]
    assert changes(done, "spare") == [(0.0, 1), (10.0, 0), (40.0, 1)]
    assert done.summary["rent_usd"] == pytest.approx(10 * 1.25 + 30 * 3 + 50 * 2.25)  # the last ends at 90 s


def test_a_pool_that_is_empty_leaves_cold_starts() -> None:
    pool = WarmPool(1, warm_start_s=1.0)
    scaler = QueueTracking(1, 4, 1.0, interval_s=10.0, cold_start_s=30.0, stabilisation_s=100.0, warm_pool=pool)
    done = run([0.0] * 4, [50.0] * 4, autoscaler=scaler)
    assert changes(done, "serving")[:3] == [(0.0, 1), (11.0, 2), (40.0, 3)]


def test_an_autoscaler_with_one_choice_is_a_fixed_fleet() -> None:
    times, lasts = [0.1 * n for n in range(60)], [0.05 * (n % 7) for n in range(60)]
    fixed = run(times, lasts, replicas=2)
    for scaler in (
        UtilisationTracking(2, 2, 0.5, interval_s=1.0),
        QueueTracking(2, 2, 1.0, interval_s=1.0),
        SloTracking(2, 2, 0.1, interval_s=1.0),
    ):
        scaled = run(times, lasts, replicas=2, autoscaler=scaler)
        assert scaled.requests.equals(fixed.requests)
        assert scaled.summary["rent_usd"] == pytest.approx(float(fixed.summary["rent_usd"]))


@pytest.mark.slow
def test_an_autoscaler_that_stays_waits_as_erlang_c_says(beside: Beside) -> None:
    scaler = UtilisationTracking(1, 1, 0.5, interval_s=10.0)
    service = Timed(3, Exponential(1.0))
    waits = [
        wait_s(run(Poisson(2.0), [0.0] * 20_000, service=service, autoscaler=scaler, seed=seed).requests).mean()
        for seed in range(8)
    ]
    half_width = 2.4 * np.std(waits, ddof=1) / math.sqrt(len(waits))
    theory = mmc_mean_wait_s(2.0, 1.0, 3)
    assert abs(np.mean(waits) - theory) < half_width
    figure = "mean wait in s, M/M/3, under an autoscaler with one choice"
    beside(
        "Capacity that moves", figure, float(np.mean(waits)), theory, "Erlang C", f"95% interval +- {half_width:.2g}"
    )


def test_a_backlog_grows_as_a_fluid_until_new_replicas_open(beside: Beside) -> None:
    # 3 a second come and 1 is served, so that the backlog grows by 2 a second until the cold start is over: the first
    # look is at 10 s, the replicas open at 30 s, with 60 waiting. These stay where they are, and the others take what
    # comes: it falls by 1 a second.
    scaler = QueueTracking(1, 8, 1.0, interval_s=10.0, cold_start_s=20.0, stabilisation_s=1000.0)
    done = run(Deterministic(3.0), [1.0] * 200, autoscaler=scaler)
    arrived, started = (done.requests[name].to_numpy() for name in ("arrived_at_s", "started_at_s"))
    backlog = [(arrived <= at_s).sum() - (started <= at_s).sum() for at_s in (30.0 - 1e-6, 36.0, 44.0)]
    assert backlog == pytest.approx([60, 54, 46], abs=1)
    for after_s, ours, fluid in zip((0, 6, 14), backlog, (60, 54, 46), strict=True):
        figure = f"queries that wait {after_s} s after new replicas have opened, at three times what one serves"
        beside("Capacity that moves", figure, ours, fluid, "fluid limit", "1 query")
    assert max(number for _, number in changes(done, "serving")) == 8


@dataclass(frozen=True)
class Noted(QueueTracking):
    """Notes how many replicas accept or are about to, at every look."""

    seen: list[int] = field(default_factory=list, kw_only=True, compare=False)

    def wanted(self, station: Station, now_s: float) -> int:
        self.seen.append(station.capacity)
        return super().wanted(station, now_s)


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.integers(0, 5), min_size=1, max_size=25),
    last=st.integers(0, 9),
    bounds=st.tuples(st.integers(1, 3), st.integers(0, 3)),
    stabilisation_s=st.sampled_from([0.0, 3.0, 20.0]),
    cold_start_s=st.sampled_from([0.0, 1.5, 7.0]),
    pool=st.none() | st.builds(WarmPool, st.integers(0, 2), st.just(0.5), st.sampled_from([0.0, 0.3, 1.0])),
)
def test_replicas_are_within_bounds_and_the_bill_is_the_integral_of_what_is_there(
    gaps: list[int], last: int, bounds: tuple[int, int], **rules: Any
) -> None:
    pool = rules.pop("pool")
    scaler = Noted(bounds[0], sum(bounds), 1.0, interval_s=2.0, warm_pool=pool, **rules)
    times = np.cumsum([0, *gaps]).astype(float).tolist()
    lasts = [float((7 * n) % 10 + last) for n in range(len(times))]
    done = run(times, lasts, replicas=bounds[0], autoscaler=scaler)
    assert set(scaler.seen) <= set(range(bounds[0], sum(bounds) + 1))
    assert done.summary["served"] == len(times)
    assert done.summary["rent_usd"] == pytest.approx(paid(done))


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("autoscaler has minimum 3 and maximum 2", lambda: QueueTracking(3, 2, 1.0)),
        ("autoscaler.target_waiting_per_replica is 0; it must be positive", lambda: QueueTracking(1, 2, 0)),
        ("autoscaler.target is 1.5; it must be above 0 and at most 1", lambda: UtilisationTracking(1, 2, 1.5)),
        ("autoscaler.of is 'latency'; it must be one of first_token, wait", lambda: SloTracking(1, 2, 1.0, "latency")),
        ("autoscaler.window_s is 0; it must be positive", lambda: SloTracking(1, 2, 1.0, window_s=0)),
        ("autoscaler.stabilisation_s is -1", lambda: TargetTracking(1, 2, 1.0, stabilisation_s=-1)),
        ("warm_pool.price_share is 2; it must be from 0 to 1", lambda: WarmPool(1, price_share=2)),
    ],
)
def test_a_rule_that_cannot_be_is_refused(message: str, make: Any) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_utilisation_needs_slots() -> None:
    endless = Batching(slots=None, iteration_base_s=0.01, iteration_per_sequence_s=0.0, prefill_per_token_s=0.0)
    with pytest.raises(ValueError, match="the autoscaler of 'd' goes by busy slots, and the service has no number of"):
        run([0.0], [1.0], service=endless, autoscaler=UtilisationTracking(1, 2, 0.5))


def test_a_scaler_of_ones_own_says_how_many_are_wanted() -> None:
    @dataclass(frozen=True)
    class AllAtOnce(Scaler):
        def wanted(self, station: Station, now_s: float) -> int:
            return 99

    done = run([0.0, 9.0], [1.0, 1.0], autoscaler=AllAtOnce(1, 5, interval_s=2.0, cold_start_s=1.0))
    assert changes(done, "serving") == [(0.0, 1), (3.0, 5)]
    assert isinstance(done.instance.fleet[0], Deployment)
