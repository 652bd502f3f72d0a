"""Takes each query from its decision to its fate: commit, offer, fall back, wait, retry, settle.

It knows the truth and the budgets, and no policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import simpy

from sim.instance import Instance, stream
from sim.interface import BoolArray, Decision, FloatArray, IntArray, Query
from sim.scenario import TokenBucket
from sim.world.asked import SeveralCalls, checked_cap, index
from sim.world.bill import Bill
from sim.world.budgets.limits import Limits, payer
from sim.world.budgets.renewal import open_ledger
from sim.world.budgets.waiting import BudgetQueue
from sim.world.controls import Factors, qualities
from sim.world.live import Counts, Flags
from sim.world.moment import RETRIES, Moment
from sim.world.record.calls import CallTable, Through, columns_of
from sim.world.record.requests import ABANDONED, DECLINED, EXHAUSTED, FAILED, REJECTED, SERVED, TIMED_OUT, RequestTable
from sim.world.services.job import Finish, Job
from sim.world.stations.station import Station
from sim.world.tasks.purses import Purses

Views = tuple[IntArray, IntArray, FloatArray, BoolArray]
RETRIED = (REJECTED, ABANDONED, TIMED_OUT, FAILED)


class Dispatcher:
    """The fleet and the ledger of one run.

    Parameters
    ----------
    name : str
        The policy's name, for error messages.
    instance : Instance
    env : simpy.Environment
    table : RequestTable
    finish : callable or None
        Called with each job and the time at its completion, once it has been paid for.
    end : callable or None
        Called with its number and the time whenever a query has met its fate.
    calls : CallTable or None
        The table, where it is one of calls: to the dispatcher a call is a query whose id is the number of the call.
    purses : Purses or None
        The budgets of tasks, where queries are steps of tasks.

    Raises
    ------
    SeveralCalls
        If a decision asks several deployments and what is dispatched are queries.

    Attributes
    ----------
    fleet : list of Station
    ledger : Ledger
    limits : Limits or None
    prices : Factors
    qualities : Qualities or None
    waiting : BudgetQueue
    views : tuple of array (n_deployments,)
        What policies may see: waiting, in service, remaining budgets, availability; read-only, and always current.
    """

    def __init__(
        self,
        name: str,
        instance: Instance,
        env: simpy.Environment,
        table: RequestTable,
        finish: Finish | None,
        end: Callable[[int, float], None] | None,
        calls: CallTable | None = None,
        purses: Purses | None = None,
    ) -> None:
        scenario, n_deployments = instance.scenario, len(instance.fleet)
        self.env = env
        self._name = name
        self._instance = instance
        self._table = table
        self._finish = finish
        self._end = end
        self._n_deployments = n_deployments
        self._rows = table.row
        self._draws, patience_s = columns_of(instance, table.tasks, calls)
        self._cost = columns(instance.cost)
        self._output_tokens = None if instance.output_tokens is None else columns(instance.output_tokens)
        self._use_fallbacks = scenario.exhausted != "lost"
        self._retry = scenario.retry
        self._may_wait = scenario.exhausted == "wait"
        self._is_final = scenario.retry.attempts == 1 and not self._may_wait
        self.ledger = open_ledger(instance)
        self._is_limited = not self.ledger.is_endless
        self.prices = Factors(n_deployments)
        self.qualities = qualities(instance)
        self.limits = Limits(instance, env, table.row) if scenario.spending.limits else None
        self._purses = payer(purses, self.limits)
        self._bill = Bill(instance, self.prices)
        self._is_plain = self._bill.is_plain and self.limits is None and all(drawn is None for drawn in instance.draws)
        self._flows = isinstance(scenario.window, TokenBucket)
        renews = (scenario.window is not None, scenario.spending.renews)
        self.waiting = BudgetQueue(self.ledger, env, self._needs, self._offer_again, self._flows, *renews)
        queued, in_flight, available = Counts(n_deployments), Counts(n_deployments), Flags(n_deployments)
        counts = (queued.write, in_flight.write, available.write)
        self.views: Views = (queued.view, in_flight.view, self.ledger.remaining, available.view)
        self.fleet = [
            Station(
                deployment,
                k,
                counts,
                env,
                self._finished,
                self._lost,
                patience_s[k],
                stream(*instance.seeds, f"balancer {deployment.name}"),
                1 if instance.prefix is None else instance.prefix.block_tokens,
                None if instance.fails_after_s is None else Through(instance.fails_after_s[:, k].tolist(), table.row),
            )
            for k, deployment in enumerate(instance.fleet)
        ]

    # --- decisions ----------------------------------------------------------------------------------------------------

    def carry_out(self, query: Query, decision: Decision, now_s: float) -> None:
        """Offer the query to its choices in turn.

        Raises
        ------
        RuntimeError
            If a choice is no deployment, or the answer cannot be cut.
        """
        choice, cap = decision[0], decision[4]  # by place, which is quicker than by name
        if decision[3]:
            raise SeveralCalls
        if self._flows:
            self.ledger.flow_in(now_s)
        if decision[2]:
            self._table.explored[query.id] = True
        if choice is None:
            self._table.fate[query.id] = DECLINED
            if self._end is not None:
                self._end(query.id, now_s)
            return
        if cap is not None:
            caps = self._instance.scenario.workload.caps
            self._table.caps[query.id] = checked_cap(self._name, query.id, cap, caps)
        refusal = self._offer(query, decision, choice, now_s)
        if refusal is None:
            return
        if decision[1] and self._use_fallbacks:
            for fallback in decision[1]:
                if self._offer(query, decision, fallback, now_s) is None:
                    return
        self._table.deployment[query.id] = choice
        self._refuse(query, decision, refusal, now_s)

    def _offer(self, query: Query, decision: Decision, choice: int, now_s: float) -> int | None:
        """Hand the query to a deployment; return None if it was taken, else the fate that the refusal would be."""
        deployment = choice if type(choice) is int else index(choice)
        if not 0 <= deployment < self._n_deployments:
            right = f"it must be an index from 0 to {self._n_deployments - 1}, or None to decline"
            raise RuntimeError(f"policy {self._name!r} chose deployment {choice!r} for query {query.id}; {right}")
        number, table, ledger = query.id, self._table, self.ledger
        row = self._rows[number]
        cost: float = self._cost[deployment][row]
        committed = cost
        draws, held_tokens, cap = None, 0, decision[4]
        if cap is not None or not self._is_plain:
            cap = table.caps.get(number)  # as it was checked
            cost, table.cost_usd[number] = self._bill.costs(query, row, deployment, cap)
            table.cached_tokens[number] = held_tokens = self._bill.held_tokens(query, row, deployment)
            committed = self._bill.committed(query, deployment, cost)
            drawn = self._draws[deployment]
            draws = None if drawn is None else drawn[number]
        if self._is_limited and not ledger.commit(deployment, committed):
            return EXHAUSTED
        tokens = 0 if self._output_tokens is None else self._output_tokens[deployment][row]
        if cap is not None:
            tokens = min(tokens, cap)
        table.deployment[number] = deployment
        job = Job(query, deployment, cost, tokens, draws, decision, committed, ledger.window, held_tokens)
        if not self._is_plain:
            job.saving = self._bill.saving(deployment)
        if self._purses is None:
            refusal = self.fleet[deployment].offer(job, now_s)
        elif not self._purses.open(job, table.cost_usd[number]):
            refusal = EXHAUSTED
        else:
            refusal = self.fleet[deployment].offer(job, now_s)
            if refusal is not None:
                self._purses.close(job, table.cost_usd[number], 0.0)
        if refusal is not None and self._is_limited:
            ledger.release(deployment, committed, ledger.window)
        return refusal

    def _refuse(self, query: Query, decision: Decision, refusal: int, now_s: float) -> None:
        """Record a fate, unless the query tries again."""
        if self._is_final or not self._tries_again(query, decision, refusal, now_s):
            self._table.fate[query.id] = refusal
            if self._end is not None:
                self._end(query.id, now_s)

    def _tries_again(self, query: Query, decision: Decision, refusal: int, now_s: float) -> bool:
        """Plan a retry or let the query wait for the next budget window; return whether it does either."""
        self._table.ended_at_s[query.id] = now_s
        attempts = self._table.attempts[query.id]
        if refusal in RETRIED and attempts < self._retry.attempts:
            pause_s = self._retry.backoff_s * self._retry.multiplier ** (attempts - 1)
            Moment(self.env, pause_s, RETRIES, (query, decision)).callbacks.append(self._try_again)
            return True
        may_wait = refusal == EXHAUSTED and self._may_wait and self._others_pay(query, decision)
        return may_wait and self.waiting.accepts(query, decision)

    def _others_pay(self, query: Query, decision: Decision) -> bool:
        """Return whether a query's own task, which waiting brings no money, and limits could pay its first choice."""
        choice = decision.deployment
        if self._purses is None or choice is None:
            return True
        cost, cost_usd = self._bill.costs(query, self._rows[query.id], choice, self._table.caps.get(query.id))
        return self._purses.pays(query, choice, self._bill.committed(query, choice, cost), cost_usd)

    def _try_again(self, event: simpy.Event) -> None:
        query, decision = event.value  # type: ignore[misc]
        self._table.attempts[query.id] += 1
        self._offer_again(query, decision)

    def _offer_again(self, query: Query, decision: Decision) -> None:
        """Offer the query as if for the first time: its record is of its last try."""
        table, number = self._table, query.id
        table.offered_at_s[number] = self.env.now
        table.preempted_s.pop(number, None)
        table.started_at_s[number] = table.first_token_at_s[number] = table.ended_at_s[number] = math.nan
        self.carry_out(query, decision, self.env.now)

    def _needs(self, query: Query, deployment: int) -> float:
        """Return what would be committed for a query now."""
        cap = self._table.caps.get(query.id)
        cost, _ = self._bill.costs(query, self._rows[query.id], deployment, cap)
        return self._bill.committed(query, deployment, cost)

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def _finished(self, job: Job, now_s: float) -> None:
        table, number = self._table, job.query.id
        if self._flows:
            self.ledger.flow_in(now_s)
        if job.cached_tokens:
            self._note_cached(job)
        if self._is_limited:
            self.ledger.settle(job.deployment, job.committed, job.cost, job.window)
        if self._purses is not None:
            self._purses.close(job, table.cost_usd[number], table.cost_usd[number])
        table.fate[number] = SERVED
        table.started_at_s[number] = job.started_at_s
        table.first_token_at_s[number] = job.first_token_at_s
        table.finished_at_s[number] = now_s
        if job.preempted_s:
            table.preempted_s[number] = job.preempted_s
        if self.qualities is not None:
            table.scores[number] = self.qualities.of_answer(self._rows[number], job.deployment, job.output_tokens)
        if self._finish is not None:
            self._finish(job, now_s)
        if self._end is not None:
            self._end(number, now_s)

    def _note_cached(self, job: Job) -> None:
        """Take note of the tokens that were not prefilled, and charge them as the deployment does."""
        table, number = self._table, job.query.id
        table.cached_tokens[number] = job.cached_tokens
        if job.saving:
            saved_usd = job.cached_tokens * job.saving
            job.cost, table.cost_usd[number] = self._bill.less(
                job.cost, table.cost_usd[number], job.deployment, saved_usd
            )

    def _lost(self, job: Job, fate: int, now_s: float) -> None:
        """Take note of a job that was taken and then lost; nothing is charged for it."""
        table, number = self._table, job.query.id
        if self._flows:
            self.ledger.flow_in(now_s)
        if self._is_limited:
            self.ledger.release(job.deployment, job.committed, job.window)
        if self._purses is not None:
            self._purses.close(job, table.cost_usd[number], 0.0)
        table.ended_at_s[number] = now_s
        table.started_at_s[number] = job.started_at_s
        table.first_token_at_s[number] = job.first_token_at_s if job.first_token_at_s <= now_s else math.nan
        if job.preempted_s:
            table.preempted_s[number] = job.preempted_s
        self._refuse(job.query, job.decision, fate, now_s)


def columns(numbers: FloatArray | IntArray) -> list[memoryview[Any]]:
    """Return the columns of an array (n, n_deployments), each (n,), as they are read the fastest one element at a time.

    A memoryview reads twice as fast as the array behind it, gives Python numbers, and takes no copy.
    """
    return [column.data for column in numbers.T]
