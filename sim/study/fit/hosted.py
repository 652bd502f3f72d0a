"""Fits the latency of a hosted model to measured requests, by the length of their answers. It knows no queue.

The line through the latencies is fitted by least squares on relative errors; around it stand the measured ratios, by
bins of length (``sim.world.services.resampled``). Whether that predicts is judged on every other request, with a
fit to the rest; what is written is fitted to all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from sim.errors import unknown
from sim.interface import FloatArray, IntArray
from sim.study.fit.measured import MOST_TOKENS, read_table
from sim.world.services.resampled import Resampled

MOST_BINS, LEAST_IN_BIN = 100, 5  # many bins keep the dependence on length; five ratios, its spread
MOST_RATIOS = 200  # that a bin keeps
GOLDEN = (5**0.5 - 1) / 2
FEWEST = 20  # requests: two halves of two bins
DIGITS = 5
BY_CLOCK = ("arrival_s", "last_token_s")
CLOSE = 0.05
FIGURES = ("p50", "p95", "correlation")


@dataclass(frozen=True)
class Answered:
    """Requests that a hosted model answered: arrays (n_requests,); the first token's time is None if not measured."""

    output_tokens: IntArray
    latency_s: FloatArray
    first_token_s: FloatArray | None = None

    def take(self, chosen: IntArray) -> Answered:
        """Return some of the requests."""
        first_s = None if self.first_token_s is None else self.first_token_s[chosen]
        return Answered(self.output_tokens[chosen], self.latency_s[chosen], first_s)


@dataclass(frozen=True)
class HostedFit:
    """The service fitted to all requests, and its figures beside the measured ones, of all and of those held out."""

    service: Resampled
    figures: pd.DataFrame
    simulated: pd.DataFrame


def read(path: Path) -> Answered:
    """Read answered requests from CSV or Parquet: ``output_tokens``, and ``latency_s`` or times of a clock.

    ``latency_s`` is from the request to the last token, and ``first_token_s``, optional, to the first. Instead of
    latencies there may be ``arrival_s`` and ``last_token_s``; then ``first_token_s`` is a time of the same clock.

    Raises
    ------
    ValueError
        If a column is missing or a number cannot be, by column and row; or if there are too few requests.
    OSError
        If there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; give the table of measured requests")
    table = read_table(path)
    by_clock = "latency_s" not in table and all(name in table for name in BY_CLOCK)
    for name in ("output_tokens", *(BY_CLOCK if by_clock else ("latency_s",))):
        if name not in table:
            raise ValueError(f"{unknown('column', name, [str(column) for column in table.columns])} (in {path})")
    if len(table) < FEWEST:
        raise ValueError(f"{path} has {len(table)} rows; a fit and its check need at least {FEWEST}")

    def column(name: str) -> FloatArray:
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        refuse(~np.isfinite(values), name, "a finite number")
        return values

    def refuse(bad: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], name: str, right: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"{name} is {str(table[name].iloc[row])!r} in row {row} of {path}; it must be {right}")

    tokens = column("output_tokens")
    whole = (tokens >= 0) & (tokens <= MOST_TOKENS) & (tokens == np.floor(tokens))
    refuse(~whole, "output_tokens", f"a whole number of at least 0 and at most {MOST_TOKENS}")
    arrival_s = column("arrival_s") if by_clock else np.zeros(len(table))
    latency_s = column("last_token_s" if by_clock else "latency_s") - arrival_s
    refuse(latency_s <= 0, "last_token_s" if by_clock else "latency_s", "above " + ("arrival_s" if by_clock else "0"))
    first_s = None
    if "first_token_s" in table:
        first_s = column("first_token_s") - arrival_s
        refuse((first_s < 0) | (first_s > latency_s), "first_token_s", "between the request and its last token")
    return Answered(tokens.astype(np.int64), latency_s, first_s)


def fit(requests: Answered) -> HostedFit:
    """Fit all requests, and judge the way of fitting on every other one."""
    n = len(requests.latency_s)
    service = fitted(requests)
    odd, even = requests.take(np.arange(1, n, 2)), requests.take(np.arange(0, n, 2))
    simulated = latencies(service, requests.output_tokens)
    rows = [
        *figures("fitted", requests, simulated),
        *figures("held_out", odd, latencies(fitted(even), odd.output_tokens)),
    ]
    table = pd.DataFrame(rows)
    difference = table["simulated"] - table["measured"]
    error = difference.where(table["figure"] == "correlation", difference / table["measured"])
    return HostedFit(service, table.assign(error=error), simulated)


def fitted(requests: Answered) -> Resampled:
    """Return the service of these requests."""
    order = np.argsort(requests.output_tokens, kind="stable")
    ordered = requests.take(order)
    tokens, latency_s = ordered.output_tokens, ordered.latency_s
    # min over base, per >= 0 of sum ((base + per x tokens) / latency - 1)^2
    (base_s, token_s), _ = nnls(
        np.column_stack([np.ones(len(tokens)), tokens]) / latency_s[:, None], np.ones(len(tokens))
    )
    base_s, token_s = rounded(base_s), rounded(token_s)
    ratio = latency_s / (base_s + token_s * tokens)
    share = np.ones(len(tokens)) if ordered.first_token_s is None else ordered.first_token_s / latency_s
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
    kept = None if ordered.first_token_s is None else tuple(shares)
    return Resampled(base_s, token_s, tuple(ends), tuple(ratios), kept)


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


def latencies(service: Resampled, output_tokens: IntArray) -> pd.DataFrame:
    """Return simulated ``latency_s``, and ``first_token_s`` if the service knows it, a row per request."""
    draws = service.draw_by_length(output_tokens, np.random.default_rng(0))
    latency_s = service.holds_s(output_tokens, draws)
    simulated = pd.DataFrame({"latency_s": latency_s})
    return simulated if service.first_token_shares is None else simulated.assign(first_token_s=latency_s * draws[:, 1])


def figures(half: str, measured: Answered, simulated: pd.DataFrame) -> list[dict[str, object]]:
    """Return median, 95th percentile and correlation with output tokens of each latency, measured and simulated."""
    return [
        {
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
