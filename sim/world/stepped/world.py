"""Runs the world up to each decision, which somebody outside it takes, such as the agent of a learning environment.

It is the same world: a decision is carried out at the time of its query, before anything else happens.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import numpy as np
from simpy.core import EmptySchedule

from sim.instance import Instance
from sim.interface import Decision, Estimates, Feedback, Policy, Query, State
from sim.world.record.requests import RequestTable
from sim.world.world import World


class Ended(NamedTuple):
    """A query that has been answered.

    Parameters
    ----------
    id, deployment : int
    quality, cost_usd, latency_s : float
        The true score of the answer, what it cost, and the time from the arrival to its last token.
    """

    id: int
    deployment: int
    quality: float
    cost_usd: float
    latency_s: float


class Outside(Policy):
    """Stands for whoever decides outside; it is told of each answer and never asked."""

    def __init__(self) -> None:
        self.heard: list[Feedback] = []

    def decide(self, query: Query, state: State) -> Decision:
        """Decline; the world does not ask."""
        return Decision(None)

    def learn(self, feedback: Feedback) -> None:
        """Keep it until it is asked for."""
        self.heard.append(feedback)


class SteppedWorld(World):
    """One run, a decision at a time.

    Parameters
    ----------
    instance : Instance
        Of queries that stand for themselves, whose decisions take no time.
    estimates : Estimates
        Predicted quality and cost of every test row (n_test, n_deployments).

    Raises
    ------
    ValueError
        If the queries are steps of tasks, or a decision or a look-up in a cache takes time.

    Attributes
    ----------
    query : Query or None
        The one that waits for a decision; None when all have had theirs and the run is over.
    """

    def __init__(self, instance: Instance, estimates: Estimates) -> None:
        scenario = instance.scenario
        if instance.tasks is not None:
            raise ValueError("an agent decides on queries that stand for themselves, and these are steps of tasks")
        takes_time = scenario.cache is not None and scenario.cache.lookup_s > 0
        if scenario.decision_s > 0 or scenario.measure_decisions or takes_time:
            raise ValueError(
                "an agent's decision takes no time here: leave decision_s=0, measure_decisions=false and "
                "cache.lookup_s=0"
            )
        self._outside = Outside()
        super().__init__("agent", self._outside, instance, estimates, np.random.default_rng(0))
        self.query: Query | None = None
        self._is_over = False
        self._open(self._hold)
        self._advance()

    def _hold(self, query: Query) -> None:
        self.query = query

    @property
    def state(self) -> State:
        """What may be seen of the fleet now."""
        return self._see()

    def decide(self, deployment: int | None) -> list[Ended]:
        """Carry out a decision on the query that waits, and go on to the next; return what was answered meanwhile.

        Raises
        ------
        RuntimeError
            If no query waits.
        """
        if self.query is None:
            raise RuntimeError("no query waits for a decision: the run is over")
        query, self.query = self.query, None
        if self._flows:
            self.dispatcher.ledger.flow_in(self._env.now)
        self._carry_out(query, Decision(deployment), query.arrived_at_s)
        self._advance()
        heard = self._outside.heard.copy()
        self._outside.heard.clear()
        return [self._ended_one(feedback) for feedback in heard]

    def record(self) -> RequestTable:
        """Return the record of the run, once it is over."""
        if not self._is_over:
            raise RuntimeError("the run goes on: a query waits for its decision")
        return self.table

    def _advance(self) -> None:
        """Let the world go on until a query waits, or to its end."""
        while self.query is None and not self._is_over:
            try:
                self._env.step()
            except EmptySchedule:
                self._is_over = True
            if self._goes_on and self._over.processed:
                self._is_over = True
        if self._is_over:
            self.query = None
            self._closed()

    def _ended_one(self, feedback: Feedback) -> Ended:
        number, k = feedback.query.id, feedback.deployment
        quality = self._lessons.quality(number, k, sys.maxsize)
        cost_usd = self.table.cost_usd[number]
        if math.isnan(cost_usd):  # what the instance says, which the record looks up at the end
            cost_usd = self._instance.cost_usd[self._instance.rows[number], k]
        return Ended(number, k, float(quality), float(cost_usd), float(feedback.latency_s))
