"""Keeps what each task of a run has spent, and refuses what its own budget does not pay. It knows no deployment."""

from __future__ import annotations

import math

from sim.instance import Instance
from sim.interface import TOLERANCE, Query
from sim.world.services.job import Job


class Purses:
    """The spending of all tasks of one run, in USD: what is committed and what is paid.

    Parameters
    ----------
    instance : Instance
        Of tasks.

    Attributes
    ----------
    budget_usd : float
        Of each task; ``inf`` for no limit.
    spent_usd : list of float
        By the number of the task, with what is committed for calls that are under way.
    """

    def __init__(self, instance: Instance) -> None:
        budget_usd, tasks = instance.scenario.task.budget_usd, instance.tasks
        assert tasks is not None  # or nobody asks for their purses
        self.budget_usd = math.inf if budget_usd is None else budget_usd
        self.spent_usd = [0.0] * len(tasks)
        self._is_charged_usd = [info.unit == "usd" for info in instance.setting.fleet]

    def open(self, job: Job, cost_usd: float) -> bool:
        """Commit what a call takes from its task, if the budget pays for it by the rule of the ledger; return whether.

        Where estimates are reserved, and the deployment is charged in USD, it is the estimate that counts.
        """
        if not self.pays(job.query, job.deployment, job.committed, cost_usd):
            return False
        self.spent_usd[task_of(job.query)] += self._amount_usd(job.deployment, job.committed, cost_usd)
        return True

    def pays(self, query: Query, deployment: int, committed: float, cost_usd: float) -> bool:
        """Return whether a task can pay for a call at a deployment, whose budget would commit so much."""
        amount_usd = self._amount_usd(deployment, committed, cost_usd)
        return amount_usd * (1 - TOLERANCE) <= self.budget_usd - self.spent_usd[task_of(query)]

    def close(self, job: Job, committed_for_usd: float, cost_usd: float) -> None:
        """Put what a call has cost in the place of what was committed; 0 for one that was lost or refused."""
        amount_usd = self._amount_usd(job.deployment, job.committed, committed_for_usd)
        self.spent_usd[task_of(job.query)] += cost_usd - amount_usd

    def _amount_usd(self, deployment: int, committed: float, cost_usd: float) -> float:
        return committed if self._is_charged_usd[deployment] else cost_usd


def task_of(query: Query) -> int:
    """Return the number of a query's task."""
    assert query.task is not None  # or there would be no purses
    return query.task.id
