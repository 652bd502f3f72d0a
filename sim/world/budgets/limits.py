"""Keeps the limits that stand beside the budgets of deployments, such as one for a tenant or for everything.

A call is admitted if every hard limit that it falls under can pay for it, with what is promised to calls in flight; it
then counts towards all of them, in the periods in which it was admitted. Policies see limits by refusals only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from heapq import merge
from itertools import groupby
from typing import Protocol

import simpy

from sim.instance import Instance
from sim.interface import TOLERANCE, Query
from sim.spending.calendar import Calendar
from sim.spending.limits import Limit
from sim.spending.scope import Scope
from sim.world.budgets.ledger import limit as most
from sim.world.moment import WINDOWS, Moment
from sim.world.record.limits import Alert, LimitTable, Period
from sim.world.services.job import Job


class Payer(Protocol):
    """What pays for calls besides the ledger: the purses of tasks, and limits."""

    def open(self, job: Job, cost_usd: float) -> bool:
        """Commit what a call costs, if it can be paid for; return whether."""
        ...

    def close(self, job: Job, committed_for_usd: float, cost_usd: float) -> None:
        """Put what a call has cost in the place of what was committed; 0 for one that was lost or refused."""
        ...

    def pays(self, query: Query, deployment: int, committed: float, cost_usd: float) -> bool:
        """Return whether a call can be paid for, now or once budgets are renewed."""
        ...


class All:
    """Several payers, of which every one has to pay."""

    def __init__(self, payers: Sequence[Payer]) -> None:
        self._payers = payers

    def open(self, job: Job, cost_usd: float) -> bool:
        """Commit at all of them or at none."""
        for number, payer in enumerate(self._payers):
            if not payer.open(job, cost_usd):
                for opened in self._payers[:number]:
                    opened.close(job, cost_usd, 0.0)
                return False
        return True

    def close(self, job: Job, committed_for_usd: float, cost_usd: float) -> None:
        """Close it at all of them."""
        for payer in self._payers:
            payer.close(job, committed_for_usd, cost_usd)

    def pays(self, query: Query, deployment: int, committed: float, cost_usd: float) -> bool:
        """Return whether all of them pay, now or later."""
        return all(payer.pays(query, deployment, committed, cost_usd) for payer in self._payers)


class Purse:
    """One limit: its present period, and whom it is for."""

    def __init__(self, name: str, limit: Limit, scope: Scope, tags_of: Callable[[int], Sequence[str]]) -> None:
        self.name, self.limit = name, limit
        self._scope, self._tags_of = scope, tags_of
        self.period = Period(name, 0, 0.0, limit.amount)

    def covers(self, row: int, deployment: int) -> bool:
        """Return whether a query of a test row falls under it at a deployment."""
        if deployment not in self._scope.deployments:
            return False
        return not self._scope.tags or not self._scope.tags.isdisjoint(self._tags_of(row))

    def renew(self, now_s: float) -> None:
        """Begin the next period, with what was left of this one or without."""
        ended, amount = self.period, self.limit.amount
        left = ended.budget - ended.committed if self.limit.rollover and amount < math.inf else 0.0
        self.period = Period(self.name, ended.number + 1, now_s, amount + max(0.0, left))


class Limits:
    """All limits of one run.

    Parameters
    ----------
    instance : Instance
    env : simpy.Environment
    rows : sequence of int
        The test row of each query, or call, by its number.

    Attributes
    ----------
    table : LimitTable
    """

    def __init__(self, instance: Instance, env: simpy.Environment, rows: Sequence[int]) -> None:
        spending = instance.scenario.spending
        self._env = env
        self._rows = rows
        self._alert_at = sorted(set(spending.alert_at))
        self._calendar: Callable[[str], Calendar] = spending.calendar
        self._is_charged_usd = [info.unit == "usd" for info in instance.setting.fleet]
        labels = instance.tags

        def tags_of(row: int) -> Sequence[str]:
            return [str(label[row]) for label in labels]

        limits = spending.read()
        self._purses = [Purse(name, limits[name], scope, tags_of) for name, scope in instance.scopes.items()]
        self._open: dict[int, tuple[float, list[Period]]] = {}  # what is committed for each call in flight, and where
        self.table = LimitTable([purse.period for purse in self._purses], [])

    def open(self, job: Job, cost_usd: float) -> bool:
        """Commit what a call costs at every limit that it falls under, if all hard ones can pay; return whether."""
        number, amount = job.query.id, self._amount_usd(job.deployment, job.committed, cost_usd)
        purses = self._of(number, job.deployment)
        short = [purse for purse in purses if not can_pay(purse.period, amount)]
        refusing = [purse for purse in short if not purse.limit.soft]
        for purse in refusing:
            purse.period.refused += 1
        if refusing:
            return False
        for purse in short:
            purse.period.beyond += 1
        for purse in purses:
            purse.period.committed += amount
            purse.period.admitted += 1
        self._open[number] = amount, [purse.period for purse in purses]
        return True

    def close(self, job: Job, committed_for_usd: float, cost_usd: float) -> None:
        """Settle a call in the periods that admitted it; at no cost if it was lost."""
        amount, periods = self._open.pop(job.query.id)
        for period in periods:
            period.committed += cost_usd - amount
            if cost_usd > 0:
                period.spent += cost_usd
                self._note_alerts(period)

    def pays(self, query: Query, deployment: int, committed: float, cost_usd: float) -> bool:
        """Return whether every hard limit can pay for a call now, or a whole new period of it could."""
        amount = self._amount_usd(deployment, committed, cost_usd)
        return all(
            can_pay(purse.period, amount) or (purse.limit.every is not None and amount <= most(purse.limit.amount))
            for purse in self._of(query.id, deployment)
            if not purse.limit.soft
        )

    def renewals(self, renewed: Callable[[], None]) -> Generator[simpy.Event, None, None]:
        """Renew limits by the calendar, as a SimPy process; ``renewed`` is called when all that are due have been."""

        def begins_s(every: str) -> Iterator[tuple[float, str]]:
            return ((time_s, every) for time_s in self._calendar(every).begins_s())

        periods = sorted({purse.limit.every for purse in self._purses if purse.limit.every is not None})
        for time_s, due in groupby(merge(*map(begins_s, periods)), key=lambda begin: begin[0]):
            yield Moment(self._env, max(time_s - self._env.now, 0.0), WINDOWS)
            every = {name for _, name in due}
            for purse in self._purses:
                if purse.limit.every in every:
                    purse.renew(time_s)
                    self.table.periods.append(purse.period)
            renewed()

    def _of(self, number: int, deployment: int) -> list[Purse]:
        row = self._rows[number]
        return [purse for purse in self._purses if purse.covers(row, deployment)]

    def _note_alerts(self, period: Period) -> None:
        while period.n_alerts < len(self._alert_at):
            share = self._alert_at[period.n_alerts]
            if period.spent < share * period.budget * (1 - TOLERANCE):
                return
            period.n_alerts += 1
            self.table.alerts.append(Alert(period, self._env.now, share, period.spent))

    def _amount_usd(self, deployment: int, committed: float, cost_usd: float) -> float:
        return committed if self._is_charged_usd[deployment] else cost_usd


def can_pay(period: Period, amount: float) -> bool:
    """Return whether a limit can pay for a call in its present period, by the rule of the ledger."""
    return period.committed + amount <= most(period.budget)


def payer(*payers: Payer | None) -> Payer | None:
    """Return what pays as all of these do that are there; None if there are none."""
    there = [one for one in payers if one is not None]
    return All(there) if len(there) > 1 else there[0] if there else None
