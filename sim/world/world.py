"""One run: arrival -> decide -> commit -> queue -> serve -> settle -> record -> learn. It holds the clock and the truth.

SimPy runs it through callbacks on timeouts; a process per query would be several times slower.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
import simpy

from sim.instance import Instance
from sim.interface import Decision, Estimates, Feedback, Policy, Query, State
from sim.world.deployment import Station
from sim.world.ledger import Ledger
from sim.world.service import Job
from sim.world.trace import DECLINED, EXHAUSTED, REJECTED, SERVED, Trace


def simulate(name: str, policy: Policy, instance: Instance, estimates: Estimates, rng: np.random.Generator) -> Trace:
    """Run one policy on one instance.

    Parameters
    ----------
    name : str
        The policy's name, for error messages.
    policy : Policy
    instance : Instance
    estimates : Estimates
        Predicted quality and cost of every test row (n_test, n_deployments).
    rng : Generator
        The policy's own random stream.

    Raises
    ------
    RuntimeError
        If the policy raises, or decides something that cannot be; the message names the policy and the query.
    """
    return World(name, policy, instance, estimates, rng).run()


class World:
    """The state of one run; see ``simulate``."""

    def __init__(
        self, name: str, policy: Policy, instance: Instance, estimates: Estimates, rng: np.random.Generator
    ) -> None:
        self._name = name
        self._policy = policy
        self._instance = instance
        self._estimates = estimates
        self._rng = rng
        self._env = simpy.Environment()
        self._times: list[float] = instance.times_s.tolist()
        self._rows: list[int] = instance.rows.tolist()
        self._next = 0
        self._gathered: list[Query] = []
        self._batches = 0
        self._ledger = Ledger(instance.setting.budgets)
        self._stations = [Station(deployment, self._env, self._complete) for deployment in instance.fleet]
        self._use_fallbacks = instance.exhausted == "fallback"
        self._queued = np.zeros(len(self._stations), dtype=np.int64)
        self._in_flight = np.zeros(len(self._stations), dtype=np.int64)
        available = np.ones(len(self._stations), dtype=np.bool_)
        views = [array.view() for array in (self._queued, self._in_flight, self._ledger.remaining, available)]
        for view in views:
            view.setflags(write=False)
        self._views = views
        self.trace = Trace(len(self._rows))

    def run(self) -> Trace:
        """Run from the first arrival to the last completion."""
        try:
            self._policy.reset(self._instance.setting, self._rng)
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} in reset: {error}") from error
        self._gate = self._policy.gate
        self._schedule_arrival()
        self._env.run()
        return self.trace

    def _schedule_arrival(self) -> None:
        if self._next < len(self._times):
            delay = max(0.0, self._times[self._next] - self._env.now)
            self._env.timeout(delay).callbacks.append(self._arrive)

    def _arrive(self, _: simpy.Event) -> None:
        number, row, features = self._next, self._rows[self._next], self._instance.features
        query = Query(
            number,
            self._env.now,
            features.embeddings[row],
            int(features.input_tokens[row]),
            self._estimates.quality[row],
            self._estimates.cost[row],
        )
        self.trace.arrived_at_s[number] = self._env.now
        self._next += 1
        self._schedule_arrival()
        self._gathered.append(query)
        if len(self._gathered) >= self._gate.size or self._next == len(self._times):
            self._decide()
        elif len(self._gathered) == 1 and self._gate.window_s < float("inf"):
            self._env.timeout(self._gate.window_s, self._batches).callbacks.append(self._close_window)

    def _close_window(self, event: simpy.Event) -> None:
        if event.value == self._batches:  # otherwise that batch was full before its window ended
            self._decide()

    def _decide(self) -> None:
        queries, self._gathered = self._gathered, []
        self._batches += 1
        try:
            decisions = self._policy.decide_batch(queries, State(self._env.now, *self._views))
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} on {span(queries)}: {error}") from error
        if len(decisions) != len(queries):
            raise self._blame(f"returned {len(decisions)} decisions for {len(queries)} queries ({span(queries)})")
        for query, decision in zip(queries, decisions, strict=True):
            self._carry_out(query, decision)

    def _carry_out(self, query: Query, decision: Decision) -> None:
        self.trace.decided_at_s[query.id] = self._env.now
        if not isinstance(decision, Decision):
            raise self._blame(f"returned {decision!r} for query {query.id}; it must be a Decision")
        if decision.deployment is None:
            self.trace.fate[query.id] = DECLINED
            return
        first = self._checked(decision.deployment, query)
        refusal = self._offer(query, first)
        if refusal is None:
            return
        if self._use_fallbacks and any(
            self._offer(query, self._checked(choice, query)) is None for choice in decision.fallbacks
        ):
            return
        self.trace.deployment[query.id] = first
        self.trace.fate[query.id] = refusal

    def _offer(self, query: Query, deployment: int) -> int | None:
        """Hand the query to a deployment; return the fate that its refusal would be, None if it was taken."""
        station, row = self._stations[deployment], self._rows[query.id]
        if station.is_full:
            return REJECTED
        cost = float(self._instance.cost[row, deployment])
        if not self._ledger.commit(deployment, cost):
            return EXHAUSTED
        tokens = self._instance.output_tokens
        self.trace.deployment[query.id] = deployment
        station.take(Job(query, deployment, cost, 0 if tokens is None else int(tokens[row, deployment])))
        self._observe(deployment)
        return None

    def _complete(self, job: Job) -> None:
        query, deployment, trace = job.query, job.deployment, self.trace
        self._ledger.settle(deployment, job.cost)
        self._observe(deployment)
        trace.fate[query.id] = SERVED
        trace.started_at_s[query.id] = job.started_at_s
        trace.first_token_at_s[query.id] = job.first_token_at_s
        trace.finished_at_s[query.id] = now = self._env.now
        quality = float(self._instance.quality[self._rows[query.id], deployment])
        feedback = Feedback(query, deployment, quality, job.cost, now - query.arrived_at_s)
        try:
            self._policy.learn(feedback)
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} learning from query {query.id}: {error}") from error

    def _observe(self, deployment: int) -> None:
        self._queued[deployment] = self._stations[deployment].queued
        self._in_flight[deployment] = self._stations[deployment].in_flight

    def _checked(self, choice: int, query: Query) -> int:
        try:
            deployment = operator.index(choice)
        except TypeError:
            deployment = -1
        if not 0 <= deployment < len(self._stations):
            right = f"it must be an index from 0 to {len(self._stations) - 1}, or None to decline"
            raise self._blame(f"chose deployment {choice!r} for query {query.id}; {right}")
        return deployment

    def _blame(self, what: str) -> RuntimeError:
        return RuntimeError(f"policy {self._name!r} {what}")


def span(queries: Sequence[Query]) -> str:
    """Name one query, or the first and last of several."""
    first, last = queries[0].id, queries[-1].id
    return f"query {first}" if first == last else f"queries {first} to {last}"
