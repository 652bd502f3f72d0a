"""Holds what became of limits in a run: their periods, and the alerts. It knows no query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from sim.spending.limits import Limit, Spending

LIMIT_COLUMNS = {
    "limit": "str",
    "of": "str",
    "every": "str",
    "soft": "bool",
    "currency": "str",
    "period": "int64",
    "begins_at_s": "float64",
    "begins_at": "str",
    "amount": "float64",
    "spent": "float64",
    "share": "float64",
    "admitted": "int64",
    "beyond": "int64",
    "refused": "int64",
}
ALERT_COLUMNS = {
    "limit": "str",
    "period": "int64",
    "at_s": "float64",
    "at": "str",
    "alert_at": "float64",
    "spent": "float64",
    "share": "float64",
}


class Period:
    """One period of a limit, while it goes on and after.

    Attributes
    ----------
    name : str
        Of the limit.
    number : int
        From 0.
    begins_at_s, budget : float
    committed, spent : float
        What calls that were admitted in it cost or will cost, and what of that has been paid.
    admitted, beyond, refused : int
        Calls that it took on, of these those that took a soft limit beyond its amount, and those that it refused.
    n_alerts : int
        How many shares have been passed.
    """

    __slots__ = (
        *("name", "number", "begins_at_s", "budget", "committed", "spent"),
        *("admitted", "beyond", "refused", "n_alerts"),
    )

    def __init__(self, name: str, number: int, begins_at_s: float, budget: float) -> None:
        self.name, self.number, self.begins_at_s, self.budget = name, number, begins_at_s, budget
        self.committed = self.spent = 0.0
        self.admitted = self.beyond = self.refused = self.n_alerts = 0


class Alert(NamedTuple):
    """That so much of a limit has been paid: when it passed which share, and what had been spent then."""

    period: Period
    at_s: float
    alert_at: float
    spent: float


@dataclass
class LimitTable:
    """All periods of the limits of one run, and all alerts, each in order of time."""

    periods: list[Period]
    alerts: list[Alert]


def limit_frames(table: LimitTable, spending: Spending) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the periods with ``LIMIT_COLUMNS`` and the alerts with ``ALERT_COLUMNS``."""
    limits, clock = spending.read(), spending.calendar("day")

    def of(period: Period) -> Limit:
        return limits[period.name]

    periods = [
        (
            *(period.name, ", ".join(of(period).of), of(period).every or "run", of(period).soft, spending.currency),
            *(period.number, period.begins_at_s, clock.at(period.begins_at_s), period.budget, period.spent),
            *(share(period.spent, period.budget), period.admitted, period.beyond, period.refused),
        )
        for period in table.periods
    ]
    alerts = [
        (
            *(alert.period.name, alert.period.number, alert.at_s, clock.at(alert.at_s)),
            *(alert.alert_at, alert.spent, share(alert.spent, alert.period.budget)),
        )
        for alert in table.alerts
    ]
    return (
        pd.DataFrame(periods, columns=list(LIMIT_COLUMNS)).astype(LIMIT_COLUMNS),
        pd.DataFrame(alerts, columns=list(ALERT_COLUMNS)).astype(ALERT_COLUMNS),
    )


def share(spent: float, budget: float) -> float:
    """Return what was spent as a share of a budget; of a budget of 0 infinity once anything was."""
    if budget > 0:
        return spent / budget
    return float("inf") if spent > 0 else 0.0
