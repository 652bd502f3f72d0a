"""Runs one policy on one instance: it decides on each arrival, carries the decision out and learns from its outcome.

It holds the clock and the policy. It leaves arrivals to a source, and what becomes of a decision to the dispatcher.

SimPy runs it through callbacks on timeouts; a process per query would be several times slower.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import simpy

from sim.instance import Instance
from sim.interface import Decision, Estimates, Feedback, Hit, Policy, Query, State, reviews
from sim.scenario import TokenBucket
from sim.traits import ArrivalsTraits
from sim.world.arriving import OpenLoop, Source, arriving
from sim.world.caching.cache import Cache
from sim.world.dispatch import Dispatcher, SeveralCalls, Views
from sim.world.gate import Batches, after
from sim.world.moment import COMPLETIONS
from sim.world.processes import goes_on_by_itself, processes
from sim.world.record import RequestTable
from sim.world.rounds import Rounds
from sim.world.services.job import Job
from sim.world.users import Users


def simulate(
    name: str, policy: Policy, instance: Instance, estimates: Estimates, rng: np.random.Generator
) -> RequestTable:
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
        estimates: Estimates,
        rng: np.random.Generator,
        in_rounds: bool = False,
    ) -> None:
        self._name = name
        self._policy = policy
        self._decide = policy.decide
        self._instance = instance
        self._scenario = instance.scenario
        self._rng = rng
        self._env = simpy.Environment()
        self._quality = instance.quality.data
        self._energy_j = None if instance.energy_j is None else instance.energy_j.data
        self.table = RequestTable(np.cumsum(instance.gaps_s), instance.rows.tolist())
        self._rows = self.table.row
        self._left = len(self._rows)
        self._over = self._env.event()
        self._goes_on = goes_on_by_itself(instance) or instance.scenario.feedback.delay_s > 0
        self._source, self._users = self._open_source(estimates)
        kind = type(policy)
        learns = kind.learn is not Policy.learn or kind.learn_score is not Policy.learn_score
        finish = (self._learn if instance.opinions is None else self._learn_in_part) if learns else None
        end = self._ended if self._goes_on or self._users is not None else None
        self._flows = isinstance(self._scenario.window, TokenBucket)
        self._cache: Cache | None = None
        if self._scenario.cache is not None:
            hear = None if kind.learn_hit is Policy.learn_hit else partial(self._tell, policy.learn_hit)
            self._source = self._cache = Cache(instance, self._env, self._source, self.table, hear, end)
        self._rounds: Rounds | None = None
        if in_rounds:
            tell = partial(self._tell, policy.learn)
            store = None if self._cache is None else self._cache.store
            self._rounds = Rounds(policy, instance, self._env, name, self.table, self._see, finish, tell, end, store)
            self.dispatcher, self._carry_out = self._rounds.dispatcher, self._rounds.carry_out
        else:
            done = finish if self._cache is None else self._cache.storing(finish)
            self.dispatcher = Dispatcher(name, instance, self._env, self.table, done, end)
            self._carry_out = self.dispatcher.carry_out
        self._views = self.dispatcher.views

    def _open_source(self, estimates: Estimates) -> tuple[Source, Users | None]:
        """Return where queries come from, twice if it wants to know when they end."""
        upcoming = arriving(self._instance, estimates)
        if self._instance.think_s is None:
            return OpenLoop(self._env, upcoming), None
        n_users = ArrivalsTraits.of(self._scenario.arrivals).users
        assert n_users is not None  # or there would be no times to think
        users = Users(self._env, upcoming, n_users, self._instance.think_s, self.table)
        return users, users

    def run(self) -> RequestTable:
        """Run from the first arrival to the last completion."""
        try:
            self._policy.reset(self._instance.setting, self._rng)
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} in reset: {error}") from error
        for process in processes(self._instance, self.dispatcher, self._env, self._show):
            self._env.process(process)
        self._source.begin(self._taker())
        self._env.run(until=self._over if self._goes_on else None)
        if self._rounds is not None:
            self._rounds.close()
        self.table.openings = [station.openings for station in self.dispatcher.fleet]
        self.table.replica_seconds = [station.total_replica_seconds() for station in self.dispatcher.fleet]
        self.table.overshoot = self.dispatcher.ledger.overshoot
        self.table.overshoot_share = self.dispatcher.ledger.overshoot_share
        return self.table

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _taker(self) -> Callable[[Query], None]:
        """Return what is done with each arrival: the least that this run needs."""
        gate = self._policy.gate
        if gate.size > 1:
            batches = Batches(self._env, gate, self._source, self._decide_batch)
            if self._cache is not None:
                self._cache.at_end = batches.close
            return batches.take
        takes_time = self._scenario.cache is not None and self._scenario.cache.lookup_s > 0
        if self._scenario.decision_s > 0 or self._scenario.measure_decisions or takes_time:
            return self._decide_in_its_time
        return self._decide_at_a_level if self._flows else self._decide_at_once

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

    def _learn(self, job: Job, now_s: float) -> None:
        query = job.query
        quality = self._quality[self._rows[query.id], job.deployment]
        self._tell(self._policy.learn, self._feedback(job, quality, now_s))

    def _learn_in_part(self, job: Job, now_s: float) -> None:
        """Tell of an outcome at completion, and of its score when somebody gives one."""
        query, opinions, delay_s = job.query, self._instance.opinions, self._scenario.feedback.delay_s
        assert opinions is not None
        quality = float(self._quality[self._rows[query.id], job.deployment])
        if opinions.flipped[query.id]:
            quality = 1.0 - quality
        quality = min(max(quality + float(opinions.error[query.id]), 0.0), 1.0)
        scored = self._feedback(job, quality, now_s)
        is_given = bool(opinions.given[query.id])
        self._tell(self._policy.learn, scored if is_given and delay_s == 0 else scored._replace(quality=math.nan))
        if is_given and delay_s > 0:
            after(self._env, delay_s, partial(self._tell, self._policy.learn_score, scored), COMPLETIONS)

    def _feedback(self, job: Job, quality: float, now_s: float) -> Feedback:
        query, k = job.query, job.deployment
        energy_j = math.nan if self._energy_j is None else self._energy_j[self._rows[query.id], k]
        return Feedback(query, k, quality, job.cost, now_s - query.arrived_at_s, energy_j)

    def _tell(self, learn: Callable[[Any], None], feedback: Feedback | Hit) -> None:
        try:
            learn(feedback)
        except Exception as error:
            number = feedback.query.id
            raise self._blame(f"raised {type(error).__name__} learning from query {number}: {error}") from error

    def _ended(self, number: int, now_s: float) -> None:
        self._left -= 1
        if self._left == 0 and self._goes_on:
            self._over.succeed()
        if self._users is not None:
            self._users.think()

    def _blame(self, what: str) -> RuntimeError:
        return RuntimeError(f"policy {self._name!r} {what}")
