"""When the periods of a calendar begin, and budgets that begin anew with them."""

import itertools
from typing import Any

import pytest

from scenarios.budgets import Amounts
from sim.spending import Calendar
from tests.finance.metered import AT_EIGHT, metered
from tests.scripted import Scripted

HOUR_S = 3600.0


def begins_h(calendar: Calendar, n: int = 3) -> list[float]:
    return [time_s / HOUR_S for time_s in itertools.islice(calendar.begins_s(), n)]


def test_a_day_begins_at_midnight_of_the_time_zone() -> None:
    assert begins_h(Calendar("day", "2024-05-10T20:00+02:00")) == [4, 28, 52]
    assert begins_h(Calendar("day", "2024-05-10T20:00", "Europe/Berlin")) == [4, 28, 52]
    assert begins_h(Calendar("day", "2024-05-10T20:00+02:00", "America/New_York")) == [10, 34, 58]  # 14:00 there


def test_a_first_arrival_at_midnight_has_a_whole_day_before_it() -> None:
    assert begins_h(Calendar("day")) == [24, 48, 72]


def test_a_week_begins_on_monday_and_a_month_on_its_first() -> None:
    friday = "2024-05-10T00:00+02:00"
    assert begins_h(Calendar("week", friday)) == [3 * 24, 10 * 24, 17 * 24]
    assert begins_h(Calendar("month", friday)) == [22 * 24, 52 * 24, 83 * 24]  # 31 days in May, 30 in June
    assert begins_h(Calendar("month", "2024-01-31T12:00"), 2) == [12, 12 + 29 * 24]  # a leap year


def test_a_day_on_which_the_clock_is_changed_has_23_or_25_hours() -> None:
    assert begins_h(Calendar("day", "2024-03-30T00:00", "Europe/Berlin")) == [24, 47, 71]
    assert begins_h(Calendar("day", "2024-10-26T00:00", "Europe/Berlin")) == [24, 49, 73]
    assert begins_h(Calendar("month", "2024-03-01T00:00", "Europe/Berlin"), 1) == [31 * 24 - 1]


def test_a_day_without_midnight_begins_when_the_clock_is_changed() -> None:
    beirut = Calendar("day", "2024-03-30T12:00", "Asia/Beirut")  # from 00:00 to 01:00 on the 31st
    assert begins_h(beirut) == [12, 35, 59]
    assert beirut.at(12 * HOUR_S) == "2024-03-31T01:00:00+03:00"


def test_an_hour_is_whole_by_the_local_clock() -> None:
    assert begins_h(Calendar("hour", "2024-05-10T00:15", "Asia/Kolkata")) == [0.75, 1.75, 2.75]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": "year"}, "window.every is 'year'; it must be one of hour, day, week, month"),
        ({"starts_at": "today"}, "starts_at is 'today'; it must be a date and time such as 2024-05-10T08:30"),
        ({"starts_at": "0001-01-01"}, "starts_at is '0001-01-01'; its year must be from 1900 to 2200"),
        ({"time_zone": "Europe/Berln"}, "unknown time_zone 'Europe/Berln'; did you mean 'Europe/Berlin'"),
        ({"time_zone": "/etc"}, "unknown time_zone '/etc'"),
    ],
)
def test_a_calendar_that_there_is_not_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Calendar(**({"every": "day"} | settings))


def test_budgets_begin_anew_at_midnight_and_policies_see_it() -> None:
    policy = Scripted([0, 0, 0, 0])
    window = Calendar("day", AT_EIGHT)
    midnight_s = 4 * HOUR_S
    times = [0.0, 60.0, midnight_s, midnight_s + 60]
    done = metered(policy, times, {}, budget=Amounts([1.0, 0.0]), window=window)
    assert done.fates == ["served", "exhausted", "served", "exhausted"]
    assert [left for *_, left in policy.states] == [[1, 0], [0, 0], [1, 0], [0, 0]]


def test_what_a_month_leaves_is_added_to_the_next_where_it_rolls_over() -> None:
    day_s = 24 * HOUR_S
    times = [0.0, 22 * day_s, 22 * day_s + 1, 22 * day_s + 2, 22 * day_s + 3]  # the first on 10 May, the others in June
    for rollover, fates in ((False, ["served"] * 3 + ["exhausted"] * 2), (True, ["served"] * 4 + ["exhausted"])):
        window = Calendar("month", "2024-05-10T00:00+02:00", None, rollover)
        assert metered(Scripted([0] * 5), times, {}, budget=Amounts([2.0, 0.0]), window=window).fates == fates


def test_a_query_waits_for_midnight() -> None:
    window = Calendar("day", AT_EIGHT)
    done = metered(Scripted([0, 0]), [0.0, 60.0], {}, budget=Amounts([1.0, 0.0]), window=window, exhausted="wait")
    assert done.fates == ["served", "served"]
    assert done.run.requests["started_at_s"].tolist() == [0.0, 4 * HOUR_S]
