"""One run: arrival -> decide -> commit -> queue -> serve -> settle -> record -> learn. It holds clock and truth.

SimPy runs it through callbacks on timeouts; a process per query would be several times slower.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from itertools import repeat

import numpy as np
import simpy
from simpy.events import Timeout

from sim.instance import Instance, frozen
from sim.interface import Decision, Estimates, Feedback, Policy, Query, State
from sim.world.counts import Counts
from sim.world.deployment import Station
from sim.world.ledger import Ledger
from sim.world.service import Job
from sim.world.trace import DECLINED, EXHAUSTED, REJECTED, SERVED, Trace

BLOCK = 4096
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
        self._rng = rng
        self._env = simpy.Environment()
        self._upcoming = arrivals(instance, estimates)
        self._following: Query | None = None
        self._gathered: list[Query] = []
        self._batches = 0
        self._rows: list[int] = instance.rows.tolist()
        # Element by element, a memoryview reads twice as fast as the array behind it, and gives Python numbers.
        self._cost = instance.cost.data
        self._quality = instance.quality.data
        self._output_tokens = None if instance.output_tokens is None else instance.output_tokens.data
        self._use_fallbacks = instance.exhausted == "fallback"
        self._learns = type(policy).learn is not Policy.learn
        self._ledger = Ledger(instance.setting.budgets)
        self._n_deployments = len(instance.fleet)
        self._queued, self._in_flight = Counts(len(instance.fleet)), Counts(len(instance.fleet))
        available = frozen(np.ones(len(instance.fleet), dtype=np.bool_))
        self._views = (self._queued.view, self._in_flight.view, self._ledger.remaining, available)
        self._stations = [
            Station(deployment, k, self._queued, self._in_flight, self._env, self._complete)
            for k, deployment in enumerate(instance.fleet)
        ]
        self.trace = Trace(np.cumsum(instance.gaps_s))

    def run(self) -> Trace:
        """Run from the first arrival to the last completion."""
        try:
            self._policy.reset(self._instance.setting, self._rng)
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} in reset: {error}") from error
        self._gate = self._policy.gate
        self._arrive(None)
        self._env.run()
        return self.trace

    def _arrive(self, _: simpy.Event | None) -> None:
        """Expect the next query, then decide on the one that was expected, if this is not the beginning."""
        query = self._following
        gap_s, self._following = next(self._upcoming, END)
        if self._following is not None:
            Timeout(self._env, gap_s).callbacks.append(self._arrive)
        if query is None:
            return
        if self._gate.size > 1:
            self._gather(query)
            return
        try:
            decision = self._decide(query, self._state(query.arrived_at_s))
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} on query {query.id}: {error}") from error
        self._carry_out(query, decision, query.arrived_at_s)

    def _gather(self, query: Query) -> None:
        self._gathered.append(query)
        if len(self._gathered) == self._gate.size or self._following is None:
            self._decide_gathered()
        elif len(self._gathered) == 1 and self._gate.window_s < float("inf"):
            self._env.timeout(self._gate.window_s, self._batches).callbacks.append(self._close_window)

    def _close_window(self, event: simpy.Event) -> None:
        if event.value == self._batches:  # otherwise that batch was full before its window ended
            self._decide_gathered()

    def _decide_gathered(self) -> None:
        queries, self._gathered, now_s = self._gathered, [], self._env.now
        self._batches += 1
        span = f"queries {queries[0].id} to {queries[-1].id}"
        try:
            decisions = self._policy.decide_batch(queries, self._state(now_s))
        except Exception as error:
            raise self._blame(f"raised {type(error).__name__} on {span}: {error}") from error
        if len(decisions) != len(queries):
            raise self._blame(f"returned {len(decisions)} decisions for {len(queries)} queries ({span})")
        for query, decision in zip(queries, decisions, strict=True):
            self.trace.decided_at_s[query.id] = now_s
            self._carry_out(query, decision, now_s)

    def _state(self, now_s: float) -> State:
        return tuple.__new__(State, (now_s, *self._views))  # faster than its constructor

    def _carry_out(self, query: Query, decision: Decision, now_s: float) -> None:
        if type(decision) is not Decision:
            raise self._blame(f"returned {decision!r} for query {query.id}; it must be a Decision")
        choice, fallbacks = decision
        if choice is None:
            self.trace.fate[query.id] = DECLINED
            return
        refusal = self._offer(query, choice, now_s)
        if refusal is None:
            return
        for fallback in fallbacks if self._use_fallbacks else ():
            if self._offer(query, fallback, now_s) is None:
                return
        self.trace.deployment[query.id] = choice
        self.trace.fate[query.id] = refusal

    def _offer(self, query: Query, choice: int, now_s: float) -> int | None:
        """Hand the query to a deployment; return None if it was taken, else the fate that the refusal would be."""
        deployment = choice if type(choice) is int else index(choice)
        if not 0 <= deployment < self._n_deployments:
            right = f"it must be an index from 0 to {self._n_deployments - 1}, or None to decline"
            raise self._blame(f"chose deployment {choice!r} for query {query.id}; {right}")
        number = query.id
        row = self._rows[number]
        station = self._stations[deployment]
        cost = self._cost[row, deployment]
        tokens = 0 if self._output_tokens is None else self._output_tokens[row, deployment]
        job = Job(query, deployment, cost, tokens)
        if station.is_full(job):
            return REJECTED
        if not self._ledger.commit(deployment, cost):
            return EXHAUSTED
        self.trace.deployment[number] = deployment
        station.take(job, now_s)
        return None

    def _complete(self, job: Job, now_s: float) -> None:
        query, trace = job.query, self.trace
        number = query.id
        self._ledger.settle(job.deployment, job.cost)
        trace.fate[number] = SERVED
        trace.started_at_s[number] = job.started_at_s
        trace.first_token_at_s[number] = job.first_token_at_s
        trace.finished_at_s[number] = now_s
        if self._learns:
            quality = self._quality[self._rows[number], job.deployment]
            feedback = Feedback(query, job.deployment, quality, job.cost, now_s - query.arrived_at_s)
            try:
                self._policy.learn(feedback)
            except Exception as error:
                raise self._blame(f"raised {type(error).__name__} learning from query {number}: {error}") from error

    def _blame(self, what: str) -> RuntimeError:
        return RuntimeError(f"policy {self._name!r} {what}")


def index(choice: object) -> int:
    """Return any integer type as an int; -1, which is no deployment, for what is not a whole number."""
    try:
        return operator.index(choice)  # type: ignore[arg-type]
    except TypeError:
        return -1


def arrivals(instance: Instance, estimates: Estimates) -> Iterator[tuple[float, Query]]:
    """Yield each query in order of arrival, with the time since the one before.

    Rows are gathered a block at a time and queries made without their constructor, which takes a third of the time.
    """
    features, times_s = instance.features, np.cumsum(instance.gaps_s)
    for start in range(0, len(instance.rows), BLOCK):
        block = slice(start, start + BLOCK)
        rows = instance.rows[block]
        fields = zip(
            range(start, start + len(rows)),
            times_s[block].tolist(),
            frozen(features.embeddings[rows]),
            features.input_tokens[rows].tolist(),
            frozen(estimates.quality[rows]),
            frozen(estimates.cost[rows]),
            strict=True,
        )
        yield from zip(instance.gaps_s[block].tolist(), map(tuple.__new__, repeat(Query), fields), strict=True)
