"""A queue in front of a server, first come first served. It knows jobs and waiting, not money or policies."""

from __future__ import annotations

from collections import deque

import simpy

from sim.scenario import Deployment
from sim.world.counts import Counts
from sim.world.service import Finish, Job, Server


class Station:
    """One deployment at work in one run.

    Parameters
    ----------
    deployment : Deployment
    number : int
        Its index in the fleet.
    queued, in_flight : Counts
        Of the whole fleet; this station keeps its own number up to date.
    env : simpy.Environment
    done : callable
        Called with each job and the time at its completion, after the next one has begun.
    """

    def __init__(
        self,
        deployment: Deployment,
        number: int,
        queued: Counts,
        in_flight: Counts,
        env: simpy.Environment,
        done: Finish,
    ) -> None:
        self._number = number
        self._queued = queued.write
        self._in_flight = in_flight.write
        self._done = done
        self._server: Server = deployment.service.open(env, self._finish)
        self._capacity = deployment.queue_capacity
        self._waiting: deque[Job] = deque()

    def is_full(self, job: Job) -> bool:
        """Return whether a further job could neither begin nor wait."""
        return self._capacity is not None and len(self._waiting) >= self._capacity and not self._server.admits(job)

    def take(self, job: Job, now_s: float) -> None:
        """Begin the job, or let it wait; only called while not ``is_full``."""
        if not self._waiting and self._server.admits(job):
            self._in_flight[self._number] += 1
            self._server.begin(job, now_s)
        else:
            self._waiting.append(job)
            self._queued[self._number] += 1

    def _finish(self, job: Job, now_s: float) -> None:
        self._in_flight[self._number] -= 1
        while self._waiting and self._server.admits(
            self._waiting[0]
        ):  # before done, so that nobody overtakes those who wait
            self._queued[self._number] -= 1
            self._in_flight[self._number] += 1
            self._server.begin(self._waiting.popleft(), now_s)
        self._done(job, now_s)
