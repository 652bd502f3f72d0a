"""Counts what each deployment may spend, has promised and has paid. It knows amounts and times, and no query.

A deployment pays from an account: its own, or one that it shares. There are two views of what is in it. *Committed*
cost counts from the moment a query is taken on, and enforces the budget. *Settled* cost counts from its completion, and
is all that a policy sees: showing the committed view would tell the true cost of a query before it has been served.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from sim.assignment.rows import account_of
from sim.interface import TOLERANCE, FloatArray, IntArray
from sim.world.live import Amounts


class Ledger:
    """Hard budgets of n_deployments deployments, each in its own unit.

    Parameters
    ----------
    budgets : array (n_deployments,)
        For the whole run, or for one window; ``inf`` for no budget. For token buckets what they hold, and begin with.
    inflow_per_s : array (n_deployments,) or None
        For token buckets: what flows in each second, up to what they hold.
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from, from 0; None where each has its own. Amounts of one
        account are the same at each of its deployments.

    Attributes
    ----------
    remaining : array (n_deployments,)
        Budget less settled cost; read-only, updated in place.
    window : int
        How often the budgets have been renewed.
    is_endless : bool
        Whether there is no budget at all, which never changes: then nobody need ask.
    """

    def __init__(
        self, budgets: FloatArray, inflow_per_s: FloatArray | None = None, accounts: IntArray | None = None
    ) -> None:
        account, first = account_of(len(budgets), accounts)
        self._account: list[int] = account.tolist()
        self._members = [np.flatnonzero(account == number).tolist() for number in range(len(first))]
        # From here on everything is by account.
        self._share: list[float] = budgets[first].tolist()  # what a whole new window begins with, or a bucket holds
        self._budgets: list[float] = budgets[first].tolist()
        self._limits = [limit(budget) for budget in self._budgets]
        self._inflow_per_s: list[float] | None = None if inflow_per_s is None else inflow_per_s[first].tolist()
        self._flowed_at_s = 0.0
        self._committed = [0.0] * len(first)
        self._settled = [0.0] * len(first)
        self._lost = [0.0] * len(first)
        self._overshoot = [0.0] * len(first)
        remaining = Amounts(budgets)
        self.remaining, self._write = remaining.view, remaining.write
        self.window = 0
        self.is_endless = all(map(math.isinf, self._budgets))
        self._overshoot_share = [0.0] * len(first)
        self._is_estimated = False  # whether any cost was not what had been committed for it
        self._closed: dict[int, tuple[list[float], list[float]]] = {}  # budget and spending of windows not all paid for

    def commit(self, deployment: int, cost: float) -> bool:
        """Take on a cost if committed + cost is within the budget, see ``limit``; return whether it was."""
        account = self._account[deployment]
        committed = self._committed[account] + cost
        if committed > self._limits[account]:
            return False
        self._committed[account] = committed
        return True

    def release(self, deployment: int, cost: float, window: int) -> None:
        """Give back what was committed for a query that was not served."""
        if window == self.window:
            self._committed[self._account[deployment]] -= cost

    def settle(self, deployment: int, committed: float, cost: float, window: int) -> None:
        """Show a cost as spent, in the place of what was committed for it; in an earlier window it shows no more."""
        account = self._account[deployment]
        if cost != committed:
            self._is_estimated = True
        if window != self.window:
            if window in self._closed:
                budgets, spent = self._closed[window]
                spent[account] += cost
                self._note_overshoot(account, spent[account], budgets[account])
            return
        settled = self._settled[account]
        self._settled[account] = total = settled + cost
        if self._is_estimated:
            self._committed[account] += cost - committed
            self._note_overshoot(account, total, self._budgets[account])
        # What the sum has lost by rounding, so that after a hundred thousand costs the remainder still pays for one.
        self._lost[account] += cost - (total - settled)
        left = self._budgets[account] - total - self._lost[account]
        for member in self._members[account]:
            self._write[member] = left

    def renew(self, rollover: bool, part: float = 1.0) -> None:
        """Begin the next window, with what was left of this one or without; the last one may be part of a window."""
        if any(committed > settled for committed, settled in zip(self._committed, self._settled, strict=True)):
            self._closed[self.window] = (self._budgets.copy(), self._settled.copy())
        self.window += 1
        for account, share in enumerate(self._share):
            left = self._budgets[account] - self._committed[account] if rollover else 0.0
            self._committed[account] = self._settled[account] = self._lost[account] = 0.0
            self._set(account, share if math.isinf(share) else share * part + max(0.0, left))

    @property
    def fills(self) -> bool:
        """Whether token buckets fill with time."""
        return self._inflow_per_s is not None

    def flow_in(self, now_s: float) -> None:
        """Let token buckets fill up to now.

        The level changes between calls by this flow alone, so that it is exact if each change of it comes after a call.
        """
        if self._inflow_per_s is None or now_s <= self._flowed_at_s:
            return
        for account, inflow in enumerate(self._inflow_per_s):
            self._add(account, min(inflow * (now_s - self._flowed_at_s), self._room(account)))
        self._flowed_at_s = now_s

    def end_inflow(self, now_s: float) -> None:
        """Let token buckets fill up to now, and no more after that: all of the budget has been given out."""
        self.flow_in(now_s)
        self._inflow_per_s = None

    def wait_s(self, deployment: int, cost: float) -> float:
        """Return how long a bucket has to fill, as of the last ``flow_in``, before it can pay; ``inf`` for never."""
        account = self._account[deployment]
        if self._committed[account] + cost <= self._limits[account]:
            return 0.0
        missing = self._committed[account] + cost - self._budgets[account]
        inflow = 0.0 if self._inflow_per_s is None else self._inflow_per_s[account]
        return missing / inflow if inflow > 0 and self.could_pay(deployment, cost) else math.inf

    def could_pay(self, deployment: int, cost: float) -> bool:
        """Return whether a whole new window, or a full bucket, pays for a cost."""
        return cost <= limit(self._share[self._account[deployment]])

    @property
    def overshoot(self) -> list[float]:
        """The most by which what was spent exceeded each deployment's budget, as costs were above estimates."""
        return [self._overshoot[account] for account in self._account]

    @property
    def overshoot_share(self) -> list[float]:
        """That as a share of the budget, of a window's own where there are windows; 0 for a budget of 0."""
        return [self._overshoot_share[account] for account in self._account]

    def top_up(self, deployment: int, amount: float) -> None:
        """Add to the budget that a deployment pays from."""
        self._add(self._account[deployment], amount)

    def cut(self, deployments: Iterable[int], factor: float) -> None:
        """Multiply what remains of the budgets of some deployments, and all that is to come, by a factor of at most 1.

        What remains is the settled view, so that the step does not tell what is in flight; that is still paid for.
        """
        for account in {self._account[deployment] for deployment in deployments}:
            if math.isinf(self._budgets[account]):
                continue
            remaining = self._budgets[account] - self._settled[account] - self._lost[account]
            self._add(account, -(1.0 - factor) * max(0.0, remaining))
            self._share[account] *= factor
            if self._inflow_per_s is not None:
                self._inflow_per_s[account] *= factor

    def _note_overshoot(self, account: int, spent: float, budget: float) -> None:
        if spent <= limit(budget) or not self._is_estimated:  # a budget that is cut still pays for what is in flight
            return
        self._overshoot[account] = max(self._overshoot[account], spent - budget)
        if budget > 0:
            self._overshoot_share[account] = max(self._overshoot_share[account], spent / budget - 1.0)

    def _room(self, account: int) -> float:
        """Return how much may flow in before the bucket is full."""
        share = self._share[account]
        return 0.0 if math.isinf(share) else max(0.0, share - self._budgets[account] + self._committed[account])

    def _add(self, account: int, amount: float) -> None:
        self._set(account, self._budgets[account] + amount)

    def _set(self, account: int, budget: float) -> None:
        self._budgets[account] = budget
        self._limits[account] = limit(budget)
        for member in self._members[account]:
            self._write[member] = budget - self._settled[account] - self._lost[account]


def limit(budget: float) -> float:
    """Return what a sum of costs may come to: the budget, and what binary fractions add to such a sum by rounding.

    >>> 0.1 + 0.1 + 0.1 <= 0.3, 0.1 + 0.1 + 0.1 <= limit(0.3)
    (False, True)
    """
    return budget * (1 + TOLERANCE)
