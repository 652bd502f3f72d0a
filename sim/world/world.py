"""Runs one policy on one instance: it decides on each arrival, carries the decision out and learns from its outcome.

It holds the clock and the policy. It leaves arrivals to a source, and what becomes of a decision to the dispatcher.

SimPy runs it through callbacks on timeouts; a process per query would be several times slower.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from sim.instance import Instance
from sim.interface import Decision, Estimates, Policy, Query, State, reviews
from sim.scenario import TokenBucket
from sim.traits import ArrivalsTraits
from sim.world.arriving import OpenLoop, Source, Upcoming, arriving, beginning, made
from sim.world.asked import SeveralCalls
from sim.world.caching.cache import Cache
from sim.world.dispatch import Dispatcher, Views
from sim.world.gate import Batches, after
from sim.world.lessons import Lessons
from sim.world.moment import Clock
from sim.world.processes import goes_on_by_itself, processes
from sim.world.record.requests import RequestTable, open_table
from sim.world.rounds import Rounds
from sim.world.tasks.purses import Purses
from sim.world.tasks.steps import Steps
from sim.world.users import Users


def simulate(
    name: str, policy: Policy, instance: Instance, estimates: Estimates | Upcoming, rng: np.random.Generator
) -> RequestTable:
    """Run one policy on one instance.

    Parameters
    ----------
    name : str
        The policy's name, for error messages.
    policy : Policy
    instance : Instance
    estimates : Estimates or Upcoming
        Predicted quality and cost of every test row (n_test, n_deployments), or what makes those of any rows.
    rng : Generator
        The policy's own random stream.

    Raises
    ------
    RuntimeError
        If the policy raises, or decides something that cannot be; the message names the policy and the query.

    Notes
    -----
    Rounds of calls cost time, so they are there only for a policy that overrides ``Policy.review``. One that does not,
    and asks several deployments at once all the same, begins its run anew when it does so first.
    """
    if reviews(policy):
        return World(name, policy, instance, estimates, rng, in_rounds=True).run()
    beginning = rng.bit_generator.state
    try:
        return World(name, policy, instance, estimates, rng).run()
    except SeveralCalls:
        rng.bit_generator.state = beginning
        return World(name, policy, instance, estimates, rng, in_rounds=True).run()


class World:
    """The state of one run; see ``simulate``."""

    def __init__(
        self,
        name: str,
        policy: Policy,
        instance: Instance,
        estimates: Estimates | Upcoming,
        rng: np.random.Generator,
        in_rounds: bool = False,
    ) -> None:
        self._name = name
        self._policy = policy
        self._instance = instance
        self._scenario = instance.scenario
        self._rng = rng
        self._env = clock = Clock()
        self.table = open_table(instance)
        self._lessons = Lessons(name, policy, instance, self._env, self.table)
        purses = None if instance.tasks is None else Purses(instance)
        self._left = len(instance.gaps_s)
        self._over = self._env.event()
        self._goes_on = goes_on_by_itself(instance) or instance.scenario.feedback.delay_s > 0
        self._flows = isinstance(self._scenario.window, TokenBucket)
        end = self._ended if self._goes_on or instance.think_s is not None or purses is not None else None
        finish = self._lessons.finish
        self._users: Users | None = None
        self._cache: Cache | None = None
        if purses is None:
            self._source = self._loop(arriving(instance, estimates), self.table)
        if self._scenario.cache is not None:
            self._source = self._cache = Cache(
                instance, self._env, self._source, self.table, self._lessons.hit, end, self._lessons.quality
            )
        self._rounds: Rounds | None = None
        if in_rounds:
            tell = self._lessons.tell
            store = None if self._cache is None else self._cache.store
            told = (self._see, finish, tell, end, purses, store)
            self._rounds = Rounds(policy, instance, clock, name, self.table, *told)
            self.dispatcher, self._carry_out = self._rounds.dispatcher, self._rounds.carry_out
        else:
            done = finish if self._cache is None else self._cache.storing(finish)
            self.dispatcher = Dispatcher(name, instance, self._env, self.table, done, end, purses=purses)
            self._carry_out = self.dispatcher.carry_out
        self._views = self.dispatcher.views
        self._batches: Batches | None = None
        self._steps: Steps | None = None
        if purses is not None:
            self._source = self._open_tasks(estimates, purses)

    def _open_tasks(self, estimates: Estimates | Upcoming, purses: Purses) -> Source:
        """Return where the steps of tasks come from; the tasks themselves come as queries do."""
        instance, table = self._instance, self.table
        queries = list(made(instance, estimates, np.zeros(len(instance.rows))))
        heads = self._loop(beginning(instance, queries), None)
        end = self._lessons.task_ended
        self._steps = Steps(self._env, heads, queries, instance, table, self._served_by, end, purses)
        return self._steps

    def _served_by(self, number: int) -> tuple[int, float]:
        """Return which deployment has answered a query, and the score of that answer."""
        if self._rounds is None:
            deployment, cap = self.table.deployment[number], self.table.caps.get(number)
        else:
            deployment, call = self._rounds.kept(number)
            cap = self._rounds.calls.caps.get(call)
        return deployment, self._lessons.quality(number, deployment, sys.maxsize if cap is None else cap)

    def _loop(self, upcoming: Iterator[tuple[float, Query]], table: RequestTable | None) -> Source:
        """Return an open loop, or a closed one."""
        if self._instance.think_s is None:
            return OpenLoop(self._env, upcoming)
        n_users = ArrivalsTraits.of(self._scenario.arrivals).users
        assert n_users is not None  # or there would be no times to think
        self._users = Users(self._env, upcoming, n_users, self._instance.think_s, table)
        return self._users

    def run(self) -> RequestTable:
        """Run from the first arrival to the last completion."""
        self._open(self._taker())
        self._env.run(until=self._over if self._goes_on else None)
        return self._closed()

    def _open(self, take: Callable[[Query], None]) -> None:
        """Let the policy begin, and let queries arrive from now on, each of which is handed to ``take``."""
        try:
            self._policy.reset(self._instance.setting, self._rng)
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} in reset: {error}") from error
        for process in processes(self._instance, self.dispatcher, self._env, self._show, self._lessons.price_changed):
            self._env.process(process)
        self._source.begin(take)

    def _closed(self) -> RequestTable:
        """Return the record of a run that is over."""
        if self._rounds is not None:
            self._rounds.close()
        self.table.replicas = [station.log for station in self.dispatcher.fleet]
        self.table.openings = [log.openings for log in self.table.replicas]
        self.table.replica_seconds = [station.total_replica_seconds() for station in self.dispatcher.fleet]
        self.table.happened = [station.happened for station in self.dispatcher.fleet]
        self.table.limits = None if self.dispatcher.limits is None else self.dispatcher.limits.table
        self.table.overshoot = self.dispatcher.ledger.overshoot
        self.table.overshoot_share = self.dispatcher.ledger.overshoot_share
        return self.table

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _taker(self) -> Callable[[Query], None]:
        """Return what is done with each arrival: the least that this run needs."""
        gate = self._policy.gate
        if gate.size > 1:
            self._batches = Batches(self._env, gate, self._source, self._decide_batch)
            if self._cache is not None:
                self._cache.at_hit = self._batches.recheck
            return self._batches.take
        takes_time = self._scenario.cache is not None and self._scenario.cache.lookup_s > 0
        if self._scenario.decision_s > 0 or self._scenario.measure_decisions or takes_time:
            return self._decide_in_its_time
        return self._decide_at_a_level if self._flows else self._decide_at_once

    def _decide_at_once(self, query: Query) -> None:
        now_s = query.arrived_at_s
        queued, in_flight, remaining, available = self._views
        try:
            # The constructor of a named tuple takes twice as long.
            decision = self._policy.decide(
                query, tuple.__new__(State, (now_s, queued, in_flight, remaining, available))
            )
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} on query {query.id}: {error}") from error
        if type(decision) is not Decision:
            raise self._blame(f"returned {decision!r} for query {query.id}; it must be a Decision")
        self._carry_out(query, decision, now_s)

    def _decide_at_a_level(self, query: Query) -> None:
        """Decide on one query when token buckets have filled up to now."""
        self.dispatcher.ledger.flow_in(self._env.now)
        self._decide_at_once(query)

    def _decide_in_its_time(self, query: Query) -> None:
        """Decide on one query, and let that take its time."""
        self._decide_batch([query])

    def _decide_batch(self, queries: list[Query]) -> None:
        """Decide on queries together, and carry the decisions out once the time that they take has passed."""
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
        took_s = time.perf_counter() - began if self._scenario.measure_decisions else self._scenario.decision_s
        after(self._env, took_s, partial(self._carry_out_batch, queries, decisions))

    def _carry_out_batch(self, queries: list[Query], decisions: list[Decision]) -> None:
        for query, decision in zip(queries, decisions, strict=True):
            self.table.decided_at_s[query.id] = self._env.now
            self._carry_out(query, decision, self._env.now)

    def _see(self) -> State:
        """Return what the policy may see now."""
        now_s = self._env.now
        if self._flows:
            self.dispatcher.ledger.flow_in(now_s)
        return tuple.__new__(State, (now_s, *self._views))

    def _show(self, views: Views) -> None:
        """Let policies see these numbers from now on, in the place of current ones."""
        self._views = views

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def _ended(self, number: int, now_s: float) -> None:
        if self._steps is not None:
            if not self._steps.step_ended(number, now_s):
                return
            if self._batches is not None:
                self._batches.recheck()
        self._left -= 1
        if self._left == 0 and self._goes_on:
            self._over.succeed()
        if self._users is not None:
            self._users.think()

    def _blame(self, what: str) -> RuntimeError:
        return RuntimeError(f"policy {self._name!r} {what}")
