"""Defines a job, and what a service's server offers to the replica that it serves. It knows no service.

A service is a frozen set of hyperparameters; ``open`` makes its server for one replica of one run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from sim.interface import Decision, Query

ANYWHERE = Decision(None)


class Job:
    """A query on its way through one deployment.

    Attributes
    ----------
    query, deployment, output_tokens
        What is served, where, and how long its answer will be (the truth: policies never see a job).
    cached_tokens : int
        Of its input, what the deployment still holds and need not prefill; known when it begins, if the deployment
        keeps prefixes.
    saving : float
        What a cached token of its input takes off ``cost``, for a deployment that keeps prefixes and charges less for
        them; 0 for every other.
    cost, committed, window
        What it costs in the budget's unit, what has been committed for it, and in which budget window.
    decision : Decision
        What its policy decided.
    draws : sequence of float or None
        The query's random numbers for this deployment, if its service draws any.
    started_at_s, first_token_at_s : float
        Set by the server; NaN before.
    left_s : tuple of float or None
        While it is stopped: what is left of its time to the first and to the last token, at normal speed.
    preempted_s : float
        How long it has been stopped so far; while it is, since when is ``preempted_at_s``.
    is_waiting, is_gone : bool
        Whether it is in a queue; whether it has left the deployment, served or not.
    """

    __slots__ = (
        "cached_tokens",
        "committed",
        "cost",
        "decision",
        "deployment",
        "draws",
        "first_token_at_s",
        "is_gone",
        "is_waiting",
        "left_s",
        "output_tokens",
        "preempted_at_s",
        "preempted_s",
        "query",
        "saving",
        "started_at_s",
        "window",
    )

    def __init__(
        self,
        query: Query,
        deployment: int,
        cost: float,
        output_tokens: int,
        draws: Sequence[float] | None = None,
        decision: Decision = ANYWHERE,
        committed: float = 0.0,
        window: int = 0,
        cached_tokens: int = 0,
    ) -> None:
        self.decision = decision
        self.committed = committed
        self.window = window
        self.query = query
        self.deployment = deployment
        self.cost = cost
        self.output_tokens = output_tokens
        self.cached_tokens = cached_tokens
        self.draws = draws
        self.saving = 0.0
        self.is_waiting = self.is_gone = False
        self.started_at_s = self.first_token_at_s = math.nan
        self.left_s: tuple[float, float] | None = None
        self.preempted_s = 0.0

    def stop(self, left_s: tuple[float, float], now_s: float) -> None:
        """Be stopped in service, with so much time left to the first and to the last token."""
        self.left_s, self.preempted_at_s = left_s, now_s

    def go_on(self, now_s: float) -> tuple[float, float] | None:
        """Be stopped no longer; return what was left, None if it was not."""
        left_s = self.left_s
        if left_s is not None:
            self.left_s = None
            self.preempted_s += now_s - self.preempted_at_s
        return left_s


Finish = Callable[[Job, float], None]
Room = Callable[[float], None]


class Server(Protocol):
    """A service at work in one replica of one run; it calls ``finish(job, now_s)`` at each completion.

    Attributes
    ----------
    on_room : callable or None
        Set by the replica. A server that has room again without a completion, as when a rate limit refills, calls it
        with the time; every other leaves it alone.
    """

    on_room: Room | None

    def admits(self, job: Job) -> bool:
        """Return whether the job could begin now."""
        ...

    def begin(self, job: Job, now_s: float) -> None:
        """Serve the job from now on; only called when it is admitted."""
        ...

    def cancel(self, job: Job, now_s: float) -> None:
        """Take a job out of service; its finish is never called."""
        ...

    def slow_down(self, factor: float, now_s: float) -> None:
        """Take ``factor`` times as long as normal for everything from now on; 1 restores."""
        ...


class PausingServer(Server, Protocol):
    """A server of a service that may pause."""

    def pause(self, job: Job, now_s: float) -> None:
        """Stop a job, which goes on from there when it begins again."""
        ...
