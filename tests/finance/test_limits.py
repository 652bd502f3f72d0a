"""Limits for providers, tenants and everything: a query pays from all that it falls under."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from scenarios.arrivals.closed import ClosedLoop
from scenarios.budgets import Amounts
from scenarios.shared_budgets import Shared
from sim.instance import realise
from sim.interface import Answer, Decision, Keep, Policy, Query, State
from sim.spending import Limit, Spending
from sim.study.experiment import runs
from sim.study.fleet import unbounded
from sim.study.oracles import OPTIMUM, Oracle
from sim.study.record.limit_checks import check_limits
from sim.world.services.slots import Slots
from tests.finance.metered import AT_EIGHT, metered, realised, scenario
from tests.scripted import Scripted

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def seconds(n: int) -> list[float]:
    return [float(k) for k in range(n)]


# --- what a limit is of -----------------------------------------------------------------------------------------------


def test_a_query_pays_from_its_deployment_its_tenant_and_the_total() -> None:
    # a has 3 USD of its own, tenant x 2 USD, and all together 4 USD; every query costs 1 USD at a and 2 USD at b.
    tenants = ["x", "x", "x", "y", "y", "y"]
    limits = {"x": 2.0, "total": 4.0}
    done = metered(Scripted([0, 0, 0, 0, 0, 0]), seconds(6), limits, sources=tenants, budget=Amounts([3.0, 9.0]))
    assert done.fates == ["served", "served", "exhausted", "served", "exhausted", "exhausted"]  # x, then a
    assert (done.of("x", "spent"), done.of("x", "refused")) == ([2.0], [1])
    assert (done.of("total", "spent"), done.of("total", "refused")) == ([3.0], [0])
    done = metered(Scripted([0, 0, 0, 0, 1, 0]), seconds(6), limits, sources=tenants, budget=Amounts([3.0, 9.0]))
    assert done.fates[4] == "exhausted"  # b has 9 USD, and of the total 1 is left
    assert done.of("total", "refused") == [1]


def test_a_query_that_one_limit_refuses_takes_nothing_from_the_others() -> None:
    done = metered(Scripted([1, 0, 0]), seconds(3), {"b": 1.0, "total": 2.0})
    assert done.fates == ["exhausted", "served", "served"]


def test_a_limit_names_deployments_models_accounts_or_sources() -> None:
    budget = Shared({"both": 100.0}, {"a": "both", "b": "both"})
    for of, spent in (
        ("a", 2.0),
        (["a", "b"], 6.0),
        ("both", 6.0),
        ("x", 3.0),
        (["x", "y"], 6.0),
        (["b", "y"], 2.0),  # what comes from y and goes to b
        ("total", 6.0),
    ):
        limits = {"limit": {"amount": 100, "of": of}}
        done = metered(Scripted([0, 1, 0, 1]), seconds(4), limits, sources=["x", "x", "y", "y"], budget=budget)
        assert done.of("limit", "spent") == [spent], of


def test_a_name_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"unknown deployment, account or source of spending.limits.c 'c'; known: a, b"
    ):
        realised([0.0], {"c": 1.0})
    with pytest.raises(ValueError, match=r"of spending.limits.acme 'acne'; did you mean 'acme'"):
        realised([0.0], {"acme": {"amount": 1, "of": "acne"}}, sources=["acme"])


# --- what a limit does ------------------------------------------------------------------------------------------------


def test_a_soft_limit_counts_what_goes_beyond_it_and_admits() -> None:
    done = metered(Scripted([0] * 4), seconds(4), {"total": "2 USD soft"})
    assert done.fates == ["served"] * 4
    assert (done.of("total", "admitted"), done.of("total", "beyond"), done.of("total", "refused")) == ([4], [2], [0])
    assert done.of("total", "share") == [2.0]


def test_alerts_come_when_so_much_has_been_paid_once_a_period() -> None:
    tomorrow_s = 4 * HOUR_S
    times = [*seconds(5), tomorrow_s]
    spending = {"starts_at": AT_EIGHT}
    done = metered(Scripted([0] * 6), times, {"total": "5 USD a day"}, service=Slots(9, 0.0, 0.01), spending=spending)
    assert done.alerts[["period", "at_s", "alert_at", "spent", "share"]].to_numpy().tolist() == [
        [0, 4.0, 0.8, 4.0, 0.8],
        [0, 5.0, 1.0, 5.0, 1.0],
    ]
    assert done.alerts["at"].tolist() == ["2024-05-10T20:00:04+02:00", "2024-05-10T20:00:05+02:00"]


def test_one_query_may_pass_several_shares_at_once() -> None:
    done = metered(Scripted([1]), [0.0], {"total": "1 USD soft"}, spending={"alert_at": [0.5, 1.5, 0.5, 3.0]})
    assert done.alerts["alert_at"].tolist() == [0.5, 1.5]


def test_what_is_left_of_a_day_is_added_to_the_next_where_it_rolls_over() -> None:
    times = [0.0, DAY_S, DAY_S + 1, DAY_S + 2, DAY_S + 3]
    for words, fates in (("2 USD a day", ["served"] * 3), ("2 USD a day rollover", ["served"] * 4)):
        done = metered(Scripted([0] * 5), times, {"total": words})
        assert done.fates == fates + ["exhausted"] * (5 - len(fates))
    assert done.of("total", "amount") == [2.0, 3.0]


def test_limits_of_different_periods_are_renewed_by_their_own_calendar() -> None:
    times = [0.0, DAY_S, 2 * DAY_S, 31 * DAY_S]  # 1, 2, 3 January and 1 February
    done = metered(Scripted([0] * 4), times, {"total": "2 USD a month", "a": "1 USD a day"})
    assert done.fates == ["served", "served", "exhausted", "served"]
    assert (len(done.of("total", "period")), len(done.of("a", "period"))) == (2, 32)


def test_a_limit_of_infinity_counts_only() -> None:
    done = metered(Scripted([0, 1]), seconds(2), {"total": "inf USD a day"})
    assert (done.of("total", "spent"), done.of("total", "share"), len(done.alerts)) == ([3.0], [0.0], 0)


def test_a_limit_of_nothing_refuses_all_that_costs_something() -> None:
    assert metered(Scripted([0, 0]), seconds(2), {"total": 0}).fates == ["exhausted", "exhausted"]
    assert metered(Scripted([0, 0]), seconds(2), {"total": 0}, cost_usd=[0.0, 0.0]).fates == ["served", "served"]


def test_a_budget_in_tokens_has_limits_in_money_beside_it() -> None:
    done = metered(Scripted([0, 0, 0]), seconds(3), {"total": 2.0}, budget=Amounts([1000.0, 1000.0], "tokens"))
    assert done.fates == ["served", "served", "exhausted"]


# --- with other abilities ---------------------------------------------------------------------------------------------


class Twice(Policy):
    """Asks b after a, and keeps what came last."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        if len(answers) == 1:
            return Decision(1)
        return Keep(max(place for place, answer in enumerate(answers) if answer.came))


