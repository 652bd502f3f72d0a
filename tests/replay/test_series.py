"""Lists of changes: what a replay counts, on a record that is small enough to count by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from sim.show.replay import series
from sim.show.replay.record import prices_of, sampled
from sim.show.replay.series import changes, of_accounts, of_budget, of_deployments, of_run

FLEET = pd.DataFrame(
    {"deployment": ["a", "b"], "account": ["a", "b"], "unit": ["usd", "tokens"], "budget": [3.0, math.inf]}
)


def record() -> pd.DataFrame:
    """Two queries that a serves one after the other, one that b serves, one declined, one that leaves a's queue."""
    nan = math.nan
    return pd.DataFrame(
        {
            "id": range(5),
            "fate": ["served", "served", "served", "declined", "abandoned"],
            "deployment": ["a", "a", "b", None, "a"],
            "arrived_at_s": [0.0, 1.0, 1.0, 2.0, 3.0],
            "decided_at_s": [0.0, 1.0, 1.0, 2.0, 3.0],
            "offered_at_s": [0.0, 1.0, 1.0, 2.0, 3.0],
            "started_at_s": [0.0, 4.0, 1.0, nan, nan],
            "ended_at_s": [4.0, 6.0, 2.0, 2.0, 5.0],
            "preempted_s": 0.0,
            "quality": [1.0, 0.5, 1.0, 0.0, 0.0],
            "cost_usd": [1.0, 0.5, 0.25, 0.0, 0.0],
            "input_tokens": [10, 10, 10, 10, 10],
            "output_tokens": pd.array([1, 1, 5, None, None], dtype="Int64"),
        }
    )


WHERE = np.array([0, 0, 1, -1, 0])


def test_a_run_counts_arrivals_answers_losses_by_their_fate_quality_and_money() -> None:
    found = of_run(record())
    assert found["t"] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert found["arrived"] == [1, 3, 4, 5, 5, 5, 5]
    assert found["answered"] == [0, 0, 1, 1, 2, 2, 3]
    assert found["lost"] == [0, 0, 1, 1, 1, 2, 2]
    assert found["declined"] == [0, 0, 1, 1, 1, 1, 1]
    assert found["abandoned"] == [0, 0, 0, 0, 0, 1, 1]
    assert found["quality"] == [0, 0, 1, 1, 2, 2, 2.5]
    assert found["cost_usd"][-1] == 1.75


def test_a_deployment_counts_who_waits_is_served_and_was_served() -> None:
    a, b = of_deployments(record(), WHERE, 2)
    assert a["t"] == [0.0, 1.0, 3.0, 4.0, 5.0, 6.0]
    assert a["queue"] == [0, 1, 2, 1, 0, 0]
    assert a["service"] == [1, 1, 1, 1, 1, 0]
    assert a["served"] == [0, 0, 0, 1, 1, 2]
    assert (b["t"], b["service"], b["served"]) == ([1.0, 2.0], [1, 0], [0, 1])


def test_an_account_spends_in_the_unit_of_its_budget_when_answers_are_there() -> None:
    a, b = of_accounts(record(), WHERE, FLEET, ["a", "b"])
    assert a == {"t": [4.0, 6.0], "spent": [1.0, 1.5]}
    assert b == {"t": [2.0], "spent": [15.0]}


@pytest.mark.parametrize(
    ("what", "budget"),
    [
        ("budget times 0.5", [3.0, 2.0]),  # 1 is spent by then, and of the 2 that are left 1 stays
        ("budget + 3", [3.0, 6.0]),
        ("down", [3.0]),
    ],
)
def test_events_cut_what_is_left_of_a_budget_or_add_to_it(what: str, budget: list[float]) -> None:
    events = pd.DataFrame({"deployment": ["a"], "what": [what], "from_s": [5.0], "until_s": [5.0]})
    spent = of_accounts(record(), WHERE, FLEET, ["a", "b"])[0]
    assert of_budget(3.0, spent, events)["budget"] == budget


def test_a_list_that_is_too_long_is_thinned_and_keeps_its_last_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST_CHANGES", 3)
    found = changes(np.arange(100.0), {"n": np.ones(100)})
    assert len(found["t"]) == 3
    assert (found["t"][-1], found["n"][-1]) == (99.0, 100.0)


def test_the_queries_that_are_drawn_are_spread_over_all_of_them() -> None:
    assert sampled(1_000, 5).tolist() == [0, 250, 500, 749, 999]
    assert sampled(4, 5).tolist() == [0, 1, 2, 3]


def test_the_last_of_several_prices_of_one_time_holds_and_unknown_or_unchanged_ones_are_left_out() -> None:
    prices = pd.DataFrame(
        {
            "at_s": [0.0, 1.0, 2.0, 2.0, 1.0],
            "deployment": ["a", "a", "a", "a", "b"],
            "price": [1.0, 1.0, 2.0, 3.0, math.nan],
        }
    )
    assert prices_of(prices, FLEET) == [{"t": [0.0, 2.0], "price": [1.0, 3.0]}, {"t": [], "price": []}]
