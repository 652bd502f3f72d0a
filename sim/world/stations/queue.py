"""Keeps the jobs that wait for a replica and says which is next, in any order. It knows jobs, and no server.

A discipline is a function from a job to its rank, the lowest first; without one a queue is first come, first served.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable

from sim.world.services.job import Job

Discipline = Callable[[Job], float]


def shortest_predicted(job: Job) -> float:
    """Rank by the predicted cost of the query on this deployment, which grows with the length of its answer."""
    return float(job.query.cost_hat[job.deployment])


def highest_priority(job: Job) -> float:
    """Rank by the query's priority class, 0 before 1 before 2."""
    return float(job.query.priority)


def earliest_deadline(job: Job) -> float:
    """Rank by the query's deadline."""
    return job.query.deadline_s


class Queue:
    """Jobs that wait; one that leaves early stays inside, unseen, until its turn.

    Parameters
    ----------
    discipline : callable or None
        Ties, and all jobs without a discipline, are served in the order of ``push``.

    Attributes
    ----------
    length : int
        How many wait.
    """

    def __init__(self, discipline: Discipline | None) -> None:
        self._discipline = discipline
        self._jobs: deque[Job] = deque()
        self._heap: list[tuple[float, int, Job]] = []
        self._pushed = self._pushed_back = 0
        self.length = 0

    def push(self, job: Job) -> None:
        """Let a job wait."""
        job.is_waiting = True
        self.length += 1
        if self._discipline is None:
            self._jobs.append(job)
        else:
            heapq.heappush(self._heap, (self._discipline(job), self._pushed, job))
            self._pushed += 1

    def push_back(self, job: Job) -> None:
        """Let a job that was in service wait before all others of its rank; only with a discipline."""
        assert self._discipline is not None
        job.is_waiting = True
        self.length += 1
        self._pushed_back += 1
        heapq.heappush(self._heap, (self._discipline(job), -self._pushed_back, job))

    def first(self) -> Job:
        """Return the next job, which stays; only called while there is one."""
        if self._discipline is None:
            while not self._jobs[0].is_waiting:
                self._jobs.popleft()
            return self._jobs[0]
        while not self._heap[0][2].is_waiting:
            heapq.heappop(self._heap)
        return self._heap[0][2]

    def remove(self, job: Job) -> None:
        """Take out a job that waits."""
        job.is_waiting = False
        self.length -= 1
