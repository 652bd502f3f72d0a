"""Service parameters from measured requests: fitted on the first half, judged on the second. It knows no policy.

Everything that arrives is simulated, first come first served; only latencies of the first half of the arrivals are
compared while fitting, so those of the second half are predictions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import simpy
from scipy.optimize import minimize
from simpy.events import Timeout

from sim.interface import FloatArray, IntArray, Query
from sim.scenario import Service
from sim.world.paged import PagedBatching
from sim.world.service import Job

TIMES = ("arrival_s", "first_token_s", "last_token_s")
TOKENS = ("input_tokens", "output_tokens")
LATENCIES = ("end_to_end_s", "time_to_first_token_s", "time_per_output_token_s")
HUBER = 0.1  # a request whose latency is off by more than about 10% weighs linearly
FIRST_TOKEN_WEIGHT = 0.3  # a short one depends on where in an iteration its request came, which is noise here
PARAMETERS = (
    "iteration_base_s",
    "iteration_per_sequence_s",
    "iteration_per_kv_token_s",
    "prefill_base_s",
    "prefill_per_token_s",
    "overhead_s",
)


@dataclass(frozen=True)
class Measured:
    """Requests in order of arrival: arrays (n_requests,)."""

    arrival_s: FloatArray
    first_token_s: FloatArray
    last_token_s: FloatArray
    input_tokens: IntArray
    output_tokens: IntArray


@dataclass(frozen=True)
class Limits:
    """What is known of the deployment, not fitted; None for no limit. ``replicas`` are data-parallel engines.

    ``in_step`` says whether replicas go through iterations together (experts spread over them) or each on its own; None
    tries both and keeps what fits the first half better.
    """

    slots: int | None = None
    kv_tokens: int | None = None
    batched_tokens: int | None = None
    replicas: int = 1
    in_step: bool | None = None

    def __post_init__(self) -> None:
        """Check the number of replicas; the rest is checked by the service."""
        if self.replicas < 1:
            raise ValueError(f"replicas is {self.replicas}; it must be at least 1")

    def couplings(self) -> tuple[bool, ...]:
        """Return what to try."""
        if self.replicas == 1:
            return (False,)
        return (False, True) if self.in_step is None else (self.in_step,)

    def service(self, values: Sequence[float], *, in_step: bool) -> PagedBatching:
        """Return one replica's service, or that of all if they go in step."""
        return PagedBatching(
            slots=self.slots,
            batched_tokens=self.batched_tokens,
            kv_tokens=self.kv_tokens,
            ranks=self.replicas if in_step else 1,
            **dict(zip(PARAMETERS, map(float, values), strict=True)),
        )


@dataclass(frozen=True)
class Fit:
    """A fitted service, how many independent ones there are, and the simulated latencies of all requests."""

    service: PagedBatching
    copies: int
    loss: float
    measured: pd.DataFrame
    simulated: pd.DataFrame
    n_fitted: int


def read(path: Path) -> Measured:
    """Read measured requests from CSV or Parquet.

    Raises
    ------
    ValueError
        If a column is missing or holds no number, if there are fewer than four rows, or if times are out of order.
    OSError
        If there is no such file.
    """
    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    missing = [name for name in (*TIMES, *TOKENS) if name not in table]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; needed are {', '.join((*TIMES, *TOKENS))}")
    if len(table) < 4:
        raise ValueError(f"{path} has {len(table)} rows; a fit and its check need at least 4")
    for name in (*TIMES, *TOKENS):
        if not pd.api.types.is_numeric_dtype(table[name]) or not np.isfinite(table[name].astype(np.float64)).all():
            raise ValueError(f"column {name!r} of {path} must hold finite numbers in every row")
    times = [table[name].to_numpy(np.float64) for name in TIMES]
    tokens = [table[name].to_numpy(np.int64) for name in TOKENS]
    if (np.diff(times[0]) < 0).any():
        row = int(np.argmax(np.diff(times[0]) < 0)) + 1
        raise ValueError(f"arrival_s of {path} decreases at row {row}; rows must be in order of arrival")
    late = (times[0] >= times[1]) | (times[1] > times[2])
    if late.any():
        raise ValueError(f"row {int(late.argmax())} of {path} must have arrival_s < first_token_s <= last_token_s")
    if (tokens[0] < 1).any() or (tokens[1] < 1).any():
        raise ValueError(f"{path} has a request without tokens; input_tokens and output_tokens must be at least 1")
    return Measured(*times, *tokens)


def simulate(service: Service, copies: int, measured: Measured) -> tuple[FloatArray, FloatArray]:
    """Return simulated first-token and last-token times (n_requests,), all requests served first come first served.

    A request joins the copy with the least 4 x waiting + in flight, as vLLM's balancer scores them.
    """
    env = simpy.Environment()
    empty = np.zeros(0)
    jobs = [
        Job(Query(k, arrival_s, empty, size, empty, empty), 0, 0.0, output)
        for k, (arrival_s, size, output) in enumerate(
            zip(
                measured.arrival_s.tolist(),
                measured.input_tokens.tolist(),
                measured.output_tokens.tolist(),
                strict=True,
            )
        )
    ]
    first, last = np.full(len(jobs), np.nan), np.full(len(jobs), np.nan)
    lines = [Line(service, env, first, last) for _ in range(copies)]

    def arrive(event: simpy.Event) -> None:
        job: Job = event.value  # type: ignore[assignment]
        min(lines, key=lambda line: 4 * len(line.waiting) + line.in_flight).take(job, env.now)

    for job in jobs:
        Timeout(env, job.query.arrived_at_s - jobs[0].query.arrived_at_s, job).callbacks.append(arrive)
    env.run()
    return first + jobs[0].query.arrived_at_s, last + jobs[0].query.arrived_at_s


