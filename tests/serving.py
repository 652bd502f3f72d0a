"""A first-come queue in front of one server, and the table of what happened: for tests of services alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy

from sim.interface import Query
from sim.world.services.slots import Finish, Job, Server

NAN = float("nan")


class Opens(Protocol):
    def open(self, env: simpy.Environment, finish: Finish) -> Server: ...


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


Action = Callable[[Server, list[Job], float], None]


def serve(service: Opens, requests: Sequence[Request], actions: Sequence[tuple[float, Action]] = ()) -> list[Outcome]:
    """Return what happened to each request; ``actions`` are done to the server at given times."""
    env = simpy.Environment()
    outcomes = [Outcome() for _ in requests]
    waiting: deque[Job] = deque()
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

    def begin_waiting(now_s: float) -> None:
        while waiting and server.admits(waiting[0]):
            server.begin(waiting.popleft(), now_s)

    def finish(job: Job, now_s: float) -> None:
        outcomes[job.query.id] = Outcome(job.started_at_s, job.first_token_at_s, now_s)
        begin_waiting(now_s)

    def arrive(event: simpy.Event) -> None:
        waiting.append(jobs[event.value])  # type: ignore[index]
        begin_waiting(env.now)

    def act(event: simpy.Event) -> None:
        event.value(server, jobs, env.now)  # type: ignore[misc]
        begin_waiting(env.now)

    server = service.open(env, finish)
    if hasattr(server, "on_room"):
        server.on_room = begin_waiting
    for k, request in enumerate(requests):
        env.timeout(request.arrival_s, k).callbacks.append(arrive)
    for time_s, action in actions:
        env.timeout(time_s, action).callbacks.append(act)
    env.run()
    return outcomes


def cancel(number: int) -> Action:
    return lambda server, jobs, now_s: server.cancel(jobs[number], now_s)


def slow_down(factor: float) -> Action:
    return lambda server, _, now_s: server.slow_down(factor, now_s)
