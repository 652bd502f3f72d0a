"""Keeps the queries that wait for a budget, until its next window or until a bucket can pay. It knows no truth."""

from __future__ import annotations

import math
from collections.abc import Callable

import simpy

from sim.interface import Decision, Query
from sim.world.budgets.ledger import Ledger
from sim.world.moment import WINDOWS, Moment


class BudgetQueue:
    """The queries that wait, in the order in which they began to.

    Parameters
    ----------
    ledger : Ledger
    env : simpy.Environment
    needs : callable
        From a query and a deployment to what would be committed now.
    offer : callable
        Called with a query and its decision when it may try again.
    flows : bool
        Whether budgets are token buckets.
    renews, limits_renew : bool
        Whether the budgets of the ledger, and limits beside them, begin anew during the run.
    """

    def __init__(
        self,
        ledger: Ledger,
        env: simpy.Environment,
        needs: Callable[[Query, int], float],
        offer: Callable[[Query, Decision], None],
        flows: bool,
        renews: bool = True,
        limits_renew: bool = False,
    ) -> None:
        self._ledger = ledger
        self._env = env
        self._needs = needs
        self._offer = offer
        self._flows = flows
        self._waiting: list[tuple[Query, Decision]] = []
        self._wake_at_s = math.inf  # when a bucket can pay for the first of them
        self._renews = renews
        self._limits_renew = limits_renew

    def accepts(self, query: Query, decision: Decision) -> bool:
        """Let a query wait if one whole window, or a full bucket, could pay for its first choice; return whether.

        Where the ledger gives nothing out any more, it waits for a limit beside the ledger, which has to pay at once.
        """
        choice = decision.deployment
        if choice is None or not (self._renews or self._limits_renew):
            return False
        needs = self._needs(query, choice)
        pays = self._ledger.could_pay(choice, needs) if self._renews else self._ledger.wait_s(choice, needs) == 0
        if not pays:
            return False
        self._waiting.append((query, decision))
        if self._flows:  # a choice that could be paid at once was refused for another reason
            self._wake_in(min((wait_s for wait_s in self._waits_s(query, decision) if wait_s > 0), default=math.inf))
        return True

    def offer_all(self) -> None:
        """Offer all of them again."""
        self._wake_at_s = math.inf
        waiting, self._waiting = self._waiting, []
        for query, decision in waiting:
            self._offer(query, decision)

    def close(self) -> None:
        """Let no query wait for the ledger any more."""
        self._renews = False
        self.offer_all()

    def _waits_s(self, query: Query, decision: Decision) -> list[float]:
        """Return how long buckets have to fill before each of a query's choices can be paid."""
        choices = [choice for choice in (decision.deployment, *decision.fallbacks) if choice is not None]
        return [self._ledger.wait_s(choice, self._needs(query, choice)) for choice in choices]

    def _wake_in(self, wait_s: float) -> None:
        """See that the waiting queries are looked at again after so long."""
        if self._env.now + wait_s < self._wake_at_s:
            self._wake_at_s = self._env.now + wait_s
            Moment(self._env, wait_s, WINDOWS, self._wake_at_s).callbacks.append(self._wake)

    def _wake(self, event: simpy.Event) -> None:
        """Offer the queries again that a bucket can pay for now, in their order."""
        if event.value != self._wake_at_s:
            return  # an earlier one took its place
        self._wake_at_s = next_s = math.inf
        self._ledger.flow_in(self._env.now)
        waiting, self._waiting = self._waiting, []
        for query, decision in waiting:
            wait_s = min(self._waits_s(query, decision))
            if wait_s > 0:
                self._waiting.append((query, decision))
                next_s = min(next_s, wait_s)
            else:
                self._offer(query, decision)
        self._wake_in(next_s)