class Line:
    """A first-come queue in front of one copy of a service."""

    def __init__(self, service: Service, env: simpy.Environment, first: FloatArray, last: FloatArray) -> None:
        self.waiting: deque[Job] = deque()
        self.in_flight = 0
        self._first, self._last = first, last
        self._server = service.open(env, self._finish)
        self._server.on_room = self._begin

    def take(self, job: Job, now_s: float) -> None:
        """Let the job wait, and begin who can."""
        self.waiting.append(job)
        self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        while self.waiting and self._server.admits(self.waiting[0]):
            self.in_flight += 1
            self._server.begin(self.waiting.popleft(), now_s)

    def _finish(self, job: Job, now_s: float) -> None:
        self.in_flight -= 1
        self._first[job.query.id], self._last[job.query.id] = job.first_token_at_s, now_s
        self._begin(now_s)


def latencies(measured: Measured, first_token_s: FloatArray, last_token_s: FloatArray) -> pd.DataFrame:
    """Return end to end, to the first token, and per further token (NaN where there is none), a row per request."""
    further = np.where(measured.output_tokens > 1, measured.output_tokens - 1.0, np.nan)
    columns = (
        last_token_s - measured.arrival_s,
        first_token_s - measured.arrival_s,
        (last_token_s - first_token_s) / further,
    )
    return pd.DataFrame(dict(zip(LATENCIES, columns, strict=True)))


def disagreement(measured: pd.DataFrame, simulated: pd.DataFrame) -> float:
    """Return what the fit minimises, the sum over the three latencies of

    weight x mean h(log(simulated / measured)) + (relative error of the mean)^2 + (relative error of the p95)^2

    with h(r) = 2 d^2 (sqrt(1 + (r / d)^2) - 1), which is r^2 for small r (pseudo-Huber, d = ``HUBER``).
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
        for figure in (np.mean, p95):
            total += (float(figure(b)) / float(figure(a)) - 1) ** 2
    return total


def p95(values: FloatArray) -> float:
    """Return the 95th percentile, linearly interpolated."""
    return float(np.quantile(values, 0.95))


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


def fit(requests: Measured, limits: Limits, evaluations: int = 400, advance: Callable[[], None] | None = None) -> Fit:
    """Fit by Nelder-Mead on the logarithms of the parameters, restarted once where it stopped.

    Raises
    ------
    ValueError
        If no request of the first half has a second token, or a limit cannot be.
    """
    measured = latencies(requests, requests.first_token_s, requests.last_token_s)
    n_fitted = len(measured) // 2
    half = measured[:n_fitted]
    if half["time_per_output_token_s"].isna().all():
        raise ValueError("no request of the first half has 2 output tokens; time per token cannot be fitted")
    best: tuple[float, FloatArray, bool] | None = None
    for in_step in limits.couplings():
        copies = 1 if in_step else limits.replicas

        def loss(logs: FloatArray, in_step: bool = in_step, copies: int = copies) -> float:
            if advance is not None:
                advance()
            service = limits.service(np.exp(logs), in_step=in_step)
            return disagreement(half, latencies(requests, *simulate(service, copies, requests))[:n_fitted])

        point = np.log(start(half, requests))
        for share in (0.6, 0.4):
            options = {"maxfev": int(share * evaluations), "xatol": 1e-3, "fatol": 1e-7, "adaptive": True}
            simplex = np.vstack([point, point + 0.4 * np.eye(len(point))])
            found = minimize(loss, point, method="Nelder-Mead", options={**options, "initial_simplex": simplex})
            point = found.x
        if best is None or found.fun < best[0]:
            best = (float(found.fun), point, in_step)
    assert best is not None
    value, point, in_step = best
    copies = 1 if in_step else limits.replicas
    service = limits.service([float(f"{number:.5g}") for number in np.exp(point)], in_step=in_step)
    simulated = latencies(requests, *simulate(service, copies, requests))
    return Fit(service, copies, value, measured, simulated, n_fitted)


def table(fitted: Fit) -> pd.DataFrame:
    """Return mean and p95 of each latency, measured and simulated, on the fitted half and on the held-out one."""
    halves = {"fitted": slice(0, fitted.n_fitted), "held out": slice(fitted.n_fitted, None)}
    rows = []
    for half, rows_of in halves.items():
        for name in LATENCIES:
            a, b = fitted.measured[name][rows_of].dropna(), fitted.simulated[name][rows_of].dropna()
            for figure, of in (("mean", np.mean), ("p95", p95)):
                x, y = float(of(a.to_numpy())), float(of(b.to_numpy()))
                rows.append({"half": half, "metric": name, "figure": figure, "measured": x, "simulated": y})
    frame = pd.DataFrame(rows)
    return frame.assign(relative_error=frame["simulated"] / frame["measured"] - 1)
