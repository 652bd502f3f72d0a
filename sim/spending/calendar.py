"""Says when the hours, days, weeks and months of a calendar begin, in seconds from the first arrival.

It knows no budget and no clock.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from sim.errors import check_one_of, unknown

PERIODS = ("hour", "day", "week", "month")
FIRST = "2024-01-01T00:00"  # a Monday, and the first of a month
MOST_YEAR = 9000  # Python's dates end soon after


@dataclass(frozen=True)
class Calendar:
    """Budgets that begin anew with every hour, day, week (on Monday) or month of a calendar, and are for each of them.

    Parameters
    ----------
    every : str
        ``hour``, ``day``, ``week`` or ``month``.
    starts_at : str
        Date and time of the first arrival in ISO 8601, such as ``2024-05-10T08:30+02:00``; without an offset it is
        local time in the time zone. The first period ends with the hour, day, week or month that this lies in.
    time_zone : str or None
        By whose midnight days begin, such as ``Europe/Berlin``, with its summer time; None: the offset of
        ``starts_at``, or UTC if it has none.
    rollover : bool
        Whether what is left is added to the next period.
    """

    every: str
    starts_at: str = FIRST
    time_zone: str | None = None
    rollover: bool = False
    spread: ClassVar[bool] = False  # each period has the whole budget

    def __post_init__(self) -> None:
        """Check the words."""
        check_one_of("window.every", self.every, PERIODS)
        begin(self.starts_at, self.time_zone)

    def begins_s(self) -> Iterator[float]:
        """Yield when each period after the first begins, in seconds from the first arrival, without end.

        A day is as long as it is: 23 hours when summer time begins, 25 when it ends.
        """
        first = begin(self.starts_at, self.time_zone)
        start = first.astimezone(dt.UTC)
        if self.every == "hour":
            past = dt.timedelta(minutes=first.minute, seconds=first.second, microseconds=first.microsecond)
            hours = 1
            while start.year + hours / 8766 < MOST_YEAR:
                yield (dt.timedelta(hours=hours) - past).total_seconds()
                hours += 1
            return
        day = first.date()
        if self.every == "week":
            day -= dt.timedelta(days=day.weekday())
        elif self.every == "month":
            day = day.replace(day=1)
        while day.year < MOST_YEAR:
            day = following(day, self.every)
            midnight = dt.datetime.combine(day, dt.time(), first.tzinfo).astimezone(dt.UTC)
            yield (midnight - start).total_seconds()

    def at(self, time_s: float) -> str:
        """Return the date and time of a moment of the run, to the second, with its offset; no text if it has none."""
        first = begin(self.starts_at, self.time_zone)
        try:
            then = first.astimezone(dt.UTC) + dt.timedelta(seconds=time_s)
        except OverflowError:
            return ""
        return then.astimezone(first.tzinfo).isoformat(timespec="seconds")

    @property
    def words(self) -> str:
        """The three settings that say when periods begin, as ``of_words`` reads them."""
        return " ".join([self.every, self.starts_at, self.time_zone or ""]).strip()

    @classmethod
    def of_words(cls, words: str) -> Self:
        """Return the calendar that ``words`` describes, without roll-over.

        >>> Calendar.of_words("month 2024-05-10T08:30 Europe/Berlin").time_zone
        'Europe/Berlin'
        """
        every, starts_at, *time_zone = words.split()
        return cls(every, starts_at, time_zone[0] if time_zone else None)


def following(day: dt.date, every: str) -> dt.date:
    """Return the first day of the next day, week or month.

    >>> following(dt.date(2024, 12, 1), "month")
    datetime.date(2025, 1, 1)
    """
    if every == "month":
        return (day + dt.timedelta(days=31)).replace(day=1)
    return day + dt.timedelta(days=7 if every == "week" else 1)


def begin(starts_at: str, time_zone: str | None) -> dt.datetime:
    """Return the time of the first arrival, in the time zone; raise ValueError if either is none."""
    zone: dt.tzinfo | None = None
    if time_zone is not None:
        try:
            zone = zoneinfo.ZoneInfo(time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(unknown("time_zone", time_zone, sorted(zoneinfo.available_timezones()))) from None
    try:
        first = dt.datetime.fromisoformat(starts_at)
    except ValueError:
        raise ValueError(
            f"starts_at is {starts_at!r}; it must be a date and time such as 2024-05-10T08:30+02:00"
        ) from None
    if not 1900 <= first.year <= 2200:
        raise ValueError(f"starts_at is {starts_at!r}; its year must be from 1900 to 2200")
    if first.tzinfo is None:
        return first.replace(tzinfo=zone or dt.UTC)
    return first if zone is None else first.astimezone(zone)
