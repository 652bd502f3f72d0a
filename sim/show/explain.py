"""Reports on explain: where the quality went, and what more budget would be worth."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from sim.show.answers.events import read_events
from sim.show.answers.standing import ranked, standing
from sim.show.choices.figures import choice_figures
from sim.show.drawings.explain import HINDSIGHT, LUCK, in_words, occurring, per, price_figures, stacked
from sim.show.page import Check, Report, Shown
from sim.show.timelines.marks import marks
from sim.show.words import listed, plus_minus, scenario, searched, several
from sim.study.statistics import mean_interval

TOLERANCE = 1e-6  # relative to the optimum


def by_achieved(quality: pd.DataFrame, prices: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return terms and prices in the order of what the policies achieve, the best first; hindsight leads its prices."""
    names = standing(quality[quality["term"] == "achieved"])
    return ranked(quality, names), ranked(prices, [*HINDSIGHT, *names])


def quality_table(quality: pd.DataFrame) -> Table:
    """Return the mean of each term per policy with its 95% half-width; a term that is 0 for all is left out.

    A policy that does not have a term, such as pacing, has a dash there.

    Parameters
    ----------
    quality : DataFrame
        ``policy``, ``replication``, ``term``, ``quality``.
    """
    n_replications = quality["replication"].nunique()
    of = several(n_replications, "replication") + ("" if n_replications == 1 else ", +- 95%")
    title = f"Where the quality went: optimum = terms + achieved, mean of {of}"
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("policy", no_wrap=True)
    terms = occurring(quality)
    for term in terms:
        shown.add_column(textwrap.fill(in_words(term), 12), justify="right", no_wrap=True)
    for policy, rows in quality.groupby("policy", sort=False):
        cells = []
        for term in terms:
            values = rows.loc[rows["term"] == term, "quality"].tolist()
            mean, half_width = mean_interval(values) if values else (np.nan, np.nan)
            cells.append(
                "-" if np.isnan(mean) else f"{mean:.1f} +- {half_width:.1f}" if half_width > 0 else f"{mean:.1f}"
            )
        shown.add_row(str(policy), *cells)
    return shown


def price_table(prices: pd.DataFrame) -> Table:
    """Return what more of each budget and one more slot-hour are worth, a row per deployment.

    Parameters
    ----------
    prices : DataFrame
        ``policy``, ``replication``, ``moment_s``, ``deployment``, ``unit``, ``budget``, ``budget_price``,
        ``slot_price_per_hour``.
    """
    title = "What more budget is worth in quality: in hindsight, and by what each policy leaves, mean over time"
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("deployment", no_wrap=True)
    shown.add_column("one more")
    policies = prices["policy"].unique().tolist()
    for policy in policies:
        shown.add_column("optimum\nwith slots" if policy == "optimum_with_slots" else str(policy), justify="right")
    has_slots = prices["slot_price_per_hour"].notna().any()
    if has_slots:
        shown.add_column("one more\nslot-hour", justify="right")
    for deployment, rows in prices.groupby("deployment", sort=False):
        unit = str(rows["unit"].iloc[0])
        means = rows.groupby("policy")["budget_price"].mean() * per(unit)
        cells = [amount(means[policy]) if np.isfinite(rows["budget"]).all() else "no budget" for policy in policies]
        slot = rows["slot_price_per_hour"].mean()
        shown.add_row(
            str(deployment),
            "dollar" if unit == "usd" else "million tokens",
            *cells,
            *([amount(slot) if np.isfinite(slot) else "-"] if has_slots else []),
        )
    return shown


def amount(value: float) -> str:
    """Return a price as text, to four digits or to whole numbers."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def explain_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what an explanation says: the largest term of the policy that achieved most."""
    quality, prices = by_achieved(pd.read_csv(folder / "decomposition.csv"), pd.read_csv(folder / "prices.csv"))
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
    caption = "Where the quality of each policy went, up to the hindsight optimum."
    if LUCK in occurring(quality):
        caption += " No router could know the luck of outcomes; a better one could win the rest."
    figures = [Shown("decomposition", caption, stacked(quality))]
    shown = marks(read_events(folder), prices["deployment"].nunique())
    for name, drawing in price_figures(prices, shown):
        figures.append(Shown(name, "Shadow prices over time; dashed: in hindsight.", drawing))
    figures += choice_figures(folder)
    return Report(
        f"Where did the quality of {listed(policies)} go, and what would more budget be worth?",
        scenario(manifest["config"], manifest.get("fleet")),
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
        str(term): value
        for (policy, term), value in terms.items()
        if policy == best and term not in ("optimum", "achieved", LUCK)
    }
    largest = max(causes, key=lambda term: causes[term][0])
    has_luck = LUCK in occurring(quality)
    words = (
        f"{best} has the highest quality, {plus_minus(*terms[best, 'achieved'])} of an optimum of "
        f"{plus_minus(*terms[best, 'optimum'])}. "
    )
    if has_luck:
        luck = plus_minus(*terms[best, LUCK])
        words += f"The optimum sees how each score falls: this luck, which no router can know, is worth {luck}. "
    of = "the rest" if has_luck else "what it misses"
    if not causes[largest][0] > 0:
        return f"{words}It misses nothing{' else' if has_luck else ''}."
    return f"{words}The largest part of {of} is {in_words(largest)}: {plus_minus(*causes[largest])} (95%)."
