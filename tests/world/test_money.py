"""What a run costs: charges by the query, rent of replicas, their sum, and the window that all of it is over."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.budgets import Amounts
from scenarios.fleets import Listed
from sim.deployment import Deployment
from sim.distributions import Constant
from sim.scenario import Scenario
from sim.study.experiment import compare, runs
from sim.study.metrics.load import rent_per_1000_arrivals_usd, rent_usd
from sim.study.metrics.shares import cost_while_arriving_per_1000_usd, total_cost_per_1000_arrivals_usd
from sim.study.oracles import Oracle
from sim.world.services.hosted import Api
from sim.world.services.timed import Timed
from sim.world.stations.autoscaler import TargetTracking
from tests.scripted import At, Scripted
from tests.worlds import MODELS, tiny_rows, tiny_scenario, tiny_workload

METRICS = {
    "rent": rent_usd,
    "rent_per_1000": rent_per_1000_arrivals_usd,
    "total_per_1000": total_cost_per_1000_arrivals_usd,
    "arriving_per_1000": cost_while_arriving_per_1000_usd,
}
SECOND = Timed(1, Constant(1.0))


def scenario(times: list[float], deployment: Deployment) -> Scenario:
    """Queries of 2 USD by the table, 10 input and 100 output tokens, at one deployment."""
    n = len(times)
    rows = replace(tiny_rows([[1.0]] * n, [[2.0]] * n, [[100]] * n), input_tokens=np.full(n, 10))
    return replace(tiny_scenario(tiny_workload(rows)), fleet=Listed([deployment]), arrivals=At(tuple(times)))


def figures(times: list[float], warm_up: Any = None, **settings: Any) -> dict[str, Any]:
    """What a run of all queries at a deployment with these settings costs."""
    deployment = Deployment("d", MODELS[0], **{"service": SECOND, **settings})
    table = compare(scenario(times, deployment), {"p": Scripted([0] * len(times))}, metrics=METRICS, warm_up=warm_up)
    return {str(key): value for key, value in table.iloc[0].to_dict().items()}


def test_the_rent_of_the_kept_arrivals_is_divided_by_the_kept_arrivals() -> None:
    # One query a second for a second each, at 1 USD a second.
    whole = figures([float(n) for n in range(10)], price_per_hour_usd=3600.0)
    half = figures([float(n) for n in range(10)], warm_up="50%", price_per_hour_usd=3600.0)
    assert whole["rent"] == pytest.approx(10.0)
    assert half["rent"] == pytest.approx(5.0)
    assert whole["rent_per_1000"] == half["rent_per_1000"] == pytest.approx(1000.0)
    assert half["rent_usd"] == pytest.approx(10.0)  # headlines are over all arrivals


@pytest.mark.parametrize("first_s", [0.0, 3600.0, 1.7e9])
def test_rent_runs_from_the_first_arrival_to_the_last_end_and_not_until_the_last_timer(first_s: float) -> None:
    found = figures([first_s, first_s + 1], price_per_hour_usd=36.0, timeout_s=1000.0)
    assert found["rent_usd"] == pytest.approx(0.02)


def test_who_is_paid_how() -> None:
    prices = {"price_input_usd_per_million": 1e4, "price_output_usd_per_million": 1e4}  # 1.1 USD a query
    hosted = Api(None, None, 1.0, 0.0, 0.0, 0.0)
    times = [0.0, 1.0]
    paid = {
        "by the table": figures(times),
        "by the hour": figures(times, price_per_hour_usd=3600.0),
        "by the token": figures(times, **prices),
        "by both": figures(times, price_per_hour_usd=3600.0, **prices),
        "hosted": figures(times, price_per_hour_usd=0.0036, service=hosted),
    }
    columns = ["cost_usd", "token_cost_usd", "rent_usd", "total_cost_usd"]
    found = {name: [round(float(row[column]), 6) for column in columns] for name, row in paid.items()}
    assert found == {
        "by the table": [4.0, 4.0, 0.0, 4.0],
        "by the hour": [4.0, 0.0, 2.0, 2.0],  # budgets count the table's prices all the same
        "by the token": [2.2, 2.2, 0.0, 2.2],
        "by both": [2.2, 2.2, 2.0, 4.2],
        "hosted": [4.0, 4.0, 2e-6, 4.000002],
    }
    assert paid["by the hour"]["quality_per_usd"] == pytest.approx(1.0)  # two right answers for 2 USD


def test_a_fleet_that_is_too_small_is_not_charged_for_its_backlog_when_it_is_compared() -> None:
    # Three queries of 100 s each in 2 s, one at a time, at 1 USD a second.
    found = figures([0.0, 1.0, 2.0], price_per_hour_usd=3600.0, service=Timed(1, Constant(100.0)))
    assert found["total_per_1000"] == pytest.approx(1000 * 300 / 3)
    assert found["arriving_per_1000"] == pytest.approx(1000 * 2 / 3)
    at_once = figures([0.0, 0.0], price_per_hour_usd=3600.0)
    assert at_once["arriving_per_1000"] == at_once["total_per_1000"] == pytest.approx(1000.0)


def test_a_metric_may_not_have_the_name_of_a_column_of_every_summary() -> None:
    one = scenario([0.0], Deployment("d", MODELS[0], SECOND))
    with pytest.raises(ValueError, match="a metric is named 'rent_usd', as a column of every summary is"):
        compare(one, {"p": Scripted([0])}, metrics={"rent_usd": rent_usd})


@settings(max_examples=60)
@given(
    gaps=st.lists(st.integers(0, 4), min_size=1, max_size=15),
    cut=st.sampled_from([None, "29%", "50%", 3.0]),
    scales=st.booleans(),
)
def test_what_is_rented_before_and_in_the_window_is_what_is_rented_in_all(
    gaps: list[int], cut: str | float | None, scales: bool
) -> None:
    times = np.cumsum([0, *gaps]).astype(float).tolist()
    scaler = TargetTracking(1, 3, 1.0, interval_s=2.0, cold_start_s=1.0) if scales else None
    rented = Deployment("d", MODELS[0], SECOND, autoscaler=scaler, price_per_hour_usd=3600.0)
    [run] = runs(scenario(times, rented), {"p": Scripted([0] * len(times))}, 0, 1, Oracle(()), METRICS, cut)
    summary = run.summary  # the run has checked rent, parts and whole itself
    assert float(summary["total_cost_usd"]) == pytest.approx(
        float(summary["token_cost_usd"]) + float(summary["rent_usd"])
    )
    if not pd.isna(summary["rent"]):
        assert float(summary["rent"]) <= float(summary["rent_usd"]) * (1 + 1e-9)


def test_a_budget_in_usd_limits_what_queries_take_from_it_and_not_rent() -> None:
    deployment = Deployment("d", MODELS[0], SECOND, price_per_hour_usd=3600.0)
    limited = replace(scenario([0.0, 5.0, 9.0], deployment), budget=Amounts([4.0]))
    row = compare(limited, {"p": Scripted([0, 0, 0])}).iloc[0]
    assert row["served"] == 2
    assert row["cost_usd"] == 4.0
    assert row["rent_usd"] == pytest.approx(9.0)


@pytest.mark.parametrize("name", ["price_per_hour_usd", "energy_j_per_token"])
def test_a_rate_that_no_sum_could_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} of 'd' is 1e.308; it must be at most 1e.12"):
        Deployment("d", MODELS[0], SECOND, **{name: 1e308})  # type: ignore[arg-type]
