"""The report of the verb explain, from its two tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sim.show.explained import price_figures, price_table, quality_table, stacked
from sim.show.report import Check, Report, Shown
from sim.show.words import listed, plus_minus, scenario, searched, several
from sim.study.statistics import mean_interval

TOLERANCE = 1e-6  # relative to the optimum


def explain_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what an explanation says: the largest term of the policy that achieved most."""
    quality, prices = pd.read_csv(folder / "decomposition.csv"), pd.read_csv(folder / "prices.csv")
    policies = quality["policy"].unique().tolist()
    n_replications = quality["replication"].nunique()
    by_run = quality.pivot_table(index=["policy", "replication"], columns="term", values="quality", sort=False)
    left = by_run["optimum"] - by_run.drop(columns="optimum").sum(axis=1)
    error = float((left.abs() / by_run["optimum"].abs().clip(lower=1)).max())
    checks = [
        Check(
            error <= TOLERANCE,
            f"Achieved quality and terms add up to the optimum in every run; the largest relative gap is {error:.1e}.",
        ),
        Check(
            n_replications > 1 or None,
            f"Intervals are over {several(n_replications, 'replication')}."
            if n_replications > 1
            else "One replication: no interval says how much is chance.",
        ),
        Check(True, "Each run was checked as it ran: one fate per query, budgets, slots, flow laws."),
    ]
    figures = [
        Shown("decomposition", "Where the quality of each policy went, up to the hindsight optimum.", stacked(quality))
    ]
    for name, drawing in price_figures(prices):
        figures.append(Shown(name, "Shadow prices over time; dashed: in hindsight.", drawing))
    return Report(
        f"Where did the quality of {listed(policies)} go, and what would more budget be worth?",
        scenario(manifest["config"]),
        answered(quality) + searched(folder),
        (quality_table(quality), price_table(prices)),
        tuple(figures),
        tuple(checks),
    )


def answered(quality: pd.DataFrame) -> str:
    """Return what the policy that achieved most missed, and mostly why."""
    terms = {
        key: mean_interval(rows["quality"].tolist()) for key, rows in quality.groupby(["policy", "term"], sort=False)
    }
    best = max(quality["policy"].unique(), key=lambda policy: terms[policy, "achieved"][0])
    causes = {
        term: value for (policy, term), value in terms.items() if policy == best and term not in ("optimum", "achieved")
    }
    largest = max(causes, key=lambda term: causes[term][0])
    return (
        f"{best} achieves the most, {plus_minus(*terms[best, 'achieved'])} of an optimum of "
        f"{plus_minus(*terms[best, 'optimum'])}; most of what it misses is {str(largest).replace('_', ' ')}: "
        f"{plus_minus(*causes[largest])} (95%)."
    )
