"""Says what stands behind a percentile where queries were not served: what was lost no longer waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from sim.show.answers.events import happened
from sim.show.words import listed, number
from sim.study.metrics import FATES
from sim.study.oracles import ORACLES

WORDS = {"too_long": "too long", "timed_out": "timed out", "cached": "answered by a cache"}
ANSWERED = ("served", "cached")
LITTLE = 5e-4  # of the arrivals: fewer change no percentile that is printed
PERCENTILES = (
    "Percentiles are over served queries. A query that is lost or refused waits no longer, and nobody waits behind it, "
    "so that they may fall where more is lost; those over all arrivals end in of_arrivals_s."
)
LATENCIES = ("p95_latency_s", "p99_latency_s")


def behind_percentiles(folder: Path, summary: pd.DataFrame, is_of_latency: bool) -> str | None:
    """Return what percentiles are over where queries are lost, if latency is what was asked or something happened."""
    events = happened(folder)
    return of_policies(summary, events) if is_of_latency or events else None


def of_policies(summary: pd.DataFrame, events: Sequence[str] = ()) -> str | None:
    """Return how policies of one summary differ in what they serve, and what that does to percentiles.

    None where queries take no time or nearly all are served.

    Parameters
    ----------
    summary : DataFrame
    events : sequence of str
        What happened in the run, in words.
    """
    policies = summary[~summary["policy"].isin(ORACLES)]
    if "p95_latency_s" not in policies or not (policies["p95_latency_s"] > 0).any():
        return None
    groups = policies.groupby("policy", sort=False)[["arrived", *FATES]].mean()
    means = {str(name): {fate: float(row[fate]) for fate in map(str, groups)} for name, row in groups.iterrows()}
    lost = {name: 1 - sum(row[fate] for fate in ANSWERED) / row["arrived"] for name, row in means.items()}
    if not max(lost.values()) > LITTLE:
        return None
    because = f" (in this run: {'; '.join(events)})" if events else ""
    most, least = min(lost, key=lambda name: lost[name]), max(lost, key=lambda name: lost[name])
    of_least, arrived = means[least], number(means[least]["arrived"])
    fates = listed(counted(of_least))
    if len(means) == 1:
        n_lost = number(of_least["arrived"] - of_least["served"] - of_least["cached"])
        return f"{n_lost} of {arrived} queries are not answered: {fates}{because}. {PERCENTILES}"
    if not lost[least] - lost[most] > LITTLE:
        return None
    fewer = number(means[most]["served"] - of_least["served"])
    return (
        f"Policies differ in what they serve{because}: {least} serves {fewer} fewer of {arrived} queries than {most} "
        f"({fates}). {PERCENTILES}"
    )


def counted(means: Mapping[str, float]) -> list[str]:
    """Return how many met each fate in which nothing was answered.

    >>> counted({"served": 5.0, "failed": 2.0, "timed_out": 1.0, "declined": 0.0})
    ['1 timed out', '2 failed']
    """
    return [
        f"{number(means[fate])} {WORDS.get(fate, fate)}"
        for fate in FATES
        if fate not in ANSWERED and means.get(fate, 0) > 0
    ]


def of_studies(differences: pd.DataFrame, a: str, b: str) -> list[str]:
    """Return a sentence for each policy of two studies that serve different numbers and have other percentiles.

    Parameters
    ----------
    differences : DataFrame
        As ``sim.study.diff.comparison.differences`` makes it, with all metrics.
    a, b : str
        Names of the studies.
    """
    sentences = []
    for (policy_a, policy_b), rows in differences.groupby(["policy_a", "policy_b"], sort=False):
        metrics = [str(metric) for metric in rows["metric"]]
        of_a, of_b = (dict(zip(metrics, map(float, rows[side]), strict=True)) for side in ("mean_a", "mean_b"))
        found = compared(of_a, of_b, a, b)
        if found is not None:
            sentences.append(f"{policy_a}: {found}" if policy_a == policy_b else found)
    return sentences


def compared(of_a: Mapping[str, float], of_b: Mapping[str, float], a: str, b: str) -> str | None:
    """Return how many fewer one of two studies serves, and what that does to its percentiles; None if nothing."""
    percentiles = [name for name in LATENCIES if name in of_a and of_a[name] != of_b[name]]
    if "served" not in of_a or not percentiles:
        return None
    (most, before), (least, after) = sorted([(a, of_a), (b, of_b)], key=lambda study: -study[1]["served"])
    fewer = before["served"] - after["served"]
    if not fewer > LITTLE * before["served"]:
        return None
    more = counted({fate: after[fate] - before[fate] for fate in FATES if fate in after})
    why = f" ({listed([f'{words} more' for words in more])})" if more else ""
    name = percentiles[-1]
    percentile = name.split("_", maxsplit=1)[0]
    waits = ""
    if "mean_wait_s" in after:
        waits = (
            f", and what it serves waits {number(after['mean_wait_s'])} s on average and not "
            f"{number(before['mean_wait_s'])} s"
        )
    return (
        f"{least} serves {number(fewer)} fewer queries than {most}{why}; {percentile} of latency is "
        f"{number(after[name])} s there and {number(before[name])} s in {most}{waits}. Percentiles are over the "
        "served: a query that is lost or refused waits no longer, and nobody waits behind it"
        + (", so that the lower one does not say that the service is faster" if after[name] < before[name] else "")
    )
