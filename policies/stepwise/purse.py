"""What rules for steps share: the small and the large model, and whether a task's money lasts to its end.

They know nothing of what is still to come of a task: how many steps it will have is guessed from those that have ended.
"""

from __future__ import annotations

import math

import numpy as np

from policies.parts.named_deployments import averages
from sim.interface import BoolArray, Feedback, FloatArray, Query, Setting, Task, affords


def purse_of(setting: Setting, expected_steps: float) -> Purse:
    """Return a purse for a run that begins."""
    _, cost = averages(setting.history)
    cheapest = int(np.argmin(cost))
    return Purse(expected_steps, cheapest, float(cost[cheapest]))


class Purse:
    """How many more steps a task may have, and what leaves enough of its money for them.

    Steps to come: the mean number of steps of the tasks that have ended, of which one of ``expected_steps`` counts as
    the first, less the steps before, and at least a quarter of the mean: a task that is longer than others is not about
    to end. Each is taken to cost what steps of the run have cost on average at the cheapest deployment, or what this
    one would cost there if that is more; before any was taken there, the mean of the history, which knows no prefix.

    Parameters
    ----------
    expected_steps : float
        At least 1.
    cheapest : int
        The deployment that is the cheapest on average.
    cost : float
        What a query costs there in the history.

    Examples
    --------
    >>> purse = Purse(8.0, cheapest=0, cost=0.5)
    >>> purse.steps_left(Task(0, 1, 0.0)), purse.steps_left(Task(0, 8, 0.0)), purse.steps_left(None)
    (8.0, 2.0, 1.0)
    """

    def __init__(self, expected_steps: float, cheapest: int, cost: float) -> None:
        self.mean_steps = expected_steps
        self._cheapest = cheapest
        self._cost = cost
        self._n_there = 0
        self._n_tasks = 1
        self._n_steps = expected_steps
        self._answered: dict[int, int] = {}
        self._ended: set[int] = set()

    def learn(self, feedback: Feedback) -> None:
        """Count a step that has been answered, once however many calls it took, and what it cost at the cheapest."""
        task = feedback.query.task
        if task is not None and feedback.deployment == self._cheapest:
            self._n_there += 1
            self._cost += (feedback.cost - self._cost) / self._n_there
        if task is not None:
            self._answered[task.id] = max(task.step, self._answered.get(task.id, 0))

    def ended(self, task: Task) -> int:
        """Return how many steps of a task that has ended were answered; the first time, count the task."""
        steps = self._answered.get(task.id, task.step)
        if task.id not in self._ended:
            self._ended.add(task.id)
            self._n_tasks += 1
            self._n_steps += steps
            self.mean_steps = self._n_steps / self._n_tasks
        return steps

    def steps_left(self, task: Task | None) -> float:
        """Return how many steps are guessed to come, this one among them; 1 for a query that stands for itself."""
        if task is None:
            return 1.0
        return max(self.mean_steps - task.step + 1, self.mean_steps / 4, 1.0)

    def lasts(self, query: Query, cost: FloatArray | None = None, paid: float = 0.0) -> BoolArray:
        """Return after which choices (n_deployments,) the task's money pays its other steps at the cheapest.

        Parameters
        ----------
        query : Query
        cost : array (n_deployments,) or None
            Of this step at each; None for ``query.cost_hat``.
        paid : float
            What this step has cost already.
        """
        cost = query.cost_hat if cost is None else cost
        task = query.task
        if task is None or math.isinf(task.budget_usd):
            return np.ones(len(cost), dtype=np.bool_)
        rest = (self.steps_left(task) - 1) * max(float(query.cost_hat.min()), self._cost)
        left = np.full(len(cost), task.budget_usd - task.spent_usd - paid)
        return affords(left, cost + rest)
