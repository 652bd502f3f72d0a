"""Takes each query through its rounds of calls: asks, waits for all calls of a round to end, lets the policy review.

To the dispatcher below, each call is a query of its own; the request table gets what became of the whole. It is used
only where a policy reviews answers or asks several deployments at once.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial

from sim.instance import Instance
from sim.interface import Answer, Combine, Decision, Feedback, Keep, Policy, Query, State
from sim.world.asked import PENDING, Asked, check_calls, checked_cap, kept_places
from sim.world.dispatch import Dispatcher
from sim.world.gate import after
from sim.world.kept import TruthOfAnswers
from sim.world.moment import Clock
from sim.world.record.calls import NONE, CallTable, speak_of
from sim.world.record.requests import DECLINED, FATES, SERVED, RequestTable
from sim.world.services.job import Finish, Job
from sim.world.tasks.purses import Purses


class Rounds:
    """The calls of one run.

    Parameters
    ----------
    policy : Policy
    instance : Instance
    env : Clock
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
    end : callable or None
        Called with its number and the time whenever a query has met its fate.
    purses : Purses or None
        The budgets of tasks, where queries are steps of tasks.
    store : callable or None
        Called with what each user got, for a cache; see ``sim.world.caching.cache.Cache.store``.

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
        env: Clock,
        name: str,
        table: RequestTable,
        state: Callable[[], State],
        finish: Finish | None,
        tell: Callable[[Feedback], None],
        end: Callable[[int, float], None] | None,
        purses: Purses | None = None,
        store: Callable[[int, Sequence[int], float, int, float], None] | None = None,
    ) -> None:
        self._review = policy.review
        self._env = env
        self._name = name
        self._table = table
        self._state = state
        self._finish = finish
        self._tell = tell
        self._end = end
        self._store = store
        self._scenario = instance.scenario
        self._max_calls = instance.scenario.max_calls
        self._decision_s = instance.scenario.decision_s
        self._measures = instance.scenario.measure_decisions
        self._may_combine = instance.scenario.workload.combined is not None
        self._rows = table.row
        self._confidence = None if instance.confidence is None else instance.confidence.data
        self._n_deployments = len(instance.fleet)
        self._under_way: dict[int, Asked] = {}  # by the number of each call that is
        self._speaks_of = array("q", [NONE]) * len(instance.rows)  # the call that the row of each query speaks of
        self.calls = table.calls = CallTable(len(instance.rows))
        self.calls.tasks = table.tasks
        self._truth = TruthOfAnswers(instance, self.calls, table.row)
        self.dispatcher = Dispatcher(name, instance, env, self.calls, self._answered, self._lost, self.calls, purses)
        self._offer = self.dispatcher.carry_out

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
        choice, fallbacks, explores, alongside, cap = decision
        number = asked.number
        if explores:
            self._table.explored[number] = True
        if choice is None and not alongside:
            self._give_up(asked, now_s)
            return
        if cap is not None:
            checked_cap(self._name, number, cap, self._scenario.workload.caps)
        is_sound = type(choice) is int and 0 <= choice < self._n_deployments and len(asked.calls) < self._max_calls
        row, round_ = self._rows[number], asked.rounds
        asked.rounds = round_ + 1
        if is_sound and not alongside and not fallbacks:  # as nearly every round
            asked.under_way = 1
            self._call(asked, self.calls.add(number, row, round_, 0, now_s), decision, now_s)
            return
        each = [Decision(choice, fallbacks), *map(Decision, alongside)]
        each = each if cap is None else [one._replace(max_output_tokens=cap) for one in each]
        check_calls(self._name, asked, each, self._n_deployments, self._max_calls)
        asked.under_way = len(each)  # of all, before the first, as a call may end at once
        made = [self.calls.add(number, row, round_, place, now_s) for place in range(len(each))]
        for call, one in zip(made, each, strict=True):
            self._call(asked, call, one, now_s)

    def _call(self, asked: Asked, call: int, decision: Decision, now_s: float) -> None:
        asked.calls.append(call)
        asked.answers.append(PENDING)
        self._under_way[call] = asked
        self._offer(tuple.__new__(Query, (call,) + asked.fields), decision, now_s)  # noqa: RUF005 - it is quicker

    def _answered(self, job: Job, now_s: float) -> None:
        """Take note of an answer, as the policy may see it."""
        call, deployment = job.query[0], job.deployment
        asked = self._under_way.pop(call)
        sure = math.nan if self._confidence is None else self._confidence[self.calls.row[call], deployment]
        took_s = now_s - self.calls.decided_at_s[call]
        answer = tuple.__new__(Answer, (deployment, job.cost, took_s, job.output_tokens, sure, "served"))
        if asked.under_way == 1 and asked.calls[-1] == call:  # as nearly always
            asked.answers[-1] = answer
            self._env.decide(self._look, asked)
        else:
            self._ended(asked, call, answer)

    def _lost(self, call: int, now_s: float) -> None:
        """Take note of a call without an answer; of one that was answered this is no news."""
        asked = self._under_way.pop(call, None)
        if asked is None:
            return
        took_s = now_s - self.calls.decided_at_s[call]
        fate = FATES[self.calls.fate[call]]
        answer = Answer(self.calls.deployment[call], 0.0, took_s, 0, math.nan, fate)
        self._ended(asked, call, answer)

    def _ended(self, asked: Asked, call: int, answer: Answer) -> None:
        """Let the policy review once the last call of a round has ended.

        It does so among the decisions of that time: after all that ends then, and not while a station is at work on it.
        """
        asked.answers[asked.calls.index(call)] = answer
        asked.under_way -= 1
        if asked.under_way == 0:
            self._env.decide(self._look, asked)

    # --- reviewing ----------------------------------------------------------------------------------------------------

    def _look(self, asked: Asked) -> None:
        """Ask the policy what becomes of a query, and do it once the decision has taken its time."""
        began = time.perf_counter() if self._measures else 0.0
        try:
            outcome = self._review(asked.query, tuple(asked.answers), self._state())
        except Exception as error:
            what = f"raised {type(error).__name__} reviewing query {asked.query.id}: {error}"
            raise RuntimeError(f"policy {self._name!r} {what}") from error
        kept = None if type(outcome) is Decision else kept_places(self._name, asked, outcome, self._may_combine)
        took_s = time.perf_counter() - began if self._measures else self._decision_s
        if took_s == 0:
            self._act(asked, outcome, kept)
        else:
            after(self._env, took_s, partial(self._act, asked, outcome, kept))

    def _act(self, asked: Asked, outcome: Decision | Keep | Combine, kept: Sequence[int] | None) -> None:
        if kept is None:
            self._follow(asked, outcome, self._env.now)  # type: ignore[arg-type]  # it is a Decision
        else:
            self._keep(asked, kept, self._env.now)

    def _keep(self, asked: Asked, places: Sequence[int], now_s: float) -> None:
        """Hand answers to the user, and end the query."""
        table, number = self._table, asked.number
        for place in places:
            self.calls.kept[asked.calls[place]] = True
        self._speaks_of[number] = asked.calls[places[0]]
        table.fate[number] = SERVED
        table.finished_at_s[number] = now_s
        if len(places) > 1:
            table.quality[number] = self._truth.worth(asked, places)
        elif self.calls.scores:
            table.scores[number] = self.calls.scores[asked.calls[places[0]]]
        if self._store is not None:
            kept = [asked.answers[place] for place in places]
            n_tokens = sum(answer.output_tokens for answer in kept)
            self._store(number, [answer.deployment for answer in kept], self._truth.paid_usd(asked), n_tokens, now_s)
        self._leave(asked, places[0] if len(places) == 1 else None, now_s)

    def _give_up(self, asked: Asked, now_s: float) -> None:
        """End a query without an answer: declined by the policy, or with the fate of its last call if none came."""
        table, number = self._table, asked.query.id
        table.fate[number] = DECLINED
        if asked.calls and not any(answer.came for answer in asked.answers):
            self._speaks_of[number] = asked.calls[-1]
            table.fate[number] = self.calls.fate[asked.calls[-1]]
        table.ended_at_s[number] = now_s
        self._leave(asked, None, now_s)

    def _leave(self, asked: Asked, kept: int | None, now_s: float) -> None:
        """Let the policy learn of the answers in the order of asking, and the query be gone."""
        query = asked.query
        if self._finish is not None:
            for place, (call, answer) in enumerate(zip(asked.calls, asked.answers, strict=True)):
                if place == kept:
                    self._finish(Job(query, answer.deployment, answer.cost, answer.output_tokens), now_s)
                elif answer.came:
                    latency_s = self.calls.finished_at_s[call] - query.arrived_at_s
                    self._tell(Feedback(query, answer.deployment, math.nan, answer.cost, latency_s))
        if self._end is not None:
            self._end(asked.number, now_s)

    def kept(self, number: int) -> tuple[int, int]:
        """Return which deployment's answer a query has kept, the first of those that it combines, and its call."""
        call = self._speaks_of[number]
        return self.calls.deployment[call], call

    def close(self) -> None:
        """Let the row of each query speak of the call that was kept, or of the last one if none was answered."""
        speak_of(self.calls, self._speaks_of, self._table)
