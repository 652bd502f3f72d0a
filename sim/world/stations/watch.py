"""Remembers how long the queries of one deployment waited of late, for an autoscaler. It knows no query's future."""

from __future__ import annotations

import math
from collections import deque

from sim.world.services.job import Job


class Watch:
    """What became of the jobs of one deployment in the last ``window_s`` seconds.

    Parameters
    ----------
    window_s : float
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._offered_at_s: dict[Job, float] = {}  # of jobs that are here
        self._done: deque[tuple[float, float, float]] = deque()  # offered, started, first token, of those that ended

    def took(self, job: Job, now_s: float) -> None:
        """Note that a job was offered."""
        self._offered_at_s[job] = now_s

    def finished(self, job: Job) -> None:
        """Note that a job has been served."""
        self._done.append((self._offered_at_s.pop(job), job.started_at_s, job.first_token_at_s))

    def lost(self, job: Job) -> None:
        """Forget a job that was not served."""
        self._offered_at_s.pop(job, None)

    def waits_s(self, now_s: float, limit_s: float, to_first_token: bool) -> list[float]:
        """Return how long jobs waited for their first token, or for their start, that had it in the window.

        Those that still wait, and already longer than ``limit_s``, count with how long they have waited so far.
        """
        since_s = now_s - self._window_s
        while self._done and self._done[0][2] <= since_s and self._done[0][1] <= since_s:
            self._done.popleft()
        waits_s: list[float] = []
        here = [(at_s, job.started_at_s, job.first_token_at_s) for job, at_s in self._offered_at_s.items()]
        for offered_at_s, started_at_s, first_token_at_s in (*self._done, *here):
            at_s = first_token_at_s if to_first_token else started_at_s
            if since_s < at_s <= now_s:
                waits_s.append(at_s - offered_at_s)
            elif (math.isnan(at_s) or at_s > now_s) and now_s - offered_at_s > limit_s:
                waits_s.append(now_s - offered_at_s)
        return waits_s
