"""Says which measures the figures of a sweep show, with their labels, and between which values they can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from sim.study.oracles import ORACLES

RELATIVE = "relative_quality"
SERVED = "served_percent"
LATENCIES = {
    "p95_first_token_s": "95th percentile\nof first tokens (s)",
    "p95_latency_s": "95th percentile\nof latency (s)",
    "p99_latency_s": "99th percentile\nof latency (s)",
}
QUALITIES = {
    "quality": "total quality\n(sum of scores)",
    RELATIVE: "relative quality\n(share of the optimum\non estimates)",
    "quality_per_usd": "efficiency\n(quality per USD)",
}
OF_SERVED = {SERVED: "served\n(% of arrivals)"}
BOXED = {
    "quality_per_query": "quality per query\n(mean score)",
    RELATIVE: QUALITIES[RELATIVE],
    "quality_per_usd": QUALITIES["quality_per_usd"],
}
COST = {"total_cost_usd": "total cost (USD)"}
MOST = {"quality_per_query": 1.0, SERVED: 100.0}


def drawn(table: pd.DataFrame, time: str | None) -> dict[str, str]:
    """Return the measures along an axis, with their labels: those of latency first where that is asked for."""
    if time is not None:
        return occurring({**LATENCIES, **OF_SERVED, **COST}, table)
    return occurring({**QUALITIES, "p95_latency_s": LATENCIES["p95_latency_s"], **OF_SERVED}, table)


def boxed(table: pd.DataFrame, time: str | None) -> dict[str, str]:
    """Return the measures in boxes, with their labels."""
    return occurring({**LATENCIES, **COST} if time is not None else BOXED, table)


def occurring(labels: Mapping[str, str], table: pd.DataFrame) -> dict[str, str]:
    """Return the measures that a table has and that are not 0 or unknown everywhere; the first at least."""
    here = {name: label for name, label in labels.items() if name in table}
    found = {name: label for name, label in here.items() if table[name].fillna(0).any()}
    return found or dict(list(here.items())[:1])


def has_relative(table: pd.DataFrame) -> bool:
    """Return whether there is a quality relative to the optimum on estimates."""
    return RELATIVE in table and bool(table[RELATIVE].notna().any())


def with_served(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with how many per cent of the arrivals were served."""
    return table.assign(**{SERVED: 100 * table["served"] / table["arrived"]}) if "arrived" in table else table


def possible(measure: str, means: Sequence[float]) -> tuple[float, float]:
    """Return the ends of what a measure can be; only a measure below 0 somewhere has no end there.

    >>> possible("served_percent", [50.0, 100.0]), possible("quality", [12.0, -1.0])
    ((0.0, 100.0), (-inf, inf))
    """
    return (float("-inf") if min(means, default=0.0) < 0 else 0.0), MOST.get(measure, float("inf"))


def without_optima(table: pd.DataFrame, time: str | None) -> pd.DataFrame:
    """Return the table, where latency is asked for without plans of quality in hindsight."""
    return table if time is None else table[~table["policy"].isin(ORACLES)]
