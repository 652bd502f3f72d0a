"""Admission by estimate (``reserve=estimate``): what remains must cover the estimate, and the truth is settled."""

import numpy as np
import pandas as pd
import pytest

from scenarios.arrivals import Deterministic
from scenarios.budgets import Amounts
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from sim.instance import realise
from sim.interface import Decision, Estimates
from sim.scenario import Retry, Scenario, Window
from sim.study.replay import Replay
from sim.workload import Rows, Workload
from sim.world.budgets.ledger import Ledger
from sim.world.record import RequestTable, frame
from sim.world.services.slots import Instant, Slots
from sim.world.world import simulate

INSTANT = OnePerModel(Instant())


def carried_out(
    cost_usd: list[float],
    estimate: list[float],
    budget: float,
    fleet: OnePerModel = INSTANT,
    retry: Retry = Retry(),  # noqa: B008 - a frozen dataclass
    window: Window | None = None,
) -> tuple[pd.DataFrame, RequestTable]:
    """One deployment, a query a second, all sent there, admitted by these estimates."""
    n = len(cost_usd)
    tokens = np.ones((n, 1), dtype=np.int64)
    rows = Rows(np.eye(n, dtype=np.float32), np.full(n, 10), np.ones((n, 1)), np.array(cost_usd)[:, None], tokens)
    scenario = Scenario(
        Workload(("a",), rows, rows),
        fleet,
        Amounts([budget]),
        Deterministic(1.0),
        given,
        reserve="estimate",
        retry=retry,
        window=window,
    )
    instance = realise(scenario, 0, 0)
    known = Estimates(np.ones((n, 1)), np.array(estimate)[:, None])
    table = simulate("all", Replay([Decision(0)] * n), instance, known, np.random.default_rng(0))
    return frame(table, instance), table


def test_a_query_is_admitted_if_what_remains_covers_its_estimate_and_pays_what_it_costs() -> None:
    # 3 USD: the first is estimated at 1 and costs 2, so 1 remains; an estimate of 1.5 is too much and one of 1 is not,
    # whatever they cost in truth; the last finds -1 USD.
    requests, table = carried_out([2.0, 0.1, 2.0, 0.1], [1.0, 1.5, 1.0, 0.1], budget=3.0)
    assert requests["fate"].tolist() == ["served", "exhausted", "served", "exhausted"]
    assert requests["cost_usd"].tolist() == [2.0, 0.0, 2.0, 0.0]
    assert table.overshoot == [1.0]
    assert table.overshoot_share == pytest.approx([1 / 3])


def test_what_is_in_flight_counts_with_its_estimate_and_is_no_overshoot_before_it_costs() -> None:
    ledger = Ledger(np.array([2.0]))
    assert ledger.commit(0, 1.0)
    assert ledger.commit(0, 1.0)
    ledger.settle(0, 1.0, 1.5, 0)
    assert not ledger.commit(0, 0.1)  # 1.5 spent and 1 promised
    ledger.settle(0, 1.0, 0.25, 0)  # 1.75 in all
    assert ledger.overshoot == [0.0]
    assert ledger.commit(0, 0.25)


def test_an_overshoot_shows_even_if_the_query_that_brings_it_cost_what_was_estimated() -> None:
    ledger = Ledger(np.array([2.0]))
    assert ledger.commit(0, 0.5)
    assert ledger.commit(0, 1.5)
    ledger.settle(0, 0.5, 1.0, 0)
    ledger.settle(0, 1.5, 1.5, 0)
    assert ledger.overshoot == [0.5]
    assert ledger.overshoot_share == [0.25]


def test_a_query_that_ends_in_a_later_window_overshoots_its_own() -> None:
    ledger = Ledger(np.array([2.0]))
    assert ledger.commit(0, 1.0)
    ledger.renew(rollover=False)
    ledger.settle(0, 1.0, 3.0, 0)
    assert ledger.overshoot == [1.0]
    assert ledger.remaining.tolist() == [2.0]  # the new window has its own


def test_a_negative_estimate_is_one_of_nothing() -> None:
    requests, _ = carried_out([1.0, 1.0], [-5.0, 1.5], budget=2.0)
    assert requests["fate"].tolist() == ["served", "exhausted"]


def test_a_lost_try_gives_its_estimate_back_to_the_next() -> None:
    # Both need 1 of 1 USD. The first is timed out at 0.5 s and tried again at 1.5 s, when the second, of 1 s, has been
    # timed out as well: each finds the whole budget.
    slow = OnePerModel(Slots(slots=1, time_to_first_token_s=0.8, time_per_output_token_s=0.0), timeout_s=0.5)
    requests, table = carried_out([1.0, 1.0], [1.0, 1.0], 1.0, slow, Retry(attempts=2))
    assert requests["fate"].tolist() == ["timed_out", "timed_out"]  # and neither is exhausted
    assert requests["attempts"].tolist() == [2, 2]
    assert table.overshoot == [0.0]


def test_a_window_admits_by_estimate_too_and_overshoots_its_own_budget() -> None:
    # Windows of 1.5 s have 1 of 2 USD each: two queries arrive in each, and the first two are estimated at 1.
    requests, table = carried_out([2.0, 0.5, 0.5, 0.5], [1.0, 1.0, 1.0, 0.5], 2.0, window=Window(1.5))
    assert requests["fate"].tolist() == ["served", "exhausted", "served", "served"]
    assert table.overshoot == [1.0]
    assert table.overshoot_share == [1.0]
