"""Searches the service parameters whose simulated latencies are nearest to measured ones. It knows no policy.

Everything that arrives is simulated, first come first served; only latencies of those of the first arrivals that are
to be fitted are compared, so those of the others are predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import simpy
from scipy.optimize import minimize

from sim.deployment import Deployment, Service
from sim.interface import FloatArray, Query
from sim.study.fit.limits import Limits
from sim.study.fit.measured import FIGURES, LATENCIES, Measured, figure, latencies
from sim.world.moment import ARRIVALS, Clock, Moment
from sim.world.services.job import Job
from sim.world.services.paged import PagedBatching
from sim.world.stations.station import Station

HUBER = 0.1  # a request whose latency is off by more than about 10% weighs linearly
FIRST_TOKEN_WEIGHT = 0.3  # a short one depends on where in an iteration its request came, which is noise here
SPREADS = (0.4, -0.4, 0.3, -0.2)  # of the first simplex of each round, in logarithms; a single round often stalls
EMBEDDING = np.zeros(0, np.float32)  # services do not look at it


def simulate(service: Service, copies: int, measured: Measured) -> tuple[FloatArray, FloatArray]:
    """Return simulated first-token and last-token times (n_requests,), all requests served first come first served.

    The copies are the replicas of one deployment with its default balancer: a request joins the one with the fewest
    waiting and in service.
    """
    env = Clock()
    begin_s, blank = float(measured.arrival_s[0]), np.zeros(0)
    first, last = np.full(len(measured.arrival_s), np.nan), np.full(len(measured.arrival_s), np.nan)

    def finish(job: Job, now_s: float) -> None:
        first[job.query.id], last[job.query.id] = job.first_token_at_s, now_s

    def lose(job: Job, fate: int, now_s: float) -> None:
        raise AssertionError(f"request {job.query.id} was lost, and nothing here loses any")

    counts = ([0], [0], [True])  # waiting, in service, whether available
    deployment = Deployment("fitted", "fitted", service, replicas=copies)
    station = Station(deployment, 0, counts, env, finish, lose, None, np.random.default_rng(0))

    def arrive(event: simpy.Event) -> None:
        job: Job = event.value  # type: ignore[assignment]
        station.offer(job, env.now)

    requests = zip(
        measured.arrival_s.tolist(), measured.input_tokens.tolist(), measured.output_tokens.tolist(), strict=True
    )
    for k, (arrival_s, input_tokens, output_tokens) in enumerate(requests):
        query = Query(k, arrival_s, EMBEDDING, input_tokens, blank, blank)
        job = Job(query, 0, 0.0, output_tokens)
        Moment(env, arrival_s - begin_s, ARRIVALS, job).callbacks.append(arrive)
    env.run()
    return first + begin_s, last + begin_s


def disagreement(measured: pd.DataFrame, simulated: pd.DataFrame) -> float:
    """Return what the fit minimises.

    The sum over the three latencies of: weight x mean h(log(simulated / measured)), the squared relative error of the
    mean, and that of the p95; h(r) = 2 d^2 (sqrt(1 + (r / d)^2) - 1) is r^2 for small r (pseudo-Huber, d = ``HUBER``).
    """
    total = 0.0
    for name in LATENCIES:
        a, b = measured[name].to_numpy(), simulated[name].to_numpy()
        ok = np.isfinite(a)
        a, b = a[ok], b[ok]
        if len(a) == 0:
            continue
        ratio = np.log(np.maximum(b, 1e-9) / np.maximum(a, 1e-9))
        weight = FIRST_TOKEN_WEIGHT if name == "time_to_first_token_s" else 1.0
        total += weight * 2 * HUBER**2 * float(np.mean(np.sqrt(1 + (ratio / HUBER) ** 2) - 1))
        total += sum((figure(of, b) / figure(of, a) - 1) ** 2 for of in FIGURES)
    return total


def start(measured: pd.DataFrame, requests: Measured) -> FloatArray:
    """Return a first guess of the parameters, from the scale of the first half's latencies alone."""
    n = len(measured)
    token_s = float(measured["time_per_output_token_s"].median())
    busy_s = float((requests.last_token_s[:n] - requests.first_token_s[:n]).sum())
    batch = max(busy_s / (requests.last_token_s[:n].max() - requests.arrival_s[0]), 1.0)
    prompt = float(requests.input_tokens[:n].mean())
    held = batch * (prompt + float(requests.output_tokens[:n].mean()) / 2)
    return np.array(
        [0.5 * token_s, 0.1 * token_s / batch, 0.2 * token_s / held, 0.1 * token_s, token_s / prompt, 0.2 * token_s]
    )


@dataclass(frozen=True)
class Found:
    """What a search found: a service, how many independent ones there are, and the loss."""

    service: PagedBatching
    copies: int
    loss: float


def search(
    runs: Sequence[Measured],
    fitted: Sequence[int],
    limits: Limits,
    evaluations: int = 600,
    advance: Callable[[], None] | None = None,
) -> Found:
    """Search by rounds of Nelder-Mead on the logarithms of the parameters, each from where the last one stopped.

    Parameters
    ----------
    runs : sequence of Measured
        Each is simulated by itself, from an empty server on.
    fitted : sequence of int
        How many of the first requests of each run are compared.
    limits : Limits
    evaluations : int
        How often each run is simulated, for each way of stepping.
    advance : callable or None
        Called before each evaluation.
    """
    parts = [latencies(run, run.first_token_s, run.last_token_s)[:n] for run, n in zip(runs, fitted, strict=True)]
    best: tuple[float, FloatArray, bool] | None = None
    for in_step in limits.couplings():
        copies = 1 if in_step else limits.replicas

        def loss(logs: FloatArray, in_step: bool = in_step, copies: int = copies) -> float:
            if advance is not None:
                advance()
            service = limits.service(np.exp(logs).tolist(), in_step=in_step)
            losses = [
                disagreement(part, latencies(run, *simulate(service, copies, run))[: len(part)])
                for run, part in zip(runs, parts, strict=True)
            ]
            return float(np.mean(losses))

        point = np.log(np.mean([start(part, run) for run, part in zip(runs, parts, strict=True)], axis=0))
        for spread in SPREADS:
            simplex = np.vstack([point, point + spread * np.eye(len(point))])
            options = {"maxfev": evaluations // len(SPREADS), "xatol": 1e-3, "fatol": 1e-7, "adaptive": True}
            found = minimize(loss, point, method="Nelder-Mead", options={**options, "initial_simplex": simplex})
            point = found.x
        if best is None or found.fun < best[0]:
            best = (float(found.fun), point, in_step)
    assert best is not None
    value, point, in_step = best
    service = limits.service([float(f"{number:.5g}") for number in np.exp(point)], in_step=in_step)
    return Found(service, 1 if in_step else limits.replicas, value)


def check_streamed(half: pd.DataFrame, which: str) -> None:
    """Raise ValueError unless the time per token of requests, as ``latencies`` has them, can be fitted."""
    if half["time_per_output_token_s"].isna().all():
        raise ValueError(f"no request of {which} has 2 output tokens; time per token cannot be fitted")
    if half["time_per_output_token_s"].median() == 0:
        raise ValueError(
            f"first_token_s is last_token_s in most requests of {which} with 2 or more output tokens; "
            "time per token can be fitted to streamed answers only"
        )
