"""A queue in front of a server, first come first served. It knows jobs and waiting, not money or policies."""

from __future__ import annotations

from collections import deque

import simpy

from sim.scenario import Deployment
from sim.world.service import Finish, Job, Server


class Station:
    """One deployment at work in one run.

    Parameters
    ----------
    deployment : Deployment
    env : simpy.Environment
    done : callable
        Called with each job at its completion, after the next one has begun.

    Attributes
    ----------
    queued, in_flight : int
        Jobs that wait and jobs in service.
    """

    def __init__(self, deployment: Deployment, env: simpy.Environment, done: Finish) -> None:
        self._done = done
        self._server: Server = deployment.service.open(env, self._finish)
        self._capacity = deployment.queue_capacity
        self._waiting: deque[Job] = deque()
        self.in_flight = 0

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether a further job could neither begin nor wait."""
        return not self._server.has_room and self._capacity is not None and len(self._waiting) >= self._capacity

    def take(self, job: Job) -> None:
        """Begin the job, or let it wait; only called while not ``is_full``."""
        if self._server.has_room:
            self._begin(job)
        else:
            self._waiting.append(job)

    def _begin(self, job: Job) -> None:
        self.in_flight += 1
        self._server.begin(job)

    def _finish(self, job: Job) -> None:
        self.in_flight -= 1
        while self._waiting and self._server.has_room:  # before done, so that nobody overtakes those who wait
            self._begin(self._waiting.popleft())
        self._done(job)