def test_every_call_of_a_query_pays() -> None:
    done = metered(Twice(), seconds(2), {"total": 4.0, "b": 3.0})
    assert done.run.requests["cost_usd"].tolist() == [3.0, 1.0]  # of the second query, b is refused
    assert done.of("total", "spent") == [4.0]


def test_in_a_closed_loop_users_wait_for_a_limit() -> None:
    loop = scenario([0.0] * 3, {"total": "1 USD an hour"}, exhausted="wait")
    loop = replace(loop, arrivals=ClosedLoop(users=1, mean_think_s=0.0))
    (run,) = runs(loop, {"scripted": Scripted([0] * 3)}, 0, 1, Oracle(()), {})
    assert run.requests["started_at_s"].tolist() == [0.0, HOUR_S, 2 * HOUR_S]


def test_hard_limits_leave_no_optimum_and_soft_ones_change_none() -> None:
    for limit, reason in ((1.0, "limits stand beside the budgets"), ("1 soft", None)):
        world = scenario(seconds(3), {"total": limit}, budget=Amounts([2.0, 2.0]))
        found = unbounded(world)
        assert (found is None) == (reason is None)
        assert found is None or found.startswith(str(reason))
        last = list(runs(world, {"scripted": Scripted([0] * 3)}, 0, 1, Oracle((OPTIMUM,)), {}))[-1]
        ratio = float(last.summary["optimum_ratio"])
        assert math.isnan(ratio) == (reason is not None)


