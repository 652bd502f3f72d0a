"""What a gateway's limit means under concurrency: what is in flight is reserved, exactly at the limit, at the reset."""

import pytest

from scenarios.budgets import Amounts
from scenarios.events import Outage, PriceChange
from sim.deployment import Deployment
from sim.interface import Decision
from sim.scenario import Retry
from sim.world.services.slots import Slots
from tests.conftest import Beside
from tests.finance.metered import AT_EIGHT, metered
from tests.scripted import Scripted

SECOND = Slots(9, 0.0, 0.01)  # each query takes 1 s
HOUR_S = 3600.0
MIDNIGHT_S = 4 * HOUR_S  # in the worlds that begin at eight
DAILY = {"starts_at": AT_EIGHT}


def test_what_is_in_flight_is_reserved(beside: Beside) -> None:
    # 2 USD: two queries are under way and nothing is paid when the third comes; the fourth comes when they are paid.
    done = metered(Scripted([0] * 4), [0.0, 0.25, 0.5, 3.0], {"total": 2.0}, service=SECOND)
    assert done.fates == ["served", "served", "exhausted", "exhausted"]
    assert done.of("total", "refused") == [2]
    beside(
        "Money",
        "queries admitted by 2 USD at 1 USD each, paid when served",
        done.of("total", "admitted")[0],
        2,
        "by hand",
        "exactly",
    )


def test_a_query_that_spends_a_limit_to_the_last_cent_is_admitted(beside: Beside) -> None:
    # In binary fractions three times 0.1 is more than 0.3.
    done = metered(Scripted([0] * 4), [0.0, 1.0, 2.0, 3.0], {"total": 0.3}, cost_usd=[0.1, 0.1])
    assert done.fates == ["served", "served", "served", "exhausted"]
    assert done.alerts["alert_at"].tolist() == [0.8, 1.0]
    beside("Money", "USD spent of 0.30 at 0.10 each", done.of("total", "spent")[0], 0.3, "by hand", "1e-9 of it")


def test_at_midnight_a_limit_begins_anew_before_the_queries_of_that_time_arrive(beside: Beside) -> None:
    times = [0.0, MIDNIGHT_S - 1, MIDNIGHT_S, MIDNIGHT_S, MIDNIGHT_S + 1]
    done = metered(Scripted([0] * 5), times, {"total": "2 USD a day"}, spending=DAILY)
    assert done.fates == ["served", "served", "served", "served", "exhausted"]
    assert done.of("total", "begins_at") == ["2024-05-10T20:00:00+02:00", "2024-05-11T00:00:00+02:00"]
    assert (done.of("total", "spent"), done.of("total", "share")) == ([2.0, 2.0], [1.0, 1.0])
    beside("Money", "USD spent after midnight of 2 USD a day", done.of("total", "spent")[1], 2, "by hand", "exactly")


def test_a_query_in_flight_at_midnight_is_paid_by_the_day_that_admitted_it() -> None:
    times = [MIDNIGHT_S - 0.5, MIDNIGHT_S, MIDNIGHT_S + 2]
    times = [0.0, *times]
    done = metered(Scripted([0] * 4), times, {"total": "2 USD a day"}, service=SECOND, spending=DAILY)
    assert done.fates == ["served"] * 4
    assert done.of("total", "spent") == [2.0, 2.0]
    assert done.alerts["period"].tolist() == [0, 0, 1, 1]
    assert done.alerts["at_s"].tolist()[:2] == [MIDNIGHT_S + 0.5] * 2  # when it was paid


def test_a_query_that_is_lost_gives_back_what_was_reserved_for_it() -> None:
    times = [0.0, 2.0]
    done = metered(Scripted([0, 0]), times, {"total": 1.0}, service=SECOND, events=[Outage(0.5, 1.0)])
    assert done.fates == ["failed", "served"]
    assert (done.of("total", "spent"), done.of("total", "admitted")) == ([1.0], [2])


