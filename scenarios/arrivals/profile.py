"""Draws arrivals whose rate swings by the hour of a day or a week as that of a recorded trace does.

The workload says what the queries are; ``trace=FILE arrivals=profile`` takes their lengths from the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from scenarios.arrivals.rates import LEAST, MOST, in_pieces, unit_points
from scenarios.arrivals.replay import read_times_s
from scenarios.readers.places import files_at
from scenarios.readers.traces.reading import foreign
from scenarios.readers.traces.times import EPOCH_S
from sim.errors import UnreadableError, check_number, check_one_of
from sim.interface import FloatArray

HOUR_S = 3600.0
PERIODS_S = {"day": 24 * HOUR_S, "week": 7 * 24 * HOUR_S}
FIRST_MONDAY_S = 4 * 24 * HOUR_S  # of 1970, which began on a Thursday
OF_TRACE = "trace"


@dataclass(frozen=True)
class Profile:
    """An inhomogeneous Poisson process with the rate of a trace in each hour of a day, or of a week.

    The rate of an hour is the number of requests in it over the time that the trace covers of it, so several days make
    one mean day. The run begins with hour 0: midnight, or that of Monday, as the file writes the time, where it has
    dates; otherwise the beginning of the trace. After the last hour the first comes again. Times are drawn anew in each
    replication; that a day differs from the mean day is left out, and so is whatever rate and lengths have in common.

    Parameters
    ----------
    path : str
        A CSV, JSON-lines or Parquet file with ``arrival_s``, or a file in one of the formats of
        ``scenarios.readers.traces``. It spans a whole period, but for an hour.
    period : str
        ``day`` or ``week``.
    rate_scale : float
        Every rate is multiplied by it; positive.
    gap_cv : float or str
        Standard deviation over mean of the gaps, once the swing of the rate is taken out of them: 1 is Poisson, above
        is burstier (gamma gaps); ``trace`` takes that of the trace.
    columns : mapping of str to str or None
        Our columns, each with its name in the file, as in {arrival_s: t}.

    Raises
    ------
    ValueError
        If the file cannot be read or spans less than a period, or a number or word is not right.
    OSError
        If there is no such file.
    """

    path: str
    period: str = "day"
    rate_scale: float = 1.0
    gap_cv: float | str = 1.0
    columns: Mapping[str, str] | None = None
    rates_per_s: FloatArray = field(init=False, repr=False, compare=False)
    cv: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the file and count its requests by hour, once."""
        check_one_of("arrivals.period", self.period, tuple(PERIODS_S))
        check_number("rate_scale", self.rate_scale, least=LEAST, most=MOST)
        if isinstance(self.gap_cv, str):
            if self.gap_cv != OF_TRACE:
                raise ValueError(f"arrivals.gap_cv is {self.gap_cv!r}; it must be a number, or {OF_TRACE}")
        else:
            check_number("arrivals.gap_cv", self.gap_cv, least=0.001, most=1000.0)
        times_s, period_s = self._times_of_week_s(), PERIODS_S[self.period]
        rates = hourly_rates(times_s, period_s, f"{self.path} for arrivals.period={self.period}")
        cv = self.gap_cv
        if isinstance(cv, str):
            cv = max(gap_cv(times_s, rates, period_s), 0.001)
        rates.setflags(write=False)
        object.__setattr__(self, "rates_per_s", rates)
        object.__setattr__(self, "cv", cv)

    @property
    def files(self) -> tuple[Path, ...]:
        """What the rates were counted in, for the manifest."""
        return files_at(self.path)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        if self.cv == 1:
            units = unit_points(n_queries, rng)
        else:
            units = np.cumsum(rng.gamma(1 / self.cv**2, self.cv**2, n_queries))
        return in_pieces(units, self.rates_per_s * self.rate_scale, np.full(len(self.rates_per_s), HOUR_S), True)

    def _times_of_week_s(self) -> FloatArray:
        """Return the times (n_rows,) from a Monday's midnight on, or as they are where nobody knows the day."""
        times_s = read_times_s(self.path, self.columns)
        trace = foreign(self.path, self.columns)
        if trace is not None and trace.begins is not None:
            begins = pd.Timestamp(trace.begins)
            midnight = begins.normalize()
            return times_s + (begins - midnight).total_seconds() + begins.weekday() * PERIODS_S["day"]
        return (times_s - FIRST_MONDAY_S) % PERIODS_S["week"] if times_s[0] >= EPOCH_S else times_s


def hourly_rates(times_s: FloatArray, period_s: float, what: str) -> FloatArray:
    """Return the rate per second in each hour of a period (n_hours,).

    Parameters
    ----------
    times_s : array (n_rows,)
        In order, from the beginning of some period on.
    period_s : float
        Whole hours.
    what : str
        What the times are of, for the message.

    Raises
    ------
    UnreadableError
        If the times span less than the period but for an hour.

    Examples
    --------
    >>> hourly_rates(np.array([0.0, 1800.0, 7199.0]), 7200.0, "three requests")
    array([0.00055556, 0.00027778])
    """
    n_hours, span_s = round(period_s / HOUR_S), float(times_s[-1] - times_s[0])
    if span_s < period_s - HOUR_S:
        raise UnreadableError(
            f"{what} spans {span_s / HOUR_S:.3g} hours; it must span at least {(period_s - HOUR_S) / HOUR_S:.4g}, as "
            "every hour needs a rate"
        )
    counts = np.bincount((times_s // HOUR_S).astype(np.int64) % n_hours, minlength=n_hours)
    if span_s <= period_s:
        return counts / HOUR_S
    edges_s = np.arange(times_s[0] // HOUR_S, times_s[-1] // HOUR_S + 2) * HOUR_S
    covered_s = np.diff(np.clip(edges_s, times_s[0], times_s[-1]))
    hour = (edges_s[:-1] // HOUR_S).astype(np.int64) % n_hours
    rates: FloatArray = counts / np.bincount(hour, weights=covered_s, minlength=n_hours)
    return rates


def gap_cv(times_s: FloatArray, rates_per_s: FloatArray, period_s: float) -> float:
    """Return the coefficient of variation of the gaps between times, on a clock that runs with the rate.

    On that clock, Lambda(t), an inhomogeneous Poisson process has exponential gaps of mean 1, and so has 1 here.

    Parameters
    ----------
    times_s : array (n_rows,)
    rates_per_s : array (n_hours,)
        Of each hour of the period.
    period_s : float
    """
    reached = np.concatenate([[0.0], np.cumsum(rates_per_s * HOUR_S)])
    periods, within_s = np.divmod(times_s, period_s)
    hour = np.minimum((within_s // HOUR_S).astype(np.int64), len(rates_per_s) - 1)
    units = periods * reached[-1] + reached[hour] + rates_per_s[hour] * (within_s - hour * HOUR_S)
    gaps = np.diff(units)
    return float(gaps.std() / gaps.mean())
