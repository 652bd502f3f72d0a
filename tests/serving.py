"""One replica with its queue, and what happened to each request: for tests of services alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import simpy

from sim.deployment import Service
from sim.interface import Query
from sim.world.moment import Clock
from sim.world.services.job import Job
from sim.world.stations.replica import Replica

NAN = float("nan")


@dataclass(frozen=True)
class Request:
    arrival_s: float
    input_tokens: int
    output_tokens: float
    draws: Sequence[float] | None = None


@dataclass
class Outcome:
    started_s: float = NAN
    first_token_s: float = NAN
    finished_s: float = NAN


Action = Callable[[Replica, list[Job], float], None]


def serve(service: Service, requests: Sequence[Request], actions: Sequence[tuple[float, Action]] = ()) -> list[Outcome]:
    """Return what happened to each request; ``actions`` are done to the replica at given times."""
    env = Clock()
    outcomes = [Outcome() for _ in requests]
    embedding, estimates = np.zeros(0, np.float32), np.zeros(0)
    jobs = [
        Job(
            Query(k, request.arrival_s, embedding, request.input_tokens, estimates, estimates),
            0,
            0.0,
            request.output_tokens,  # type: ignore[arg-type]  # fractions of a token are work too
            request.draws,
        )
        for k, request in enumerate(requests)
    ]

    def finish(job: Job, now_s: float) -> None:
        outcomes[job.query.id] = Outcome(job.started_at_s, job.first_token_at_s, now_s)

    def arrive(event: simpy.Event) -> None:
        job = jobs[event.value]  # type: ignore[index]
        if not replica.begin(job, env.now):
            replica.wait(job)

    def act(event: simpy.Event) -> None:
        event.value(replica, jobs, env.now)  # type: ignore[misc]

    replica = Replica(service, None, False, env, finish, ([0], [0], 0))
    for k, request in enumerate(requests):
        env.timeout(request.arrival_s, k).callbacks.append(arrive)
    for time_s, action in actions:
        env.timeout(time_s, action).callbacks.append(act)
    env.run()
    return outcomes


def cancel(number: int) -> Action:
    return lambda replica, jobs, now_s: replica.remove(jobs[number], now_s)


def slow_down(factor: float) -> Action:
    return lambda replica, _, now_s: replica.server.slow_down(factor, now_s)
