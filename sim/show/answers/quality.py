"""Answers a question about quality: which policy gets the most, by how much, on which sources, and what fits a goal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sim.show.words import listed, plus_minus, total_cost
from sim.study.oracles import ORACLES
from sim.study.output.finished import unvaried
from sim.study.statistics import mean_interval
from sim.study.suggestion import suggest


def answered(policies: pd.DataFrame, ranks: pd.DataFrame | None) -> str:
    """Return which policy has the highest quality, with its interval, and how sure its lead over the next is."""
    intervals = {
        str(name): mean_interval(rows["quality"].tolist()) for name, rows in policies.groupby("policy", sort=False)
    }
    best = max(intervals, key=lambda name: intervals[name][0])
    mean, half_width = intervals[best]
    rows = policies[policies["policy"] == best]
    if half_width > 0:
        sure = " (95%)"
    elif math.isnan(half_width):
        sure = " (one replication, so no interval)"
    elif unvaried(rows):
        sure = f" (the same in all {len(rows)} replications: nothing was redrawn, so no interval)"
    else:
        sure = f" (the same in all {len(rows)} replications)"
    amount = f"{plus_minus(mean, half_width)}{sure}"
    ratio = policies.loc[policies["policy"] == best, "optimum_ratio"].mean()
    share = f"{ratio:.0%} of the hindsight optimum" if math.isfinite(ratio) else ""
    bayes = policies.loc[policies["policy"] == best, "bayes_ratio"].mean() if "bayes_ratio" in policies else math.nan
    of_bayes = f"{bayes:.0%} of the Bayes optimum" if math.isfinite(bayes) else ""
    if len(intervals) == 1:
        served_share = policies["served"].sum() / policies["arrived"].sum()
        cost = f"{plus_minus(*mean_interval(policies[total_cost(policies)].tolist()))} USD"
        of_optimum = f" That is {listed([part for part in (share, of_bayes) if part])}." if share else ""
        cached = policies["cached"].sum() / policies["arrived"].sum() if "cached" in policies else 0.0
        of_cache = f", a cache answers {cached:.0%}, and that costs" if cached else " and costs"
        rest = f" It serves {served_share:.0%} of the queries{of_cache} {cost}."
        return f"{best} gets a quality of {amount}.{of_optimum}{rest}"
    baseline = "random" if "random" in intervals and best != "random" else min(intervals, key=lambda n: intervals[n][0])
    times = f"{mean / intervals[baseline][0]:.3g} times {baseline}'s" if intervals[baseline][0] > 0 else ""
    beside = listed([part for part in (times, share, of_bayes) if part])
    words = f"{best} has the highest quality, {amount}." + (f" That is {beside}." if beside else "")
    if ranks is None:
        return f"{words} One replication cannot tell whether that is chance."
    others = ranks[ranks["alternative"] != best].sort_values("behind")
    following = others.to_dict("records")[0]
    apart, width = following["behind"], following["half_width"]
    ahead = f"{plus_minus(apart, width)} (paired)"
    if apart > width:
        return f"{words} It beats the next, {following['alternative']}, by {ahead}."
    return f"{words} Chance can explain its lead over the next, {following['alternative']}: {ahead}."


def fitting(summary: pd.DataFrame, config: Mapping[str, Any]) -> str:
    """Return which policy fits the goal that was asked for, as a sentence to follow another; nothing without one."""
    goal, needs = config.get("suggest"), config.get("needs") or []
    if goal is None:
        return ""
    sentence = suggest(summary, goal, needs if isinstance(needs, list) else [needs]).sentence
    return f" {sentence[0].upper()}{sentence[1:]}."


def best_on_sources(by_source: pd.DataFrame) -> str:
    """Return on how many sources which policies have the most quality, as a sentence to follow another."""
    routers = by_source[~by_source["policy"].isin(ORACLES)]
    means = routers.groupby(["source", "policy"], sort=False)["quality"].sum().unstack("policy")
    if len(means) == 1:
        return ""
    wins = [(str(policy), int(n)) for policy, n in means.idxmax(axis=1).value_counts().items()]
    return f" Of {len(means)} sources, {listed([f'{policy} is the best on {n}' for policy, n in wins])}."
