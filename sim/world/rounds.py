"""Takes each query through its rounds of calls: asks, waits for all calls of a round to end, lets the policy review.

To the dispatcher below, each call is a query of its own; the request table gets what became of the whole. It is used
only where a policy reviews answers or asks several deployments at once.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable

import numpy as np
import simpy

from sim.instance import Instance
from sim.interface import Answer, Decision, Feedback, Policy, Query, State
from sim.world.asked import Asked, check_calls, kept_places
from sim.world.call_table import CallTable
from sim.world.dispatch import Dispatcher
from sim.world.moment import DECISIONS, Moment
from sim.world.record import DECLINED, FATES, NOWHERE, SERVED, RequestTable
from sim.world.services.job import Finish, Job


class Rounds:
    """The calls of one run.

    Parameters
    ----------
    policy : Policy
    instance : Instance
    env : simpy.Environment
    name : str
        The policy's name, for error messages.
    table : RequestTable
        Gets the fate of each query.
    state : callable
        Returns what the policy may see now.
    finish : callable or None
        Called with a job and the time for each answer that is kept; None if the policy learns nothing.
    tell : callable
        Called with what the policy may learn of every other answer.
    end : callable
        Called with its number and the time whenever a query has met its fate.

    Attributes
    ----------
    dispatcher : Dispatcher
        Of calls.
    calls : CallTable
    """

    def __init__(
        self,
        policy: Policy,
        instance: Instance,
        env: simpy.Environment,
        name: str,
        table: RequestTable,
        state: Callable[[], State],
        finish: Finish | None,
        tell: Callable[[Feedback], None],
        end: Callable[[int, float], None],
    ) -> None:
        n_queries = len(instance.rows)
        self._review = policy.review
        self._env = env
        self._name = name
        self._table = table
        self._state = state
        self._finish = finish
        self._tell = tell
        self._end = end
        self._scenario = instance.scenario
        self._rows: list[int] = instance.rows.tolist()
        self._quality = instance.quality
        self._cost_usd = instance.cost_usd.data
        self._output_tokens = None if instance.output_tokens is None else instance.output_tokens.data
        self._confidence = None if instance.confidence is None else instance.confidence.data
        self._n_deployments = len(instance.fleet)
        self._asked: dict[int, Asked] = {}  # by the number of each call that is under way
        self.calls = CallTable()
        self.dispatcher = Dispatcher(name, instance, env, self.calls, self._answered, self._ended, self.calls.query)
        table.calls = self.calls
        table.n_calls = array("i", [0]) * n_queries
        table.cost_usd = self._spent = array("d", [0.0]) * n_queries

    # --- asking -------------------------------------------------------------------------------------------------------

    def carry_out(self, query: Query, decision: Decision, now_s: float) -> None:
        """Begin the first round of a query.

        Raises
        ------
        RuntimeError
            If a choice is no deployment, or the calls are too many; the message names the policy and the query.
        """
        self._follow(Asked(query), decision, now_s)

    def _follow(self, asked: Asked, decision: Decision, now_s: float) -> None:
        """Begin a round, or let the query go if the policy declines."""
        if decision.explores:
            self._table.explored[asked.query.id] = True
        if decision.deployment is None and not decision.alongside:
            self._give_up(asked, now_s)
            return
        calls = (decision, *map(Decision, decision.alongside)) if decision.alongside else (decision,)
        check_calls(self._name, asked, calls, self._n_deployments, self._scenario.max_calls)
        asked.under_way = len(calls)  # of all, before the first, as a call may end at once
        number, round_ = asked.query.id, asked.rounds
        asked.rounds += 1
        fields = asked.query[1:]
        for place, (choice, fallbacks, *_) in enumerate(calls):
            call = self.calls.add(number, round_, place, now_s)
            asked.calls.append(call)
            self._asked[call] = asked
            self.dispatcher.carry_out(tuple.__new__(Query, (call, *fields)), Decision(choice, fallbacks), now_s)

    def _answered(self, job: Job, now_s: float) -> None:
        """Take note of what an answer cost."""
        asked = self._asked[job.query.id]
        asked.cost[job.query.id] = job.cost
        number = asked.query.id
        price = self.calls.price[job.query.id]
        self._spent[number] += self._cost_usd[self._rows[number], job.deployment] * price

    def _ended(self, call: int, _: float) -> None:
        """Let the policy review once the last call of a round has ended.

        It does so among the decisions of that time: after all that ends then, and not while a station is at work on it.
        """
        asked = self._asked.pop(call)
        asked.under_way -= 1
        if asked.under_way == 0:
            Moment(self._env, 0.0, DECISIONS, asked).callbacks.append(self._look)

    # --- reviewing ----------------------------------------------------------------------------------------------------

    def _look(self, event: simpy.Event) -> None:
        """Ask the policy what becomes of a query, and do it once the decision has taken its time."""
        asked: Asked = event.value  # type: ignore[assignment]
        asked.answers += [self._answer(asked, call) for call in asked.calls[len(asked.answers) :]]
        began = time.perf_counter()
        number = asked.query.id
        try:
            outcome = self._review(asked.query, tuple(asked.answers), self._state())
        except Exception as error:
            what = f"raised {type(error).__name__} reviewing query {number}: {error}"
            raise RuntimeError(f"policy {self._name!r} {what}") from error
        kept = kept_places(self._name, asked, outcome, self._scenario.workload.combined is not None)
        took_s = time.perf_counter() - began if self._scenario.measure_decisions else self._scenario.decision_s

        def act(_: object = None) -> None:
            if kept is None:
                self._follow(asked, outcome, self._env.now)  # type: ignore[arg-type]  # it is a Decision
            else:
                self._keep(asked, kept, self._env.now)

        if took_s > 0:
            Moment(self._env, took_s, DECISIONS).callbacks.append(act)
        else:
            act()

    def _answer(self, asked: Asked, call: int) -> Answer:
        """Return what the policy may see of a call that has ended."""
        calls = self.calls
        deployment, asked_at_s = calls.deployment[call], calls.decided_at_s[call]
        if call not in asked.cost:
            lost_at_s = calls.ended_at_s[call]
            took_s = 0.0 if math.isnan(lost_at_s) else lost_at_s - asked_at_s
            return Answer(deployment, 0.0, took_s, 0, math.nan, FATES[calls.fate[call]])
        row = self._rows[asked.query.id]
        tokens = 0 if self._output_tokens is None else self._output_tokens[row, deployment]
        confidence = math.nan if self._confidence is None else self._confidence[row, deployment]
        return Answer(deployment, asked.cost[call], calls.finished_at_s[call] - asked_at_s, tokens, confidence)

    def _keep(self, asked: Asked, places: list[int], now_s: float) -> None:
        """Hand answers to the user, and end the query."""
        table, number = self._table, asked.query.id
        for place in places:
            self.calls.kept[asked.calls[place]] = True
        first = asked.calls[places[0]]
        self._speak_of(asked, first)
        table.fate[number] = SERVED
        table.started_at_s[number] = self.calls.started_at_s[first]
        table.first_token_at_s[number] = table.finished_at_s[number] = now_s
        combined = self._scenario.workload.combined
        if len(places) > 1 and combined is not None:
            scores = np.array([self._quality[self._rows[number], asked.answers[place].deployment] for place in places])
            worth = float(combined(scores))
            if not 0 <= worth <= 1:
                raise RuntimeError(
                    f"the workload says that answers with scores {scores.tolist()} are worth {worth} together "
                    f"(query {number}); it must be from 0 to 1"
                )
            table.combined[number] = worth
        self._leave(asked, places[0] if len(places) == 1 else None, now_s)

    def _give_up(self, asked: Asked, now_s: float) -> None:
        """End a query without an answer: declined by the policy, or with the fate of its last call if none came."""
        table, number = self._table, asked.query.id
        table.fate[number] = DECLINED
        table.deployment[number] = NOWHERE
        if asked.calls and not asked.cost:
            self._speak_of(asked, asked.calls[-1])
            table.fate[number] = self.calls.fate[asked.calls[-1]]
        table.ended_at_s[number] = now_s
        self._leave(asked, None, now_s)

    def _speak_of(self, asked: Asked, call: int) -> None:
        """Let the query's row speak of one of its calls."""
        table, calls, number = self._table, self.calls, asked.query.id
        offered_at_s = calls.offered_at_s[call]
        table.offered_at_s[number] = calls.decided_at_s[call] if math.isnan(offered_at_s) else offered_at_s
        table.attempts[number] = calls.attempts[call]
        table.deployment[number] = calls.deployment[call]

    def _leave(self, asked: Asked, kept: int | None, now_s: float) -> None:
        """Let the policy learn of the answers in the order of asking, and the query be gone."""
        query = asked.query
        assert self._table.n_calls is not None
        self._table.n_calls[query.id] = len(asked.calls)
        if self._finish is not None:
            for place, (call, answer) in enumerate(zip(asked.calls, asked.answers, strict=True)):
                if place == kept:
                    self._finish(Job(query, answer.deployment, answer.cost, answer.output_tokens), now_s)
                elif answer.came:
                    latency_s = self.calls.finished_at_s[call] - query.arrived_at_s
                    self._tell(Feedback(query, answer.deployment, math.nan, answer.cost, latency_s))
        self._end(query.id, now_s)
