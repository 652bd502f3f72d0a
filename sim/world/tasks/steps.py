"""Lets the steps of tasks arrive, each when the one before has been answered, and ends the tasks.

It knows the truth of rewards, and no policy. First steps arrive as queries do, in an open or a closed loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import simpy

from sim.instance import Instance
from sim.interface import Query, Task
from sim.workload.tasks import earned
from sim.world.arriving import Source
from sim.world.moment import ARRIVALS, Moment
from sim.world.record.requests import SERVED, RequestTable
from sim.world.record.tasks import DONE, FAILED, LATE, TaskTable
from sim.world.tasks.purses import Purses

NOBODY = -1


class Steps:
    """The steps of all tasks of one run, as a source; see ``sim.world.arriving.Source``.

    Parameters
    ----------
    env : simpy.Environment
    heads : Source
        Lets the tasks begin; the id of a query of it is the number of its task.
    queries : sequence of Query
        All that may arrive, in the order of the instance's rows, as if each arrived at 0.
    instance : Instance
    table : RequestTable
        Gets the rows and times of arrival.
    served_by : callable
        Returns which deployment has answered a query of this number, and the score of the answer.
    end : callable
        Called with the number of a task and its reward when it has ended.
    purses : Purses
        What the tasks have spent.
    """

    def __init__(
        self,
        env: simpy.Environment,
        heads: Source,
        queries: Sequence[Query],
        instance: Instance,
        table: RequestTable,
        served_by: Callable[[int], tuple[int, float]],
        end: Callable[[int, float], None],
        purses: Purses,
    ) -> None:
        tasks, limits = instance.tasks, instance.scenario.task
        assert tasks is not None
        assert table.tasks is not None
        self._env = env
        self._heads = heads
        self._queries = queries
        self._table = table
        self._served_by = served_by
        self._end = end
        self._rows: list[int] = instance.rows.tolist()
        self._begins: list[int] = tasks.begins.tolist()
        self._tool_s: list[float] = tasks.steps.tool_s.tolist()
        self._cached_share = tasks.cached_share
        self._is_charged_usd = np.array([info.unit == "usd" for info in instance.setting.fleet])
        self._reward = instance.scenario.workload.reward
        self._limit_s = math.inf if limits.deadline_s is None else limits.deadline_s
        self._due_s = [math.inf] * len(tasks)
        self._last: list[int | None] = [None] * len(tasks)  # the deployment of the step before
        self._scores: list[list[float]] = [[] for _ in range(len(tasks))]
        self._n_open = 0
        self._record: TaskTable = table.tasks
        self._purses = purses

    def begin(self, take: Callable[[Query], None]) -> None:
        """Let the first tasks begin."""
        self._take = take
        self._heads.begin(self._start)

    def waits_for_more(self, n_waiting: int) -> bool:
        """Return whether a query may arrive while so many wait: of a new task, or of one that is under way."""
        return self._heads.waits_for_more(n_waiting) or n_waiting < self._n_open

    def _start(self, head: Query) -> None:
        """Let a task begin."""
        self._n_open += 1
        self._due_s[head.id] = head.arrived_at_s + self._limit_s
        self._arrive(head.id, 0, head.arrived_at_s)

    def _arrive(self, task: int, step: int, now_s: float) -> None:
        """Let a step arrive; it is numbered in order of arrival, so that its number tells nothing of its task."""
        table, place, number = self._table, self._begins[task] + step, len(self._table.row)
        table.row.append(self._rows[place])
        self._record.add(place, task, step)
        table.arrived_at_s[number] = table.decided_at_s[number] = now_s
        query, last, due_s = self._queries[place], self._last[task], self._due_s[task]
        cost_hat = query.cost_hat
        if last is not None and self._is_charged_usd[last]:
            cost_hat = cost_hat.copy()
            cost_hat[last] *= self._cached_share[last]
            cost_hat.setflags(write=False)
        spent_usd = self._purses.spent_usd[task]
        self._take(
            query._replace(
                id=number,
                arrived_at_s=now_s,
                cost_hat=cost_hat,
                deadline_s=min(now_s + query.deadline_s, due_s),
                task=Task(task, step + 1, spent_usd, self._purses.budget_usd, due_s, last),
            )
        )

    def step_ended(self, number: int, now_s: float) -> bool:
        """Take note that a step has met its fate; return whether its task has ended with it."""
        record = self._record
        task, step = record.task[number], record.step[number]
        if self._table.fate[number] != SERVED:
            return self._finish(task, FAILED, now_s)
        self._last[task], score = self._served_by(number)
        self._scores[task].append(self._table.quality.get(number, score))  # a combination has a worth of its own
        following = self._begins[task] + step + 1
        is_last = following == self._begins[task + 1]
        tool_s = 0.0 if is_last else self._tool_s[self._rows[following]]
        self._table.quality[number] = 0.0  # it is earned at the end
        if now_s + tool_s > self._due_s[task]:
            return self._finish(task, LATE, now_s)
        if is_last:
            self._table.quality[number] = earned(self._reward, np.array(self._scores[task]))
            return self._finish(task, DONE, now_s, self._table.quality[number])
        Moment(self._env, tool_s, ARRIVALS, (task, step + 1)).callbacks.append(self._follow)
        return False

    def _follow(self, event: simpy.Event) -> None:
        task, step = event.value  # type: ignore[misc]
        self._arrive(task, step, self._env.now)

    def _finish(self, task: int, fate: int, now_s: float, reward: float = 0.0) -> bool:
        self._n_open -= 1
        self._record.fate[task], self._record.ended_at_s[task], self._record.quality[task] = fate, now_s, reward
        self._end(task, reward)
        return True
