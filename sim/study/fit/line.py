"""Fits what a hosted model's latency depends on: a line in tokens, and the hour of the day. It knows no service.

The line is fitted by least squares on relative errors, with no part below 0, and then scaled so that the median request
is on it. Where first tokens were measured, the part of the input tokens is what the first token's time grows by: the
prompt is read before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from sim.interface import FloatArray
from sim.study.fit.answered import Answered

HOURS, HOUR_S, DAY_S = 24, 3600.0, 86400.0
LEAST_AN_HOUR = 10  # requests, for a factor of its own
FEWEST_HOURS = 6  # of the day, to speak of a dependence on it
CLEARLY = 3.0  # the mean square between hours over that within them; by chance it is about 1
BLOCKS, DRAWS = 20, 200
SHARES = (0.025, 0.975)  # of draws below and above: an interval of 95%


@dataclass(frozen=True)
class Line:
    """The line: base + per output token x output tokens + per input token x input tokens, in seconds."""

    base_s: float
    per_output_token_s: float
    per_input_token_s: float = 0.0

    def at(self, requests: Answered) -> FloatArray:
        """Return the line at requests (n,)."""
        prompt_s = 0.0 if requests.input_tokens is None else self.per_input_token_s * requests.input_tokens
        return np.asarray(self.base_s + self.per_output_token_s * requests.output_tokens + prompt_s)


def line_of(requests: Answered, *, with_input: bool = True, weight: FloatArray | None = None) -> Line:
    """Return the line of requests.

    Parameters
    ----------
    requests : Answered
    with_input : bool
        Whether input tokens, where they were measured, may have a part.
    weight : array (n_requests,) or None
        How often each request counts; None for once.
    """
    inputs = requests.input_tokens if with_input else None
    ones, latency_s = np.ones(len(requests.latency_s)), requests.latency_s
    root = ones if weight is None else np.sqrt(weight)
    prompt_s = 0.0 * ones
    each_s = 0.0
    if inputs is not None and requests.first_token_s is not None and (requests.first_token_s > 0).all():
        first_s = requests.first_token_s
        base, each = relative(np.column_stack([ones, inputs]), first_s, root)
        scale = median(first_s / np.maximum(base + each * inputs, 1e-12), weight)
        each_s = each * scale
        prompt_s = np.minimum(each_s * inputs, 0.999 * latency_s)
    elif inputs is not None:
        base, per_output, each = relative(np.column_stack([ones, requests.output_tokens, inputs]), latency_s, root)
        scale = median(latency_s / (base + per_output * requests.output_tokens + each * inputs), weight)
        return Line(base * scale, per_output * scale, each * scale)
    columns = np.column_stack([ones, requests.output_tokens])
    # min over base, per >= 0 of sum (((base + per x tokens) + prompt) / latency - 1)^2
    base, per_output = nnls(columns / latency_s[:, None] * root[:, None], (1 - prompt_s / latency_s) * root)[0]
    rest_s = base + per_output * requests.output_tokens
    if not (rest_s > 0).all():
        return Line(float(np.median(latency_s)), 0.0)
    scale = median((latency_s - prompt_s) / rest_s, weight)
    return Line(float(base * scale), float(per_output * scale), float(each_s))


def input_slope(requests: Answered, weight: FloatArray) -> float:
    """Return what an input token adds to the first token's time, or else to the latency, also where that is negative.

    Where inputs hardly vary it is nearly anything, which a slope that is kept at 0 or above does not show.
    """
    if requests.input_tokens is None:
        return 0.0
    target, columns = requests.latency_s, [np.ones(len(weight)), requests.output_tokens, requests.input_tokens]
    if requests.first_token_s is not None and (requests.first_token_s > 0).all():
        target, columns = requests.first_token_s, [columns[0], columns[2]]
    root = np.sqrt(weight)
    table = np.column_stack(columns) / target[:, None] * root[:, None]
    return float(np.linalg.lstsq(table, root, rcond=None)[0][-1])


def relative(columns: FloatArray, target: FloatArray, root: FloatArray) -> list[float]:
    """Return the coefficients >= 0 that minimise the squares of relative errors, weighted by root squared."""
    found: list[float] = nnls(columns / target[:, None] * root[:, None], root)[0].tolist()
    return found


def median(values: FloatArray, weight: FloatArray | None) -> float:
    """Return the median of values, each of which counts as often as its weight says."""
    if weight is None:
        return float(np.median(values))
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(weight[order])
    return float(values[order][int(np.searchsorted(upto, upto[-1] / 2))])


def intervals(requests: Answered, *, with_input: bool = True) -> Mapping[str, tuple[float, float]]:
    """Return the ends of the interval of each part of the line, from blocks of requests drawn again with replacement.

    Blocks are of consecutive requests, in time where that is known, as a slow hour slows all of them. The part of the
    input tokens has one only where they may have a part.
    """
    n = len(requests.latency_s)
    order = np.arange(n) if requests.at_s is None else np.argsort(requests.at_s, kind="stable")
    blocks = np.array_split(order, min(BLOCKS, n))
    rng = np.random.default_rng(0)
    drawn, slopes = [], []
    for _ in range(DRAWS):
        weight = np.zeros(n)
        for block in rng.integers(len(blocks), size=len(blocks)):
            weight[blocks[block]] += 1
        drawn.append(line_of(requests, with_input=with_input, weight=weight))
        slopes.append(input_slope(requests, weight) if with_input else 0.0)
    names = ("base_s", "per_output_token_s", *(("per_input_token_s",) if with_input else ()))
    ends = {name: np.quantile([getattr(line, name) for line in drawn], SHARES).tolist() for name in names}
    if with_input:
        low, high = ends["per_input_token_s"]
        free = np.quantile(slopes, SHARES).tolist()
        ends["per_input_token_s"] = [min(low, free[0]), max(high, free[1])]
    return {name: (low, high) for name, (low, high) in ends.items()}


@dataclass(frozen=True)
class Hours:
    """What requests say of the hour of the day, UTC.

    Parameters
    ----------
    factors : tuple of 24 floats, or None
        Of the latency; 1 where an hour had too few requests; None if there is no dependence to speak of.
    words : str
        What is to be said of it.
    """

    factors: tuple[float, ...] | None
    words: str


def hours_of(requests: Answered, line: Line) -> Hours:
    """Return the dependence of latencies on the hour of the day, apart from that on tokens."""
    if requests.at_s is None:
        return Hours(None, "requests have no dates, so nothing is known of the hour of the day")
    logs = np.log(requests.latency_s / line.at(requests))
    hour = np.floor(requests.at_s / HOUR_S).astype(np.int64) % HOURS
    counts = np.bincount(hour, minlength=HOURS)
    covered = np.flatnonzero(counts >= LEAST_AN_HOUR)
    if len(covered) < FEWEST_HOURS:
        return Hours(None, f"requests cover {len(covered)} hours of the day, too few to tell a dependence on the hour")
    seen = np.isin(hour, covered)
    logs, hour = logs[seen], hour[seen]
    means = np.bincount(hour, weights=logs, minlength=HOURS) / np.maximum(np.bincount(hour, minlength=HOURS), 1)
    overall = float(logs.mean())
    between = float(((means[hour] - overall) ** 2).sum()) / (len(covered) - 1)
    within = float(((logs - means[hour]) ** 2).sum()) / max(len(logs) - len(covered), 1)
    if between <= CLEARLY * within:
        return Hours(None, f"no dependence on the hour of the day shows, over {len(covered)} hours of it")
    factors = np.where(counts >= LEAST_AN_HOUR, np.exp(means - overall), 1.0)
    slow, quick = covered[np.argmax(means[covered])], covered[np.argmin(means[covered])]
    words = (
        f"slowest at {slow}:00 UTC, {factors[slow]:.2f} times as long as on average, quickest at {quick}:00, "
        f"{factors[quick]:.2f} times"
    )
    if float(np.ptp(requests.at_s)) < 2 * DAY_S:
        words += "; every hour was seen on one day only, and may have been that day's"
    return Hours(tuple(float(f"{one:.4g}") for one in factors), words)


def by_hour(requests: Answered, hours: Hours) -> Answered:
    """Return the requests with their latencies as they would have been at an average hour."""
    if hours.factors is None or requests.at_s is None:
        return requests
    factor = np.array(hours.factors)[np.floor(requests.at_s / HOUR_S).astype(np.int64) % HOURS]
    first_s = None if requests.first_token_s is None else requests.first_token_s / factor
    return replace(requests, latency_s=requests.latency_s / factor, first_token_s=first_s)
