"""Serves jobs one after another as its server has room: one replica and its queue.

It knows jobs, and no deployment, money or policy.
"""

from __future__ import annotations

from typing import Any, cast

import simpy

from sim.deployment import Service
from sim.interface import PrefixTree
from sim.world.services.job import Finish, Job, PausingServer, Server
from sim.world.stations.queue import Discipline, Queue


class Replica:
    """A server with its queue.

    Parameters
    ----------
    service : Service
    discipline : callable or None
    preemptive : bool
        Whether a job may take the place of one in service that the discipline ranks higher.
    env : simpy.Environment
    finish : callable
        Called with each job and the time at its completion, after the next one has begun.
    counts : tuple
        The fleet's numbers of waiting jobs and of jobs in service, and this deployment's place in them.
    number : int
        Of the replicas that its deployment has opened, from 0.
    prefixes : PrefixTree or None
        Where it keeps prefixes of prompts; None if it does not.
    block_tokens : int
        Tokens of a block of these.
    """

    def __init__(
        self,
        service: Service,
        discipline: Discipline | None,
        preemptive: bool,
        env: simpy.Environment,
        finish: Finish,
        counts: tuple[Any, Any, int],
        number: int = 0,
        prefixes: PrefixTree | None = None,
        block_tokens: int = 1,
    ) -> None:
        self.number = number
        self._prefixes = prefixes
        self._block_tokens = block_tokens
        self._queued, self._in_flight, self._place = counts
        self._finish = finish
        self._queue = Queue(discipline)
        self._rank = discipline if preemptive else None
        self._serving: set[Job] = set()
        self.server: Server = service.open(env, self._finished)
        self.server.on_room = self._begin_waiting
        self.accepts = True

    @property
    def load(self) -> int:
        """Jobs waiting and in service."""
        return self._queue.length + len(self._serving)

    @property
    def waiting_count(self) -> int:
        """Jobs waiting."""
        return self._queue.length

    @property
    def serving_count(self) -> int:
        """Jobs in service."""
        return len(self._serving)

    def held_blocks(self, job: Job) -> int:
        """Return how many blocks of the job's prompt, from the first on, are held here now."""
        return 0 if self._prefixes is None else self._prefixes.held(job.query.prefix_blocks)

    def begin(self, job: Job, now_s: float) -> bool:
        """Serve the job from now on, if no job waits and the server has room; return whether it does."""
        if self._queue.length or not self.server.admits(job):
            return self._rank is not None and self._preempt(job, self._rank, now_s)
        self._serve(job, now_s)
        return True

    def _preempt(self, job: Job, rank: Discipline, now_s: float) -> bool:
        """Serve the job in the place of the last of those in service that rank highest, if it ranks lower."""
        last = max(self._serving, key=lambda one: (rank(one), one.query.id), default=None)
        if last is None or not rank(job) < rank(last):
            return False
        self._serving.remove(last)
        self._in_flight[self._place] -= 1
        cast(PausingServer, self.server).pause(last, now_s)  # a service that cannot has been refused
        self._queue.push_back(last)
        self._queued[self._place] += 1
        self._serve(job, now_s)
        return True

    def wait(self, job: Job) -> None:
        """Let the job wait."""
        self._queue.push(job)
        self._queued[self._place] += 1

    def remove(self, job: Job, now_s: float) -> None:
        """Take a job out, from the queue or from service with its work lost."""
        job.is_gone = True
        if job.is_waiting:
            self._queue.remove(job)
            self._queued[self._place] -= 1
            job.go_on(now_s)
        else:
            self._serving.remove(job)
            self._in_flight[self._place] -= 1
            self.server.cancel(job, now_s)
        self._begin_waiting(now_s)

    def clear(self, now_s: float) -> list[Job]:
        """Take out all jobs, in service first; return them."""
        lost = sorted(self._serving, key=lambda job: job.query.id)
        for job in lost:
            job.is_gone = True
            self._serving.remove(job)
            self.server.cancel(job, now_s)
        self._in_flight[self._place] -= len(lost)
        while self._queue.length:
            job = self._queue.first()
            job.is_gone = True
            self._queue.remove(job)
            self._queued[self._place] -= 1
            job.go_on(now_s)
            lost.append(job)
        if self._prefixes is not None:
            self._prefixes.clear()
        return lost

    def _serve(self, job: Job, now_s: float) -> None:
        if self._prefixes is not None:  # what is prefilled now is there for all that begin later: prefills take turns
            blocks = job.query.prefix_blocks
            job.cached_tokens = min(self._prefixes.held(blocks) * self._block_tokens, job.query.input_tokens)
            self._prefixes.add(blocks)
        self.server.begin(job, now_s)
        if not job.is_gone:  # an instant server has finished it already
            self._serving.add(job)
            self._in_flight[self._place] += 1

    def _finished(self, job: Job, now_s: float) -> None:
        job.is_gone = True
        if job in self._serving:
            self._serving.remove(job)
            self._in_flight[self._place] -= 1
        if self._queue.length:  # first, so that nothing that ``finish`` sets off overtakes the jobs that wait
            self._begin_waiting(now_s)
        self._finish(job, now_s)

    def _begin_waiting(self, now_s: float) -> None:
        while self._queue.length and self.server.admits(self._queue.first()):
            job = self._queue.first()
            self._queue.remove(job)
            self._queued[self._place] -= 1
            self._serve(job, now_s)
