"""Serves instantly or in slots. It knows the clock and tokens, and no money or policy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.errors import check_number, check_numbers
from sim.interface import FloatArray, IntArray
from sim.world.moment import COMPLETIONS, Clock
from sim.world.services.job import Finish, Job, Room, Server


@dataclass(frozen=True)
class Instant:
    """Serve at once, without limit: the routing benchmarks' world, which has no clock."""

    needs_output_tokens = False
    context_tokens: int | None = None

    def draw(self, n_queries: int, rng: np.random.Generator) -> FloatArray | None:
        """Return None: nothing is random."""
        return None

    def open(self, env: Clock, finish: Finish) -> Server:
        """Return the server of one replica."""
        return InstantServer(finish)


class InstantServer:
    """Finishes every job in the moment it begins."""

    on_room: Room | None = None

    def __init__(self, finish: Finish) -> None:
        self._finish = finish

    def admits(self, job: Job) -> bool:
        """Return True."""
        return True

    def begin(self, job: Job, now_s: float) -> None:
        """Serve the job."""
        job.started_at_s = job.first_token_at_s = now_s
        self._finish(job, now_s)

    def cancel(self, job: Job, now_s: float) -> None:
        """Do nothing: no job is ever in service."""

    def slow_down(self, factor: float, now_s: float) -> None:
        """Do nothing: nothing takes time."""


@dataclass(frozen=True)
class Slots:
    """Serve up to ``slots`` queries at once, each at its own constant speed.

    A query holds its slot for time_to_first_token_s + output tokens x time_per_output_token_s.

    Raises
    ------
    ValueError
        If there is no slot, a time is negative, or the context is not positive.
    """

    slots: int
    time_to_first_token_s: float
    time_per_output_token_s: float
    context_tokens: int | None = None
    needs_output_tokens = True
    may_pause = True

    def __post_init__(self) -> None:
        """Check the hyperparameters."""
        check_number("slots", self.slots, least=1)
        check_number("context_tokens", self.context_tokens, least=1, null="for no limit")
        check_numbers(self, "time_to_first_token_s", "time_per_output_token_s", least=0)

    def draw(self, n_queries: int, rng: np.random.Generator) -> FloatArray | None:
        """Return None: nothing is random."""
        return None

    def open(self, env: Clock, finish: Finish) -> Server:
        """Return the server of one replica."""
        first_s, token_s = self.time_to_first_token_s, self.time_per_output_token_s

        def durations_s(job: Job) -> tuple[float, float]:
            return first_s, job.output_tokens * token_s

        return SlotsServer(self.slots, durations_s, env, finish)

    def holds_s(self, output_tokens: IntArray | None, draws: FloatArray | None) -> FloatArray:
        """Return how long each of n queries with so many output tokens (n,) holds a slot (n,)."""
        assert output_tokens is not None  # a workload without them has been refused
        return np.asarray(self.time_to_first_token_s + output_tokens * self.time_per_output_token_s)

    def served_per_s(self, mean_input_tokens: float, mean_output_tokens: float) -> float | None:
        """Return slots / (first token + mean output tokens x time per token); None if that takes no time."""
        mean_s = self.time_to_first_token_s + mean_output_tokens * self.time_per_output_token_s
        return self.slots / mean_s if mean_s > 0 else None


class SlotsServer:
    """Counts busy slots and schedules one completion per job.

    Parameters
    ----------
    slots : float
        ``inf`` for any number.
    durations_s : callable
        From a job to its time to the first token and from there to the last, at normal speed.
    """

    on_room: Room | None = None

    def __init__(
        self, slots: float, durations_s: Callable[[Job], tuple[float, float]], env: Clock, finish: Finish
    ) -> None:
        self._slots = slots
        self._durations_s = durations_s
        self._env = env
        self._finish = finish
        self._factor = 1.0
        self._ends: dict[Job, tuple[float, Job]] = {}  # when each job in service will end, as it was planned last

    def admits(self, job: Job) -> bool:
        """Return whether a slot is free."""
        return len(self._ends) < self._slots

    def begin(self, job: Job, now_s: float) -> None:
        """Hold a slot until the last token."""
        left_s = job.go_on(now_s)
        if left_s is not None:
            if math.isnan(job.first_token_at_s):
                job.first_token_at_s = now_s + left_s[0] * self._factor
            self._schedule(job, now_s, left_s[1] * self._factor)
            return
        first_s, rest_s = self._durations_s(job)
        job.started_at_s = now_s
        job.first_token_at_s = now_s + first_s * self._factor
        self._schedule(job, now_s, (first_s + rest_s) * self._factor)

    def pause(self, job: Job, now_s: float) -> None:
        """Stop the job, which goes on from there when it begins again."""
        end_s, _ = self._ends.pop(job)
        first_s = 0.0
        if job.first_token_at_s > now_s:
            first_s = (job.first_token_at_s - now_s) / self._factor
            job.first_token_at_s = math.nan
        job.stop((first_s, (end_s - now_s) / self._factor), now_s)

    def cancel(self, job: Job, now_s: float) -> None:
        """Free the job's slot."""
        del self._ends[job]

    def slow_down(self, factor: float, now_s: float) -> None:
        """Stretch what is left of every job in service."""
        change = factor / self._factor
        self._factor = factor
        for job, (end_s, _) in list(self._ends.items()):
            if job.first_token_at_s > now_s:
                job.first_token_at_s = now_s + (job.first_token_at_s - now_s) * change
            self._schedule(job, now_s, (end_s - now_s) * change)

    def _schedule(self, job: Job, now_s: float, left_s: float) -> None:
        end_s = now_s + left_s
        self._ends[job] = end = (end_s, job)
        self._env.call_at(end_s, COMPLETIONS, self._end, end)

    def _end(self, end: tuple[float, Job]) -> None:
        end_s, job = end
        if self._ends.get(job) is end:  # otherwise it was cancelled or put off
            del self._ends[job]
            self._finish(job, end_s)
