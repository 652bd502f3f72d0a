"""Tells the policy of a run what became of its answers: costs and latencies at once, scores when somebody gives them.

It knows the truth, and no deployment.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import simpy

from sim.instance import Instance
from sim.interface import Feedback, Hit, Policy
from sim.world.bill import Worth, score_of
from sim.world.gate import after
from sim.world.moment import COMPLETIONS
from sim.world.record.requests import RequestTable
from sim.world.services.job import Finish, Job


class Lessons:
    """What the policy of one run learns.

    Parameters
    ----------
    name : str
        The policy's, for error messages.
    policy : Policy
    instance : Instance
    env : simpy.Environment
    table : RequestTable

    Attributes
    ----------
    finish : callable or None
        To be called with each job and the time at its completion; None if the policy learns nothing.
    hit : callable or None
        To be called with what a cache has answered; None if the policy does not want to hear of it.
    """

    def __init__(
        self, name: str, policy: Policy, instance: Instance, env: simpy.Environment, table: RequestTable
    ) -> None:
        self._name = name
        self._policy = policy
        self._instance = instance
        self._env = env
        self._score_of = score_of(instance)
        self._scores = table.scores
        self._worth = Worth(instance) if instance.scenario.workload.caps else None
        self._energy_j = None if instance.energy_j is None else instance.energy_j.data
        self._rows = table.row
        self._delay_s = instance.scenario.feedback.delay_s
        self._scored_after_s = None if instance.scored_after_s is None else instance.scored_after_s.data
        self._of_task: defaultdict[int, list[Feedback]] = defaultdict(list)  # by number; those without an end yet
        kind = type(policy)
        self.hit = None if kind.learn_hit is Policy.learn_hit else partial(self._pass_on, policy.learn_hit)
        self.finish: Finish | None = None
        if kind.learn is not Policy.learn or kind.learn_score is not Policy.learn_score:
            in_part = self._of_step if instance.tasks is not None else self._in_part
            self.finish = self._whole if instance.tasks is None and instance.opinions is None else in_part
            if self._scored_after_s is not None:
                self.finish = self._as_recorded

    def tell(self, feedback: Feedback) -> None:
        """Let the policy learn of an outcome.

        Raises
        ------
        RuntimeError
            If it raises; the message names the policy and the query.
        """
        self._pass_on(self._policy.learn, feedback)

    def price_changed(self, deployment: int, factor: float) -> None:
        """Let the policy know that queries now cost so many times what they did at the start."""
        try:
            self._policy.learn_price(deployment, factor)
        except Exception as error:
            what = f"raised {type(error).__name__} learning a price of deployment {deployment}: {error}"
            raise RuntimeError(f"policy {self._name!r} {what}") from error

    def quality(self, number: int, deployment: int, tokens: int) -> float:
        """Return the score of the answer that a query got, of which so many tokens came."""
        if number in self._scores:
            return self._scores[number]
        return self._score_of(self._rows[number], deployment, tokens)

    def task_ended(self, task: int, reward: float) -> None:
        """Let the policy learn what the steps of a task have earned together, if somebody says so."""
        steps, tasks, opinions = self._of_task.pop(task, ()), self._instance.tasks, self._instance.opinions
        assert tasks is not None  # or none would end
        last = int(tasks.begins[task + 1]) - 1
        if opinions is None or opinions.given[last]:
            quality = self._said(reward, last)
            for feedback in steps:
                after(self._env, self._delay_s, partial(self._score, feedback._replace(quality=quality)), COMPLETIONS)

    def _whole(self, job: Job, now_s: float) -> None:
        self.tell(self._feedback(job, self.quality(job.query.id, job.deployment, job.output_tokens), now_s))

    def _in_part(self, job: Job, now_s: float) -> None:
        """Tell of an outcome at completion, and of its score when somebody gives one."""
        number, opinions = job.query.id, self._instance.opinions
        assert opinions is not None
        quality = self._said(self.quality(number, job.deployment, job.output_tokens), number)
        scored = self._feedback(job, quality, now_s)
        is_given = bool(opinions.given[number])
        self.tell(scored if is_given and self._delay_s == 0 else scored._replace(quality=math.nan))
        if is_given and self._delay_s > 0:
            after(self._env, self._delay_s, partial(self._score, scored), COMPLETIONS)

    def _as_recorded(self, job: Job, now_s: float) -> None:
        """Tell of an outcome at completion, and of its score when it was given, if it was."""
        number = job.query.id
        assert self._scored_after_s is not None
        after_s: float = self._scored_after_s[self._rows[number], job.deployment]
        scored = self._feedback(job, self.quality(number, job.deployment, job.output_tokens), now_s)
        self.tell(scored if after_s == 0 else scored._replace(quality=math.nan))
        if after_s > 0:
            after(self._env, after_s, partial(self._score, scored), COMPLETIONS)

    def _of_step(self, job: Job, now_s: float) -> None:
        """Tell of a step; its score comes at the end of the task."""
        feedback, task = self._feedback(job, math.nan, now_s), job.query.task
        assert task is not None
        self._of_task[task.id].append(feedback)
        self.tell(feedback)

    def _said(self, quality: float, number: int) -> float:
        """Return what is said of an answer, with the error of whoever says it."""
        opinions = self._instance.opinions
        if opinions is None:
            return quality
        said = 1.0 - quality if opinions.flipped[number] else quality
        return min(max(said + float(opinions.error[number]), 0.0), 1.0)

    def _feedback(self, job: Job, quality: float, now_s: float) -> Feedback:
        query, k = job.query, job.deployment
        energy_j = math.nan if self._energy_j is None else self._energy_j[self._rows[query.id], k]
        if self._worth is not None:
            energy_j = self._worth.energy_j(self._rows[query.id], k, job.output_tokens)
        return Feedback(query, k, quality, job.cost, now_s - query.arrived_at_s, energy_j)

    def _score(self, feedback: Feedback) -> None:
        self._pass_on(self._policy.learn_score, feedback)

    def _pass_on(self, learn: Callable[[Any], None], feedback: Feedback | Hit) -> None:
        try:
            learn(feedback)
        except Exception as error:
            what = f"raised {type(error).__name__} learning from query {feedback.query.id}: {error}"
            raise RuntimeError(f"policy {self._name!r} {what}") from error
