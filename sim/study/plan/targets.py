"""Reads targets, which are limits to metrics, and judges them by replications. It knows numbers, not runs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.errors import unknown
from sim.interface import FloatArray
from sim.study.metrics import IN_EVERY_SUMMARY
from sim.study.metrics.groups.classes import split
from sim.study.statistics import mean_interval

WORDS = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)(?P<of>\[[^][]+\])?\s*(?P<sign><=|>=)\s*(?P<limit>\S+)\s*")
ALIASES = (  # what people type, where a column has another name
    ("ttft", "first_token"),
    ("tpot", "per_token"),
    ("cost_per_1k_usd", "total_cost_per_1000_arrivals_usd"),
)
MEETS, FAILS, TIE = "meets", "fails", "tie"
Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Target:
    """A limit to the mean of a metric over replications.

    Parameters
    ----------
    name, metric : str
        As it was typed, and the column that it means; of one class of queries with its name, as in
        ``p95_first_token_s[interactive]``.
    sign : str
        ``<=`` or ``>=``.
    limit : float
    """

    name: str
    metric: str
    sign: str
    limit: float

    def __str__(self) -> str:
        """Return it as it was typed."""
        return f"{self.name}{self.sign}{self.limit:g}"

    def excess(self, value: float) -> float:
        """Return by how much a value is on the wrong side of the limit; negative on the right side."""
        return value - self.limit if self.sign == "<=" else self.limit - value


@dataclass(frozen=True)
class Measured:
    """A target's metric at one candidate: mean over replications, the ends of its interval, and the verdict.

    The verdict is ``meets`` or ``fails`` if the whole interval is on that side of the limit, ``tie`` if the limit is
    inside. Without a figure in some replication the mean is NaN and the target fails; an infinite one is like any mean.
    """

    target: Target
    mean: float
    low: float
    high: float

    @property
    def is_alike(self) -> bool:
        """Whether every replication gave the same figure, but for rounding."""
        return math.isclose(self.low, self.high, rel_tol=1e-9)

    @property
    def verdict(self) -> str:
        """What the interval says."""
        worst, best = (self.high, self.low) if self.target.sign == "<=" else (self.low, self.high)
        if self.target.excess(worst) <= 0:
            return MEETS
        return TIE if self.target.excess(best) <= 0 else FAILS


def measure(target: Target, values: Sequence[float] | FloatArray, confidence: float) -> Measured:
    """Return what one value per replication says of a target, at least two of them."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        mean = math.nan if np.isnan(array).any() else float(array.mean())
        return Measured(target, mean, mean, mean)
    mean, half_width = mean_interval(array, confidence)
    return Measured(target, mean, mean - half_width, mean + half_width)


def read_targets(
    words: Sequence[str], known: Sequence[str], ranges: Mapping[str, Range] | None = None
) -> tuple[Target, ...]:
    """Read targets such as ``p95_latency_s<=2``, or ``p95_latency_s[interactive]<=2`` of one class of queries.

    Parameters
    ----------
    words : sequence of str
    known : sequence of str
        The metrics that there are.
    ranges : mapping of str to pair of float or None
        The least and the greatest value that a metric can have; None where there is none. Those of every summary are
        known.

    Raises
    ------
    ValueError
        If there is none, one cannot be read, names no metric or is outside its range, or two contradict each other.
    """
    if not words:
        raise ValueError(
            "targets is empty; give one or more in quotes, such as 'targets=[p95_latency_s<=2,quality_per_query>=0.5]'"
        )
    targets = tuple(read_target(str(word), known) for word in words)
    for target in targets:
        check_range(
            target, (dict.fromkeys(IN_EVERY_SUMMARY, (0.0, None)) | dict(ranges or {})).get(split(target.metric)[0])
        )
    for upper in targets:
        for lower in targets:
            if (upper.metric, upper.sign, lower.sign) == (lower.metric, "<=", ">=") and upper.limit < lower.limit:
                raise ValueError(f"the targets {upper} and {lower} contradict each other; drop one of them")
    return targets


def check_range(target: Target, possible: Range | None) -> None:
    """Raise ValueError for a target that no run can meet, because its metric has no such values."""
    least, most = possible or (None, None)
    too_much = target.sign == ">=" and most is not None and target.limit > most
    too_little = target.sign == "<=" and least is not None and target.limit < least
    if too_much or too_little:
        span = f"at least {least:g}" if most is None else f"from {least:g} to {most:g}"
        raise ValueError(f"the target {target} can never be met: {target.metric} is {span}")


def read_target(word: str, known: Sequence[str]) -> Target:
    """Read one target."""
    found = WORDS.fullmatch(word)
    try:
        limit = float(found["limit"]) if found else math.nan
    except ValueError:
        limit = math.nan
    if found is None or not math.isfinite(limit):
        raise ValueError(
            f"cannot read the target {word!r}; write METRIC<=NUMBER or METRIC>=NUMBER, such as p95_latency_s<=2, or "
            "METRIC[CLASS]<=NUMBER for the queries of a class"
        )
    name = metric = found["name"]
    of = found["of"] or ""
    if metric not in known:
        for alias, column in ALIASES:
            metric = metric.replace(alias, column)
    if metric not in known:
        raise ValueError(unknown("metric", name, [*known, *(one for one in map(short, known) if one not in known)]))
    if of and metric in IN_EVERY_SUMMARY:
        raise ValueError(f"{name} is of all queries; of class {of[1:-1].strip()!r} there is served_share, for example")
    return Target(f"{name}{of}", f"{metric}[{of[1:-1].strip()}]" if of else metric, found["sign"], limit)


def short(metric: str) -> str:
    """Return what people type for a column.

    >>> short("p95_first_token_s")
    'p95_ttft_s'
    """
    for alias, column in ALIASES:
        metric = metric.replace(column, alias)
    return metric