def test_a_query_that_finds_no_room_reserves_nothing() -> None:
    full = [Deployment("a", "a", Slots(1, 0.0, 0.01), queue_capacity=0), Deployment("b", "b", SECOND)]
    done = metered(Scripted([0, 0, 0]), [0.0, 0.5, 1.5], {"total": 2.0}, deployments=full)
    assert done.fates == ["served", "rejected", "served"]


def test_a_retry_is_paid_in_the_period_in_which_it_is_admitted() -> None:
    down = [Outage(MIDNIGHT_S - 0.5, 1.0)]
    times = [0.0, MIDNIGHT_S - 1.0]
    done = metered(
        Scripted([0, 0]),
        times,
        {"total": "2 USD a day"},
        service=SECOND,
        spending=DAILY,
        events=down,
        retry=Retry(2, 60.0),
    )
    assert done.fates == ["served", "served"]
    assert done.of("total", "spent") == [1.0, 1.0]


def test_estimates_are_reserved_and_what_is_paid_may_exceed_the_limit() -> None:
    # 2 USD: each is estimated at 1 and costs 1.5, so that two are admitted at once, and pay 3.
    done = metered(
        Scripted([0] * 3),
        [0.0, 0.25, 3.0],
        {"total": 2.0},
        service=SECOND,
        cost_usd=[1.5, 1.5],
        estimated_usd=[1.0, 1.0],
        reserve="estimate",
    )
    assert done.fates == ["served", "served", "exhausted"]
    assert done.of("total", "share") == [1.5]


def test_a_limit_pays_the_price_of_the_moment() -> None:
    done = metered(Scripted([0] * 3), [0.0, 2.0, 3.0], {"total": 4.0}, events=[PriceChange(1.0, 3.0)])
    assert done.fates == ["served", "served", "exhausted"]
    assert done.of("total", "spent") == [4.0]


def test_a_refused_query_falls_back_to_a_deployment_that_the_limit_is_not_for() -> None:
    done = metered(Scripted([Decision(1, (0,))] * 2), [0.0, 1.0], {"b": "2 USD"})
    assert done.served_by == ["b", "a"]
    lost = metered(Scripted([Decision(1, (0,))] * 2), [0.0, 1.0], {"b": "2 USD"}, exhausted="lost")
    assert lost.fates == ["served", "exhausted"]


def test_a_query_waits_for_the_next_day_of_a_limit_but_not_for_a_limit_that_has_no_next_day() -> None:
    daily = {"total": "1 USD a day"}
    done = metered(Scripted([0] * 3), [0.0, 1.0, 2.0], daily, spending=DAILY, exhausted="wait")
    assert done.run.requests["started_at_s"].tolist() == [0.0, MIDNIGHT_S, MIDNIGHT_S + 24 * HOUR_S]
    done = metered(Scripted([0] * 3), [0.0, 1.0, 2.0], daily | {"a": 2.0}, spending=DAILY, exhausted="wait")
    assert done.fates == ["served", "served", "exhausted"]  # once 2 USD are spent, at midnight


def test_a_query_whose_deployment_has_nothing_left_does_not_wait_for_a_limit() -> None:
    daily = {"total": "1 USD a day"}
    done = metered(
        Scripted([0] * 3), [0.0, 1.0, 2.0], daily, spending=DAILY, exhausted="wait", budget=Amounts([1.0, 0.0])
    )
    assert done.fates == ["served", "exhausted", "exhausted"]


def test_a_query_that_no_whole_day_pays_for_does_not_wait() -> None:
    done = metered(Scripted([1]), [0.0], {"total": "1 USD a day"}, spending=DAILY, exhausted="wait")
    assert done.fates == ["exhausted"]


def test_waiting_needs_a_limit_that_begins_anew() -> None:
    with pytest.raises(ValueError, match=r"exhausted=wait needs budgets that renew themselves"):
        metered(Scripted([0]), [0.0], {"total": 1.0}, exhausted="wait")
