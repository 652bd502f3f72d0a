"""How a deployment serves: Instant and Slots. It knows the clock and tokens, not money, quality or policies.

A service is a frozen set of hyperparameters; ``open`` makes its server for one run. A server says by ``admits(job)``
whether a job can begin, takes it by ``begin(job, now_s)``, and calls ``finish(job, now_s)`` at each completion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import simpy
from simpy.events import Timeout

from sim.interface import Query


class Job:
    """A query on its way through one deployment; the server sets ``started_at_s`` and ``first_token_at_s``."""

    __slots__ = ("cost", "deployment", "draws", "first_token_at_s", "output_tokens", "query", "started_at_s")
    started_at_s: float
    first_token_at_s: float

    def __init__(
        self, query: Query, deployment: int, cost: float, output_tokens: int, draws: Sequence[float] | None = None
    ) -> None:
        self.query = query
        self.deployment = deployment
        self.cost = cost
        self.output_tokens = output_tokens
        self.draws = draws


Finish = Callable[[Job, float], None]


class Server(Protocol):
    """A service at work in one run."""

    def admits(self, job: Job) -> bool:
        """Return whether the job can begin now."""
        ...

    def begin(self, job: Job, now_s: float) -> None:
        """Serve the job from now on; only called after ``admits``."""
        ...

    def cancel(self, job: Job, now_s: float) -> None:
        """Take the job out of service; its ``finish`` is never called."""
        ...

    def slow_down(self, factor: float, now_s: float) -> None:
        """Take ``factor`` times as long as normal for everything from now on."""
        ...


@dataclass(frozen=True)
class Instant:
    """Serve at once, without limit: the routing benchmarks' world, which has no clock."""

    needs_output_tokens = False

    def open(self, env: simpy.Environment, finish: Finish) -> Server:
        """Return the server of one run."""
        return InstantServer(finish)


class InstantServer:
    """Finishes every job in the moment it begins."""

    def __init__(self, finish: Finish) -> None:
        self._finish = finish

    def admits(self, job: Job) -> bool:
        """Return True."""
        return True

    def cancel(self, job: Job, now_s: float) -> None:
        """Do nothing: no job is ever in service."""

    def slow_down(self, factor: float, now_s: float) -> None:
        """Do nothing: factor times no time."""

    def begin(self, job: Job, now_s: float) -> None:
        """Serve the job."""
        job.started_at_s = job.first_token_at_s = now_s
        self._finish(job, now_s)


@dataclass(frozen=True)
class Slots:
    """Serve up to ``slots`` queries at once, each at its own constant speed.

    A query holds its slot for time_to_first_token_s + output tokens x time_per_output_token_s.

    Raises
    ------
    ValueError
        If there is no slot or a time is negative.
    """

    slots: int
    time_to_first_token_s: float
    time_per_output_token_s: float
    needs_output_tokens = True

    def __post_init__(self) -> None:
        """Check the hyperparameters."""
        if self.slots < 1:
            raise ValueError(f"slots is {self.slots}; a deployment needs at least 1")
        for name in ("time_to_first_token_s", "time_per_output_token_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be finite and at least 0")

    def open(self, env: simpy.Environment, finish: Finish) -> Server:
        """Return the server of one run."""
        return SlotsServer(self, env, finish)


class SlotsServer:
    """Counts busy slots and schedules one completion per job."""

    def __init__(self, service: Slots, env: simpy.Environment, finish: Finish) -> None:
        self._service = service
        self._env = env
        self._finish = finish
        self._busy = 0

    def admits(self, job: Job) -> bool:
        """Return whether a slot is free."""
        return self._busy < self._service.slots

    def cancel(self, job: Job, now_s: float) -> None:
        """Not yet."""
        raise NotImplementedError

    def slow_down(self, factor: float, now_s: float) -> None:
        """Not yet."""
        raise NotImplementedError

    def begin(self, job: Job, now_s: float) -> None:
        """Hold a slot until the last token."""
        service = self._service
        self._busy += 1
        job.started_at_s = now_s
        job.first_token_at_s = now_s + service.time_to_first_token_s
        decode_s = job.output_tokens * service.time_per_output_token_s
        done = Timeout(self._env, service.time_to_first_token_s + decode_s, job)
        done.callbacks.append(self._end)

    def _end(self, event: simpy.Event) -> None:
        self._busy -= 1
        job: Job = event.value  # type: ignore[assignment]
        self._finish(job, self._env.now)
