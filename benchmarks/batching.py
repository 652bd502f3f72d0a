"""Batching alone under SimPy, over a bare SimPy loop and over two rivals, which are also its oracles.

python -m benchmarks.batching [n_requests ...]
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence

import numpy as np
import simpy
from simpy.events import Timeout

from sim.interface import Query
from sim.world.moment import Clock
from sim.world.services.batching import TIE_TOKENS, Batching
from sim.world.services.job import Job

Pairs = list[tuple[float, float]]
WEIGHTS_S, SEQUENCE_S = 0.02, 0.0002
MEAN_TOKENS = 200
LOAD = 0.8
RIVALS_UP_TO = 10_000


def jobs_of(times_s: Sequence[float], inputs: Sequence[int], outputs: Sequence[float]) -> list[Job]:
    """Return a job for each request, as the world would make it."""
    embedding, estimates = np.zeros(0, np.float32), np.zeros(0)
    return [
        Job(Query(k, time_s, embedding, tokens, estimates, estimates), 0, 0.0, output)  # type: ignore[arg-type]
        for k, (time_s, tokens, output) in enumerate(zip(times_s, inputs, outputs, strict=True))
    ]


def serve(service: Batching, jobs: Sequence[Job]) -> None:
    """Serve jobs behind a first-come queue."""
    env = Clock()
    waiting: deque[Job] = deque()

    def finish(_: Job, now_s: float) -> None:
        while waiting and server.admits(waiting[0]):
            server.begin(waiting.popleft(), now_s)

    server = service.open(env, finish)

    def source() -> Generator[simpy.Event]:
        now_s = 0.0
        for job in jobs:
            yield Timeout(env, job.query.arrived_at_s - now_s)
            now_s = env.now
            if not waiting and server.admits(job):
                server.begin(job, now_s)
            else:
                waiting.append(job)

    env.process(source())
    env.run()


def bare(times_s: Sequence[float]) -> None:
    """Schedule and do nothing: a source process, completions by callback."""
    env = simpy.Environment()

    def complete(_: simpy.Event) -> None:
        pass

    def source() -> Generator[simpy.Event]:
        for gap_s in np.diff(times_s, prepend=0.0).tolist():
            yield Timeout(env, gap_s)
            Timeout(env, 1.0).callbacks.append(complete)

    env.process(source())
    env.run()


def integrate(service: Batching, times_s: Sequence[float], inputs: Sequence[int], outputs: Sequence[float]) -> Pairs:
    """Return (first token, completion) of each request: every active one's progress, from event to event.

    A rival, with O(b) work per event, and an oracle: the same model in the plainest way.
    """
    n_requests, slots = len(times_s), service.slots or float("inf")
    first, last = [float("inf")] * n_requests, [float("inf")] * n_requests
    now_s, upcoming = 0.0, 0
    waiting: deque[int] = deque()
    active: list[int] = []
    done: dict[int, float] = {}
    prefill_s: dict[int, float] = {}
    while upcoming < n_requests or active:
        arrival_s = times_s[upcoming] if upcoming < n_requests else float("inf")
        stalled = next((k for k in active if prefill_s[k] > 0), None)
        iteration_s = service.iteration_base_s + service.iteration_per_sequence_s * len(active)
        step_s, prefilled = arrival_s - now_s, False
        if stalled is not None:
            prefilled = prefill_s[stalled] < step_s
            step_s = min(step_s, prefill_s[stalled])
            prefill_s[stalled] = 0.0 if prefilled else prefill_s[stalled] - step_s
        else:
            milestones = {k: min(1.0, outputs[k]) if first[k] == float("inf") else outputs[k] for k in active}
            step_s = min([step_s, *((milestones[k] - done[k]) * iteration_s for k in active)])
            for k in active:
                done[k] += step_s / iteration_s
        now_s += step_s
        reached = [k for k in active if stalled is None and done[k] >= milestones[k] - TIE_TOKENS]
        for k in reached:
            first[k] = min(first[k], now_s)
            done[k] = milestones[k]
            if done[k] >= outputs[k] - TIE_TOKENS:
                last[k] = now_s
                active.remove(k)
        if not reached and not prefilled:
            now_s = arrival_s
            waiting.append(upcoming)
            upcoming += 1
        while waiting and len(active) < slots:
            k = waiting.popleft()
            active.append(k)
            done[k], prefill_s[k] = 0.0, inputs[k] * service.prefill_per_token_s
    return list(zip(first, last, strict=True))


def step(service: Batching, times_s: Sequence[float], inputs: Sequence[int], outputs: Sequence[float]) -> Pairs:
    """Return (first token, completion) of each request: one iteration at a time, joined at its beginning.

    A rival, and an oracle that agrees within an iteration or two, for one is how long a request may wait to join.
    """
    n_requests, slots = len(times_s), service.slots or float("inf")
    first, last = [float("inf")] * n_requests, [float("inf")] * n_requests
    now_s, upcoming = 0.0, 0
    left: dict[int, float] = {}
    while upcoming < n_requests or left:
        if not left:
            now_s = max(now_s, times_s[upcoming])
        prefill_s = 0.0
        while upcoming < n_requests and times_s[upcoming] <= now_s and len(left) < slots:
            left[upcoming] = outputs[upcoming]
            prefill_s += inputs[upcoming] * service.prefill_per_token_s
            upcoming += 1
        now_s += prefill_s + service.iteration_base_s + service.iteration_per_sequence_s * len(left)
        for k in list(left):
            first[k] = min(first[k], now_s)
            left[k] -= 1
            if left[k] <= 0:
                last[k] = now_s
                del left[k]
    return list(zip(first, last, strict=True))


def workload(n_requests: int, slots: int, seed: int = 0) -> tuple[Batching, list[float], list[int], list[float]]:
    """Return a service and Poisson arrivals that keep ``slots`` slots busy for ``LOAD`` of their time."""
    rng = np.random.default_rng(seed)
    service = Batching(slots, WEIGHTS_S, SEQUENCE_S)
    per_request_s = MEAN_TOKENS * (WEIGHTS_S + SEQUENCE_S * slots) / slots
    times_s = np.cumsum(rng.exponential(per_request_s / LOAD, n_requests))
    outputs = rng.geometric(1 / MEAN_TOKENS, n_requests)
    return service, times_s.tolist(), [0] * n_requests, outputs.tolist()


def seconds(call: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main(sizes: Sequence[int]) -> None:
    """Print a line per size and batch: requests a second, and how many times as fast as each other loop."""
    for n_requests in sizes:
        for slots in (1, 16, 256):
            arguments = workload(n_requests, slots)
            service, times_s, *_ = arguments
            pairs = []
            for _ in range(3):
                jobs = jobs_of(*arguments[1:])
                pairs.append((seconds(lambda: serve(service, jobs)), seconds(lambda: bare(times_s))))  # noqa: B023
            took_s = float(np.median([ours for ours, _ in pairs]))
            line = f"{n_requests:9,} requests, b = {slots:3}: {n_requests / took_s:9,.0f} requests/s"
            line += f"   {np.median([theirs / ours for ours, theirs in pairs]):.2f} of a bare SimPy loop"
            if n_requests <= RIVALS_UP_TO:
                for rival in (integrate, step):
                    line += f"   {seconds(lambda: rival(*arguments)) / took_s:.1f} x {rival.__name__}"  # noqa: B023
            print(line)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
