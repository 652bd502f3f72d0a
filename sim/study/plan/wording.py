"""Says metrics and what was measured of targets in words."""

from __future__ import annotations

import math

from sim.study.plan.candidates import Judged
from sim.study.plan.targets import TIE, Measured, Target

UNITS = {"_s": " s", "_usd": " USD", "_j": " J", "_tokens": " tokens"}


def said(metric: str) -> tuple[str, str]:
    """Return a metric's column in words, and its unit.

    >>> said("p95_first_token_s"), said("total_cost_per_1000_arrivals_usd"), said("served_share")
    (('p95 first token', ' s'), ('total cost per 1000 arrivals', ' USD'), ('served share', ''))
    """
    for suffix, unit in UNITS.items():
        if metric.endswith(suffix):
            return metric.removesuffix(suffix).replace("_", " "), unit
    return metric.replace("_", " "), ""


def limit_of(target: Target) -> str:
    """Return a target's limit in words.

    >>> limit_of(Target("p95_ttft_s", "p95_first_token_s", "<=", 0.5))
    'at most 0.5 s'
    """
    return f"at {'most' if target.sign == '<=' else 'least'} {target.limit:g}{said(target.metric)[1]}"


def measured_words(measured: Measured) -> str:
    """Return a target's metric with its interval and its limit, in words."""
    words, unit = said(measured.target.metric)
    limit = limit_of(measured.target)
    if math.isnan(measured.mean):
        return f"{words} without a figure ({limit})"
    spread = f"{measured.low:.3g} to {measured.high:.3g}"
    if measured.is_alike:
        spread = "the same in every replication"
    return f"{words} {measured.mean:.3g}{unit} ({spread}; {limit})"


def missed_words(measured: Measured) -> str:
    """Return how a target is missed, in a few words."""
    spread = f" ({measured.low:.3g} to {measured.high:.3g}), which cannot be told from its limit"
    return mean_words(measured) + (spread if measured.verdict == TIE else "")


def mean_words(measured: Measured) -> str:
    """Return a target's mean in a few words."""
    words, unit = said(measured.target.metric)
    if math.isnan(measured.mean):
        return f"{words} has no figure"
    if math.isinf(measured.mean):
        return f"{words} is infinite, as some of its queries are never served"
    return f"{words} is {measured.mean:.3g}{unit}"


def parts_words(judged: Judged) -> str:
    """Return what of a mix's cost is rent and what tokens, and which share of the queries each member takes."""
    total, tokens = judged.total_cost_per_1000_arrivals_usd, judged.token_cost_per_1000_arrivals_usd
    shares = sorted(judged.shares.items(), key=lambda share: -share[1])
    taken = [f"{name} {'takes ' if k == 0 else ''}{share:.0%}" for k, (name, share) in enumerate(shares)]
    taken[:1] = [f"{taken[0]} of them"] if taken else []
    rest = 1 - math.fsum(judged.shares.values())
    lost = [f"{rest:.0%} go to none of them"] if rest > 0.005 else []
    return (
        f"1,000 queries cost {total:.4g} USD, {max(total - tokens, 0.0):.4g} of rent and {tokens:.4g} of tokens; "
        + ", ".join([*taken, *lost])
    )
