"""Fits the latency of a hosted model to measured requests, by what it depends on. It knows no queue.

A line in tokens and factors of the hour are fitted (``sim.study.fit.line``); around them stand the measured ratios, by
bins of length (``sim.world.services.resampled``). Whether that predicts is judged on every other request, with a
fit to the rest, or on each run with a fit to the others; what is written is fitted to all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from sim.interface import FloatArray, IntArray
from sim.study.fit.answered import Answered, pooled
from sim.study.fit.line import DAY_S, HOUR_S, Line, by_hour, hours_of, intervals, line_of
from sim.study.fit.tails import metrics, tail_words, tails
from sim.world.services.resampled import Resampled

MOST_BINS, LEAST_IN_BIN = 100, 5  # many bins keep the dependence on length; five ratios, its spread
MOST_RATIOS = 200  # that a bin keeps
GOLDEN = (5**0.5 - 1) / 2
DIGITS = 5
FIGURES = ("p50", "p95", "correlation")
ALL = "all"
LITTLE = 0.05  # variation of token counts below which nothing is told of their effect


@dataclass(frozen=True)
class HostedFit:
    """The service fitted to all requests, and its figures beside the measured ones, of all and of those held out.

    Parameters
    ----------
    service : Resampled
    figures : DataFrame
        Columns ``run``, ``half``, ``metric``, ``figure``, ``measured``, ``simulated`` and ``error``.
    simulated : DataFrame
        Latencies of all requests.
    tails : DataFrame
        As ``sim.study.fit.tails.tails`` makes it.
    told : mapping of str to (float, float)
        The ends of the interval of each part of the line.
    words : tuple of str
        What the data say of input tokens, hours and tails, and what they cannot say.
    """

    service: Resampled
    figures: pd.DataFrame
    simulated: pd.DataFrame
    tails: pd.DataFrame = field(default_factory=pd.DataFrame)
    told: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    words: tuple[str, ...] = ()


def fit(requests: Answered) -> HostedFit:
    """Fit all requests of one run, and judge the way of fitting on every other one."""
    return fit_runs({ALL: requests})


def fit_runs(runs: Mapping[str, Answered]) -> HostedFit:
    """Fit all requests of one or more runs, and judge the way of fitting on what it has not seen."""
    requests = pooled(list(runs.values()))
    may = requests.input_tokens is not None and varies(requests.input_tokens) >= LITTLE
    told = intervals(requests, with_input=may)
    with_input = may and told["per_input_token_s"][0] > 0
    if may and not with_input:
        told = {**intervals(requests, with_input=False), "per_input_token_s": told["per_input_token_s"]}
    service = fitted(requests, with_input=with_input)
    simulated = latencies(service, requests)
    rows = figures(ALL, "fitted", requests, simulated)
    if len(runs) == 1:
        [(name, only)] = runs.items()
        n = len(only.latency_s)
        odd, even = only.take(np.arange(1, n, 2)), only.take(np.arange(0, n, 2))
        rows += figures(name, "held_out", odd, latencies(fitted(even, with_input=with_input), odd))
    for name, run in runs.items() if len(runs) > 1 else ():
        others = pooled([other for word, other in runs.items() if word != name])
        rows += figures(name, "held_out", run, latencies(fitted(others, with_input=with_input), run))
    table = pd.DataFrame(rows)
    difference = table["simulated"] - table["measured"]
    error = difference.where(table["figure"] == "correlation", difference / table["measured"])
    made = replace(requests, latency_s=simulated["latency_s"].to_numpy(), first_token_s=None)
    if "first_token_s" in simulated:
        made = replace(made, first_token_s=simulated["first_token_s"].to_numpy())
    tail = tails(requests, metrics(made))
    starts = service
    if requests.at_s is not None and service.by_hour is not None:
        starts = replace(service, starts_at_hour=round(float(requests.at_s.min()) % DAY_S / HOUR_S, 4) % 24)
    words = (
        of_input(requests, with_input, service, told),
        *of_output(requests),
        hours_of(requests, as_line(service)).words,
    )
    return HostedFit(starts, table.assign(error=error), simulated, tail, told, (*words, *tail_words(tail)))


def of_input(requests: Answered, with_input: bool, service: Resampled, told: Mapping[str, tuple[float, float]]) -> str:
    """Return what the data say of input tokens, in a sentence."""
    if requests.input_tokens is None:
        return "input tokens were not measured, so no latency depends on them"
    if not with_input and varies(requests.input_tokens) < LITTLE:
        return "input tokens hardly vary, so a dependence on them cannot be told"
    if not with_input:
        return "no dependence on input tokens shows"
    low, high = (1e6 * end for end in told["per_input_token_s"])
    each = 1e6 * service.per_input_token_s
    return f"1,000 more input tokens take {each:.4g} ms more ({low:.4g} to {high:.4g})"


def of_output(requests: Answered) -> tuple[str, ...]:
    """Return that the data cannot tell a dependence on output tokens, in a sentence; nothing if they can."""
    if varies(requests.output_tokens) >= LITTLE:
        return ()
    return ("output tokens hardly vary, so what a token takes cannot be told from what every answer takes",)


def varies(tokens: IntArray) -> float:
    """Return the coefficient of variation of token counts."""
    return float(tokens.std() / max(tokens.mean(), 1e-12))


def as_line(service: Resampled) -> Line:
    """Return the line of a service."""
    return Line(service.base_s, service.per_output_token_s, service.per_input_token_s)


def fitted(requests: Answered, *, with_input: bool = False) -> Resampled:
    """Return the service of these requests; its clock begins at midnight."""
    line = line_of(requests, with_input=with_input)
    hours = hours_of(requests, line)
    requests = by_hour(requests, hours)
    ordered = requests.take(np.argsort(requests.output_tokens, kind="stable"))
    tokens, latency_s = ordered.output_tokens, ordered.latency_s
    line = Line(*(rounded(one) for one in (line.base_s, line.per_output_token_s, line.per_input_token_s)))
    ratio = latency_s / line.at(ordered)
    if ordered.first_token_s is None:
        share = np.ones(len(tokens))
    elif line.per_input_token_s == 0:
        share = ordered.first_token_s / latency_s
    else:
        assert ordered.input_tokens is not None  # else there would be no part of it
        prompt_s = line.per_input_token_s * ordered.input_tokens
        rest_s = np.maximum(line.at(ordered) - prompt_s, 1e-12)
        share = np.clip((ordered.first_token_s / ratio - prompt_s) / rest_s, 0.0, 1.0)
    n_bins = min(MOST_BINS, max(1, len(tokens) // LEAST_IN_BIN))
    lasts = [part[-1] for part in np.array_split(np.arange(len(tokens)), n_bins)]
    ends = [end for end in np.unique(tokens[lasts]).tolist() if end < tokens[-1]]
    bins = np.searchsorted(ends, tokens)
    ratios, shares = [], []
    for number in range(len(ends) + 1):
        members = np.flatnonzero(bins == number)
        members = members[np.argsort(ratio[members], kind="stable")]
        members = spread(members, number)
        ratios.append(tuple(map(rounded, ratio[members].tolist())))
        shares.append(tuple(map(rounded, share[members].tolist())))
    return Resampled(
        line.base_s,
        line.per_output_token_s,
        tuple(ends),
        tuple(ratios),
        None if ordered.first_token_s is None else tuple(shares),
        per_input_token_s=line.per_input_token_s,
        by_hour=hours.factors,
    )


def spread(members: IntArray, number: int) -> IntArray:
    """Return the members of a bin, or if they are too many, ``MOST_RATIOS`` of them at even distances in their order.

    The first place differs from bin to bin, evenly (by the golden ratio), so that what is rare in every bin, such as a
    retry, stays as frequent over all of them.
    """
    if len(members) <= MOST_RATIOS:
        return members
    places = (np.arange(MOST_RATIOS) + number * GOLDEN % 1) / MOST_RATIOS * len(members)
    return members[places.astype(np.int64)]


def rounded(number: float) -> float:
    """Return a number to ``DIGITS`` significant digits, as a YAML shows it."""
    return float(f"{number:.{DIGITS}g}")


def latencies(service: Resampled, requests: Answered) -> pd.DataFrame:
    """Return simulated ``latency_s``, and ``first_token_s`` if the service knows it, a row per request."""
    draws = service.draw_by_length(requests.output_tokens, np.random.default_rng(0))
    first_s, last_s = service.times_s(requests.output_tokens, draws, requests.input_tokens, requests.at_s)
    simulated = pd.DataFrame({"latency_s": last_s})
    return simulated if service.first_token_shares is None else simulated.assign(first_token_s=first_s)


def figures(run: str, half: str, measured: Answered, simulated: pd.DataFrame) -> list[dict[str, object]]:
    """Return median, 95th percentile and correlation with output tokens of each latency, measured and simulated."""
    return [
        {
            "run": run,
            "half": half,
            "metric": metric,
            "figure": name,
            "measured": figure(name, getattr(measured, metric), measured.output_tokens),
            "simulated": figure(name, simulated[metric].to_numpy(), measured.output_tokens),
        }
        for metric in map(str, simulated)
        for name in FIGURES
    ]


def figure(name: str, latency_s: FloatArray, output_tokens: IntArray) -> float:
    """Return a percentile by linear interpolation, or Pearson's correlation; NaN if either side is constant.

    >>> figure("correlation", np.array([1.0, 2.0, 3.0]), np.array([10, 20, 30]))
    1.0
    """
    if name != "correlation":
        return float(np.quantile(latency_s, 0.5 if name == "p50" else 0.95))
    deviation_s, deviation = latency_s - latency_s.mean(), output_tokens - output_tokens.mean()
    scale = np.sqrt((deviation_s**2).sum() * (deviation**2).sum())
    return float((deviation_s * deviation).sum() / scale) if scale > 0 else float("nan")
