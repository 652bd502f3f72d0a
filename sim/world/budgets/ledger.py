"""Counts what each deployment may spend, has promised and has paid. It knows amounts and times, and no query.

Two views of the same budget. *Committed* cost counts from the moment a query is taken on, and enforces the budget.
*Settled* cost counts from its completion, and is all that a policy sees: showing the committed view would tell the true
cost of a query before it has been served.
"""

from __future__ import annotations

import math

from sim.interface import TOLERANCE, FloatArray
from sim.world.live import Amounts


class Ledger:
    """Hard budgets of n_deployments deployments, each in its own unit.

    Parameters
    ----------
    budgets : array (n_deployments,)
        For the whole run, or for one window; ``inf`` for no budget. For token buckets what they hold, and begin with.
    inflow_per_s : array (n_deployments,) or None
        For token buckets: what flows in each second, up to what they hold.

    Attributes
    ----------
    remaining : array (n_deployments,)
        Budget less settled cost; read-only, updated in place.
    share : list of float
        What a whole new window begins with, or a bucket holds.
    window : int
        How often the budgets have been renewed.
    overshoot : list of float
        The most by which what was spent exceeded each budget, when true costs were above what had been committed.
    overshoot_share : list of float
        The most by which it did as a share of the budget, of a window's own where there are windows; 0 for a budget of
        0.
    """

    def __init__(self, budgets: FloatArray, inflow_per_s: FloatArray | None = None) -> None:
        self.share: list[float] = budgets.tolist()
        self._budgets: list[float] = budgets.tolist()
        self._limits = [limit(budget) for budget in self._budgets]
        self._inflow_per_s: list[float] | None = None if inflow_per_s is None else inflow_per_s.tolist()
        self._flowed_at_s = 0.0
        self._committed = [0.0] * len(budgets)
        self._settled = [0.0] * len(budgets)
        self._lost = [0.0] * len(budgets)
        self._remaining = Amounts(budgets)
        self.remaining = self._remaining.view
        self.window = 0
        self.overshoot = [0.0] * len(budgets)
        self.overshoot_share = [0.0] * len(budgets)
        self._is_estimated = False  # whether any cost was not what had been committed for it
        self._closed: dict[int, tuple[list[float], list[float]]] = {}  # budget and spending of windows not all paid for

    def commit(self, deployment: int, cost: float) -> bool:
        """Take on a cost if committed + cost is within the budget, see ``limit``; return whether it was."""
        committed = self._committed[deployment] + cost
        if committed > self._limits[deployment]:
            return False
        self._committed[deployment] = committed
        return True

    def release(self, deployment: int, cost: float, window: int) -> None:
        """Give back what was committed for a query that was not served."""
        if window == self.window:
            self._committed[deployment] -= cost

    def settle(self, deployment: int, committed: float, cost: float, window: int) -> None:
        """Show a cost as spent, in the place of what was committed for it; in an earlier window it shows no more."""
        self._is_estimated = self._is_estimated or cost != committed
        if window != self.window:
            if window in self._closed:
                budgets, spent = self._closed[window]
                spent[deployment] += cost
                self._note_overshoot(deployment, spent[deployment], budgets[deployment])
            return
        if cost != committed:
            self._committed[deployment] += cost - committed
        settled = self._settled[deployment]
        self._note_overshoot(deployment, settled + cost, self._budgets[deployment])
        self._settled[deployment] = total = settled + cost
        # What the sum has lost by rounding, so that after a hundred thousand costs the remainder still pays for one.
        self._lost[deployment] += cost - (total - settled)
        self._remaining.write[deployment] = self._budgets[deployment] - total - self._lost[deployment]

    def renew(self, rollover: bool, part: float = 1.0) -> None:
        """Begin the next window, with what was left of this one or without; the last one may be part of a window."""
        if any(committed > settled for committed, settled in zip(self._committed, self._settled, strict=True)):
            self._closed[self.window] = (self._budgets.copy(), self._settled.copy())
        self.window += 1
        for deployment, share in enumerate(self.share):
            left = self._budgets[deployment] - self._committed[deployment] if rollover else 0.0
            self._committed[deployment] = self._settled[deployment] = self._lost[deployment] = 0.0
            self._set(deployment, share if math.isinf(share) else share * part + max(0.0, left))

    def flow_in(self, now_s: float) -> None:
        """Let token buckets fill up to now.

        The level changes between calls by this flow alone, so that it is exact if each change of it comes after a call.
        """
        if self._inflow_per_s is None or now_s <= self._flowed_at_s:
            return
        for deployment, inflow in enumerate(self._inflow_per_s):
            self._add(deployment, min(inflow * (now_s - self._flowed_at_s), self._room(deployment)))
        self._flowed_at_s = now_s

    def end_inflow(self, now_s: float) -> None:
        """Let token buckets fill up to now, and no more after that: all of the budget has been given out."""
        self.flow_in(now_s)
        self._inflow_per_s = None

    def wait_s(self, deployment: int, cost: float) -> float:
        """Return how long a bucket has to fill, as of the last ``flow_in``, before it can pay; ``inf`` for never."""
        if self._committed[deployment] + cost <= self._limits[deployment]:
            return 0.0
        missing = self._committed[deployment] + cost - self._budgets[deployment]
        inflow = 0.0 if self._inflow_per_s is None else self._inflow_per_s[deployment]
        return missing / inflow if inflow > 0 and cost <= limit(self.share[deployment]) else math.inf

    def top_up(self, deployment: int, amount: float) -> None:
        """Add to a budget."""
        self._add(deployment, amount)

    def cut(self, deployment: int, factor: float) -> None:
        """Multiply what remains of a budget, and all that is to come, by a factor of at most 1.

        What remains is the settled view, so that the step does not tell what is in flight; that is still paid for.
        """
        if math.isinf(self._budgets[deployment]):
            return
        self._add(deployment, -(1.0 - factor) * max(0.0, float(self.remaining[deployment])))
        self.share[deployment] *= factor
        if self._inflow_per_s is not None:
            self._inflow_per_s[deployment] *= factor

    def _note_overshoot(self, deployment: int, spent: float, budget: float) -> None:
        if spent <= limit(budget) or not self._is_estimated:  # a budget that is cut still pays for what is in flight
            return
        self.overshoot[deployment] = max(self.overshoot[deployment], spent - budget)
        if budget > 0:
            self.overshoot_share[deployment] = max(self.overshoot_share[deployment], spent / budget - 1.0)

    def _room(self, deployment: int) -> float:
        """Return how much may flow in before the bucket is full."""
        share = self.share[deployment]
        return 0.0 if math.isinf(share) else max(0.0, share - self._budgets[deployment] + self._committed[deployment])

    def _add(self, deployment: int, amount: float) -> None:
        self._set(deployment, self._budgets[deployment] + amount)

    def _set(self, deployment: int, budget: float) -> None:
        self._budgets[deployment] = budget
        self._limits[deployment] = limit(budget)
        self._remaining.write[deployment] = budget - self._settled[deployment] - self._lost[deployment]


def limit(budget: float) -> float:
    """Return what a sum of costs may come to: the budget, and what binary fractions add to such a sum by rounding.

    >>> 0.1 + 0.1 + 0.1 <= 0.3, 0.1 + 0.1 + 0.1 <= limit(0.3)
    (False, True)
    """
    return budget * (1 + TOLERANCE)
