"""Computes how far two finished studies are apart, and which is better. It knows values and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # the quantile of Student's t, without the half second that scipy.stats takes

from sim.interface import FloatArray
from sim.study.output.finished import Finished, direction
from sim.study.statistics import paired_difference

HEADLINES = (
    *(
        "quality",
        "served",
        "total_cost_usd",
        "cost_usd",
        "quality_per_usd",
        "relative_quality",
        "optimum_ratio",
        "bayes_ratio",
        "overshoot",
    ),
    *("p95_latency_s", "p99_latency_s", "slo_attainment"),
)
__all__ = ["direction"]  # which others import from here
ROUNDING = 1e-12  # relative; sums in another order differ by less


def welch_difference(
    a: Sequence[float] | FloatArray, b: Sequence[float] | FloatArray, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the difference of the means of independent samples and the half-width of its interval; NaN for one value.

    Notes
    -----
    With v = s^2 / n of each sample, Student's quantile has (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1))
    degrees of freedom (Welch, Biometrika 34, 1947); the variances need not be equal.

    Examples
    --------
    >>> welch_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])  # v = 1/3 each, 4 degrees of freedom: 2.776 sqrt(2/3)
    (0.0, 2.266...)
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    difference = float(first.mean() - second.mean())
    if min(len(first), len(second)) < 2:
        return difference, float("nan")
    parts = np.array([first.var(ddof=1) / len(first), second.var(ddof=1) / len(second)])
    if parts.sum() == 0:
        return difference, 0.0
    degrees = parts.sum() ** 2 / (parts**2 / [len(first) - 1, len(second) - 1]).sum()
    return difference, float(stdtrit(degrees, 0.5 + confidence / 2) * np.sqrt(parts.sum()))


def pairs_of_policies(a: Finished, b: Finished) -> list[tuple[str, str]]:
    """Return which policies of two studies to compare: those of one name, or the only one of each.

    Raises
    ------
    ValueError
        If there is neither.
    """
    common = [(policy, policy) for policy in a.policies if policy in b.policies]
    if common:
        return common
    if len(a.policies) == len(b.policies) == 1:
        return [(a.policies[0], b.policies[0])]
    raise ValueError(
        f"no policy in common: {a.name} has {', '.join(a.policies)}; {b.name} has {', '.join(b.policies)}; "
        "give directories with one policy each, or with a policy of one name"
    )


def differences(a: Finished, b: Finished, *, margin: float = 0.0) -> pd.DataFrame:
    """Return how far two studies are apart, per policy and metric that both have.

    Replications with the same seed and number are pairs, because they met the same draws; where no two are, the samples
    are taken as independent, and the interval is Welch's. A metric that is not finite in one of them is left
    out. ``margin`` is a share of the mean of both: a difference whose whole interval is within it counts as none.

    Returns
    -------
    DataFrame
        ``policy_a``, ``policy_b``, ``metric``, ``method`` (``paired`` or ``Welch``), ``n_a``, ``n_b`` (replications
        used), ``mean_a``, ``mean_b``, ``difference`` (of a from b), ``half_width`` (95%), ``better``: ``a``, ``b``,
        ``none`` or ``unknown`` (no interval), and ``verdict``: the same, but instead of ``none`` ``cannot tell`` (the
        interval has 0 inside), ``no difference`` (equal, or the whole interval is within the margin) or ``apart`` (more
        or less, and nothing says which is better).

    Raises
    ------
    ValueError
        If no policy or no metric is in common, or nothing can be said of chance.
    """
    metrics = [metric for metric in a.metrics if metric in b.metrics]
    rows = []
    for policy_a, policy_b in pairs_of_policies(a, b):
        for metric in metrics:
            of_a, of_b = a.values(policy_a, metric), b.values(policy_b, metric)
            common = of_a.index.intersection(of_b.index)
            paired = len(common) > 1 or len(common) == min(len(of_a), len(of_b))
            if paired:
                of_a, of_b = of_a.loc[common], of_b.loc[common]
            elif min(len(of_a), len(of_b)) < 2:
                raise ValueError(
                    f"{a.name} and {b.name} have no seed and replication in common, and one of them has a single "
                    "replication; give both the same seed, or replications=2 or more"
                )
            if not (np.isfinite(of_a).all() and np.isfinite(of_b).all()):
                continue
            apart = paired_difference if paired else welch_difference
            difference, half_width = apart(of_a.tolist(), of_b.tolist())
            size = abs(of_a.mean()) + abs(of_b.mean())
            sign = a.direction(metric) or b.direction(metric)
            rows.append(
                {
                    "policy_a": policy_a,
                    "policy_b": policy_b,
                    "metric": metric,
                    "method": "paired" if paired else "Welch",
                    "n_a": len(of_a),
                    "n_b": len(of_b),
                    "mean_a": of_a.mean(),
                    "mean_b": of_b.mean(),
                    "difference": difference,
                    "half_width": half_width,
                    "better": better(difference, half_width, sign, size),
                    "verdict": verdict(difference, half_width, sign, size, margin / 2),
                }
            )
    if not rows:
        raise ValueError(f"{a.name} and {b.name} have no metric in common that is finite in every replication")
    return pd.DataFrame(rows)


def better(difference: float, half_width: float, sign: int, size: float) -> str:
    """Return whether a difference of a from b is in favour of ``a`` or ``b``, of ``none``, or ``unknown``."""
    if np.isnan(half_width):
        return "unknown"
    if sign == 0 or abs(difference) <= max(half_width, ROUNDING * size):
        return "none"
    return "a" if sign * difference > 0 else "b"


def verdict(difference: float, half_width: float, sign: int, size: float, margin: float) -> str:
    """Return what a difference says in words: which is ``better``, or why none can be named."""
    side = better(difference, half_width, sign, size)
    if side != "none":
        return side
    if abs(difference) + half_width <= max(margin, ROUNDING) * size:
        return "no difference"
    return "cannot tell" if abs(difference) <= half_width else "apart"