def test_policies_see_nothing_of_a_limit_but_refusals() -> None:
    policy = Scripted([0, 0, 0])
    metered(policy, seconds(3), {"total": 2.0})
    assert [left for *_, left in policy.states] == [[float("inf")] * 2] * 3
    assert realise(scenario([0.0], {"total": 2.0}), 0, 0).setting.budgets.tolist() == [float("inf")] * 2


# --- words and errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ("100 USD a day", Limit(100, "day", ("x",))),
        ("100 USD per day", Limit(100, "day", ("x",))),
        ("100", Limit(100, None, ("x",))),
        (100, Limit(100, None, ("x",))),
        ("1_000 a month", Limit(1000, "month", ("x",))),
        ("5 USD for gpt-4 and gpt-3.5, acme", Limit(5, None, ("gpt-4", "gpt-3.5", "acme"))),
        ("5 USD an hour for a soft rollover", Limit(5, "hour", ("a",), True, True)),
        ("5 a week hard", Limit(5, "week", ("x",))),
        ({"amount": 5, "every": "week", "of": "a", "soft": True}, Limit(5, "week", ("a",), True)),
    ],
)
def test_a_limit_is_read_as_it_is_said(given: Any, limit: Limit) -> None:
    assert Spending({"x": given}).read() == {"x": limit}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a lot", "spending.limits.x is 'a lot'; it must be such as '100 USD a day'"),
        ("100 USD a year", "spending.limits.x is '100 USD a year'; it must be such as"),
        ("100 EUR a day", "spending.limits.x is in EUR and spending.currency is USD: nothing is converted"),
        ("-1 USD", "spending.limits.x is -1.0; the amount must be at least 0, inf to count only"),
        ("nan", "spending.limits.x is nan; the amount must be at least 0"),
        (True, "spending.limits.x is True; the amount must be at least 0"),
        ({"amount": "1"}, "spending.limits.x is 1; the amount must be at least 0"),
        ({"every": "day"}, "spending.limits.x has no amount; give one, such as"),
        ({"amount": 1, "evry": "day"}, "unknown key 'spending.limits.x.evry'; did you mean 'spending.limits.x.every'"),
        ({"amount": 1, "every": "year"}, "spending.limits.x.every is 'year'; it must be one of hour, day, week, month"),
        ({"amount": 1, "soft": "no"}, "spending.limits.x.soft is 'no'; it must be true or false"),
        ("5 rollover", "spending.limits.x rolls over and has no period; add one, such as a month"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Spending({"x": given})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alert_at": [0.8, 0]}, "an entry of spending.alert_at is 0; it must be positive"),
        ({"currency": "5 EUR"}, "spending.currency is '5 EUR'; it must be one short word, such as USD or EUR"),
        ({"time_zone": "Berlin"}, "unknown time_zone 'Berlin'; did you mean 'Europe/Berlin'"),
        ({"starts_at": "now"}, "starts_at is 'now'; it must be a date and time"),
    ],
)
def test_settings_of_spending_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Spending({}, **settings)


# --- the check of every run -------------------------------------------------------------------------------------------


def test_a_table_of_limits_that_cannot_be_is_found() -> None:
    done = metered(Scripted([0, 0, 0]), [0.0, 1.0, DAY_S], {"total": "2 USD a day"})
    requests, (limits, _), instance = done.run.requests, done.run.limits or (pd.DataFrame(),) * 2, done.run.instance
    check_limits(requests, None, limits, instance)
    with pytest.raises(RuntimeError, match=r"'total' spent 4.0, and its queries cost 3.0"):
        check_limits(requests, None, limits.assign(spent=[2.0, 2.0]), instance)
    with pytest.raises(RuntimeError, match=r"'total' spent 2.0 of 1.0 in period 0"):
        check_limits(requests, None, limits.assign(amount=[1.0, 1.0]), instance)
