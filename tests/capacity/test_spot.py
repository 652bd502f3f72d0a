"""Spot replicas: interruptions against closed forms, notice, retries, replacements and what they save."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.renewing import Retry
from sim.study.experiment import Run
from sim.study.metrics.groups.capacity import interrupted_queries, mean_replicas, spot_interruptions, spot_saved_usd
from sim.world.stations.autoscaler import TargetTracking
from sim.world.stations.spot import Spot
from tests.capacity.worlds import changes, paid, run
from tests.conftest import Beside

METRICS = {
    "interruptions": spot_interruptions,
    "interrupted": interrupted_queries,
    "saved_usd": spot_saved_usd,
    "mean_replicas": mean_replicas,
}
HOUR_S = 3600.0


def spot_run(hours: float, replicas: int, seed: int = 0, **rules: Any) -> Run:
    """Two queries, and so many hours between them, at spot replicas."""
    spot = Spot(**{"notice_s": 0.0, "price_share": 0.5, **rules})
    return run([0.0, hours * HOUR_S], [0.1, 0.1], replicas=replicas, spot=spot, metrics=METRICS, seed=seed)


def test_interruptions_are_a_poisson_process_of_each_replica(beside: Beside) -> None:
    # Replaced at once, 10 replicas with 0.5 an hour have a mean of 5 an hour, 2,000 in 400 hours, +- sqrt(2,000).
    counts = [spot_run(40, 10, seed, interruptions_per_hour=0.5, replacement_s=0.0) for seed in range(10)]
    found = np.array([float(done.summary["interruptions"]) for done in counts])
    assert abs(found.sum() - 2000) < 4 * math.sqrt(2000)
    figure = "interruptions of 10 spot replicas in 10 x 40 h, 0.5 an hour each, replaced at once"
    beside("Capacity that moves", figure, found.sum(), 2000, "a Poisson process", "4 standard errors of 45")
    assert 0.2 < found.var(ddof=1) / found.mean() < 2.6  # chi squared of 9 degrees / 9, from 0.05% to 99.5%


def test_the_available_share_is_up_over_up_and_replacement(beside: Beside) -> None:
    # Up for 1 h on average, then 15 minutes without: 0.8 of the time, and 0.8 interruptions an hour and replica.
    done = spot_run(500, 6, interruptions_per_hour=1.0, replacement_s=900.0)
    assert done.replicas is not None
    assert float(done.summary["interruptions"]) == pytest.approx(0.8 * 6 * 500, rel=0.06)
    mean = float(done.summary["mean_replicas"])
    assert mean == pytest.approx(0.8 * 6, rel=0.02)
    figure = "spot replicas there of 6, up for 1 h on average, replaced after 15 minutes"
    beside("Capacity that moves", figure, mean, 0.8 * 6, "up / (up + replacement)", "2%")


def test_without_interruptions_a_spot_fleet_is_a_cheaper_fixed_fleet() -> None:
    times = [0.3 * n for n in range(40)]
    fixed = run(times, [0.5] * 40, replicas=2)
    spot = run(times, [0.5] * 40, replicas=2, spot=Spot(0.0, price_share=0.25), metrics=METRICS)
    assert spot.requests.equals(fixed.requests)
    rent_usd = float(fixed.summary["rent_usd"])
    assert spot.summary["rent_usd"] == pytest.approx(rent_usd / 4)
    assert spot.summary["saved_usd"] == pytest.approx(rent_usd * 3 / 4)


def first_notice_s(**rules: Any) -> float:
    """When the first replica of seed 0 gets its notice; it does not depend on the queries."""
    return changes(spot_run(100, 1, **rules), "interruptions")[1][0]


def test_what_ends_before_the_notice_is_over_is_served_and_the_rest_is_lost() -> None:
    rules: dict[str, Any] = {"interruptions_per_hour": 1.0, "notice_s": 10.0, "replacement_s": 60.0}
    notice_s = first_notice_s(**rules)
    # One is in service at the notice and needs 5 s more; one waits behind it, begins and is stopped 5 s later; one
    # comes during the notice and finds nobody; one comes when there is another replica.
    times = [0.0, notice_s - 2, notice_s - 1, notice_s + 1, notice_s + 61]
    done = run(times, [0.1, 7.0, 9.0, 1.0, 1.0], spot=Spot(**rules), metrics=METRICS)
    assert done.requests["fate"].tolist() == ["served", "served", "failed", "failed", "served"]
    assert done.requests["ended_at_s"].tolist()[2:4] == pytest.approx([notice_s + 10, notice_s + 1])
    assert done.summary["interrupted"] == 1
    assert done.summary["interruptions"] == 1


def test_what_is_lost_is_tried_again_by_the_rule_of_retries() -> None:
    rules: dict[str, Any] = {"interruptions_per_hour": 1.0, "notice_s": 10.0, "replacement_s": 60.0}
    notice_s = first_notice_s(**rules)
    retry = Retry(attempts=3, backoff_s=20.0, multiplier=2.0)  # lost at 10 s; tried at 30 s, in vain, and at 70 s
    done = run([0.0, notice_s - 1], [0.1, 30.0], spot=Spot(**rules), retry=retry, metrics=METRICS)
    assert done.requests["fate"].tolist() == ["served", "served"]
    assert done.requests["attempts"].tolist() == [1, 3]
    assert done.requests["started_at_s"][1] == pytest.approx(notice_s + 70)
    assert done.summary["interrupted"] == 1


def test_a_replica_is_paid_until_its_notice_is_over_and_another_from_when_it_opens() -> None:
    rules: dict[str, Any] = {"interruptions_per_hour": 1.0, "notice_s": 10.0, "replacement_s": 60.0}
    notice_s = first_notice_s(**rules)
    done = run([0.0, notice_s + 100], [0.1, 1.0], spot=Spot(**rules, price_share=0.5))
    for column, after_s in (("serving", [10, 60]), ("replacing", [0, 60])):
        assert [at_s - notice_s for at_s, _ in changes(done, column)[1:3]] == pytest.approx(after_s)
    assert done.summary["rent_usd"] == pytest.approx(0.5 * (notice_s + 101 - 50))


@settings(max_examples=30, deadline=None)
@given(
    gaps=st.lists(st.integers(0, 40), min_size=1, max_size=20),
    per_hour=st.sampled_from([0.0, 30.0, 300.0]),
    notice_s=st.sampled_from([0.0, 2.0, 15.0]),
    replacement_s=st.sampled_from([0.0, 5.0, 50.0]),
    scales=st.booleans(),
    attempts=st.integers(1, 3),
)
def test_no_query_is_lost_without_a_fate_and_the_bill_is_what_was_there(
    gaps: list[int], per_hour: float, notice_s: float, replacement_s: float, scales: bool, attempts: int
) -> None:
    times = np.cumsum([0, *gaps]).astype(float).tolist()
    scaler = TargetTracking(1, 3, 1.0, interval_s=7.0, cold_start_s=3.0) if scales else None
    spot = Spot(per_hour, notice_s, replacement_s, 0.5)
    retry = Retry(attempts, 3.0, 1.0)
    lasts = [float(1 + (5 * n) % 17) for n in range(len(times))]
    done = run(times, lasts, replicas=2, spot=spot, autoscaler=scaler, retry=retry, metrics=METRICS)
    summary = done.summary
    assert int(summary["served"]) + int(summary["failed"]) == len(times)
    assert summary["rent_usd"] == pytest.approx(0.5 * paid(done))
    assert summary["saved_usd"] == pytest.approx(0.5 * paid(done))
    if per_hour == 0:
        assert summary["served"] == len(times)


@pytest.mark.parametrize(
    ("message", "rules"),
    [
        ("spot.interruptions_per_hour is -1; it must be at least 0", {"interruptions_per_hour": -1}),
        ("spot.notice_s is -2", {"interruptions_per_hour": 1, "notice_s": -2}),
        ("spot.price_share is 0; it must be above 0 and at most 1", {"interruptions_per_hour": 1, "price_share": 0}),
    ],
)
def test_numbers_that_cannot_be_are_refused(message: str, rules: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=message):
        Spot(**rules)


def test_more_interruptions_than_a_run_can_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="the mean time between interruptions of a spot replica of 'd' is"):
        spot_run(1000, 1, interruptions_per_hour=1e6, replacement_s=0.0)
