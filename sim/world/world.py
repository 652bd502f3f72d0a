"""One run: arrival -> decide -> commit -> queue -> serve -> settle -> record -> learn. It holds clock and policy.

SimPy runs it through callbacks on timeouts; a process per query would be several times slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import simpy

from sim.instance import Instance
from sim.interface import Decision, Estimates, Feedback, Policy, Query, State
from sim.scenario import TokenBucket
from sim.world.arriving import arrivals
from sim.world.dispatch import Dispatcher, Views
from sim.world.moment import ARRIVALS, DECISIONS, Moment
from sim.world.processes import goes_on_by_itself, processes
from sim.world.record import Trace
from sim.world.services.slots import Job

END = (0.0, None)


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
        self._decide = policy.decide
        self._instance = instance
        self._scenario = instance.scenario
        self._rng = rng
        self._env = simpy.Environment()
        self._upcoming = arrivals(instance, estimates)
        self._following: Query | None = None
        self._gathered: list[Query] = []
        self._batches = 0
        self._quality = instance.quality.data
        self._rows: list[int] = instance.rows.tolist()
        self.trace = Trace(np.cumsum(instance.gaps_s))
        self._left = len(self._rows)
        self._over = self._env.event()
        self._think_s = None if instance.think_s is None else iter(instance.think_s.tolist())
        self._take: Callable[[Query], None] = self._decide_at_once
        learns = type(policy).learn is not Policy.learn
        self._goes_on = goes_on_by_itself(instance)
        watches_ends = self._goes_on or self._think_s is not None
        self.dispatcher = Dispatcher(
            name,
            instance,
            self._env,
            self.trace,
            self._learn if learns else None,
            self._count_end if watches_ends else None,
        )
        self._views = self.dispatcher.views
        self._carry_out = self.dispatcher.carry_out

    def run(self) -> Trace:
        """Run from the first arrival to the last completion."""
        try:
            self._policy.reset(self._instance.setting, self._rng)
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} in reset: {error}") from error
        self._gate = self._policy.gate
        self._most_gathered = self._gate.size
        if self._gate.size > 1:
            self._take = self._gather
        elif self._scenario.decision_s > 0 or self._scenario.measure_decisions:
            self._take = self._decide_alone
        elif isinstance(self._scenario.window, TokenBucket):
            self._take = self._decide_at_a_level
        for process in processes(self._instance, self.dispatcher, self._env, self._show):
            self._env.process(process)
        if self._think_s is None:
            self._arrive(None)
        else:
            self._admit_users()
        self._env.run(until=self._over if self._goes_on else None)
        self.trace.openings = [station.openings for station in self.dispatcher.fleet]
        self.trace.replica_seconds = [station.total_replica_seconds() for station in self.dispatcher.fleet]
        self.trace.overshoot = self.dispatcher.ledger.overshoot
        return self.trace

    # --- arrivals -----------------------------------------------------------------------------------------------------

    def _arrive(self, _: simpy.Event | None) -> None:
        """Expect the next query, then take the one that was expected, if this is not the beginning."""
        query = self._following
        gap_s, self._following = next(self._upcoming, END)
        if self._following is not None:
            Moment(self._env, gap_s, ARRIVALS).callbacks.append(self._arrive)
        if query is not None:
            self._take(query)

    def _admit_users(self) -> None:
        """Let every user of a closed loop think for the first time."""
        users: int = self._scenario.arrivals.users  # type: ignore[attr-defined]
        self._most_gathered = min(self._gate.size, users)  # once all users wait in a batch, nobody else can come
        _, self._following = next(self._upcoming, END)
        for _ in range(min(users, self._left)):  # who comes after the last query has nothing to ask
            self._think()

    def _think(self) -> None:
        """Let one user think about the next query, if there is one."""
        assert self._think_s is not None
        think_s = next(self._think_s, None)
        if think_s is not None:
            Moment(self._env, float(think_s), ARRIVALS).callbacks.append(self._ask)

    def _ask(self, _: simpy.Event) -> None:
        """Take the next query of whichever user has thought enough."""
        query = self._following
        assert query is not None
        self._following = next(self._upcoming, END)[1]
        now_s = self._env.now
        self.trace.arrived_at_s[query.id] = self.trace.decided_at_s[query.id] = now_s
        self._take(query._replace(arrived_at_s=now_s, deadline_s=now_s + query.deadline_s))

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _decide_at_once(self, query: Query) -> None:
        try:
            # The constructor of a named tuple takes twice as long.
            decision = self._decide(query, tuple.__new__(State, (query.arrived_at_s, *self._views)))
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} on query {query.id}: {error}") from error
        if type(decision) is not Decision:
            raise self._blame(f"returned {decision!r} for query {query.id}; it must be a Decision")
        self._carry_out(query, decision, query.arrived_at_s)

    def _decide_at_a_level(self, query: Query) -> None:
        """Decide on one query when token buckets have filled up to now."""
        self.dispatcher.ledger.flow_in(self._env.now)
        self._decide_at_once(query)

    def _decide_alone(self, query: Query) -> None:
        """Decide on one query, in its own time."""
        self._gathered.append(query)
        self._decide_gathered()

    def _gather(self, query: Query) -> None:
        self._gathered.append(query)
        if len(self._gathered) == self._most_gathered or self._following is None:
            self._decide_gathered()
        elif len(self._gathered) == 1 and self._gate.window_s < float("inf"):
            Moment(self._env, self._gate.window_s, DECISIONS, self._batches).callbacks.append(self._close_window)

    def _close_window(self, event: simpy.Event) -> None:
        if event.value == self._batches:  # otherwise that batch was full before its window ended
            self._decide_gathered()

    def _decide_gathered(self) -> None:
        queries, self._gathered = self._gathered, []
        self._batches += 1
        first, last = queries[0].id, queries[-1].id
        span = f"query {first}" if first == last else f"queries {first} to {last}"
        self.dispatcher.ledger.flow_in(self._env.now)
        began = time.perf_counter()
        try:
            decisions = self._policy.decide_batch(queries, State(self._env.now, *self._views))
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} on {span}: {error}") from error
        if len(decisions) != len(queries):
            raise self._blame(f"returned {len(decisions)} decisions for {len(queries)} queries ({span})")
        for query, decision in zip(queries, decisions, strict=True):
            if type(decision) is not Decision:
                raise self._blame(f"returned {decision!r} for query {query.id}; it must be a Decision")
        self._carry_out_later(queries, decisions, time.perf_counter() - began)

    def _carry_out_later(self, queries: list[Query], decisions: list[Decision], took_s: float) -> None:
        """Carry out decisions once the time that they take has passed."""
        delay_s = took_s if self._scenario.measure_decisions else self._scenario.decision_s

        def carry_out(_: simpy.Event | None) -> None:
            for query, decision in zip(queries, decisions, strict=True):
                self.trace.decided_at_s[query.id] = self._env.now
                self._carry_out(query, decision, self._env.now)

        if delay_s == 0:
            carry_out(None)
        else:
            Moment(self._env, delay_s, DECISIONS).callbacks.append(carry_out)

    def _show(self, views: Views) -> None:
        """Let policies see these numbers from now on, in the place of current ones."""
        self._views = views

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def _learn(self, job: Job, now_s: float) -> None:
        query = job.query
        quality = self._quality[self._rows[query.id], job.deployment]
        feedback = Feedback(query, job.deployment, quality, job.cost, now_s - query.arrived_at_s)
        try:
            self._policy.learn(feedback)
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} learning from query {query.id}: {error}") from error

    def _count_end(self, _: float) -> None:
        self._left -= 1
        if self._left == 0 and self._goes_on:
            self._over.succeed()
        if self._think_s is not None:
            self._think()

    def _blame(self, what: str) -> RuntimeError:
        return RuntimeError(f"policy {self._name!r} {what}")
