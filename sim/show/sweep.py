"""The table and the report of sweep: which policy has the highest quality at each point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.drawings.sweep import figures
from sim.show.page import Check, Report, Shown
from sim.show.words import listed, plus_minus, scenario, several
from sim.show.words import value as words
from sim.study.experiment import ORACLES
from sim.study.sweep import best, cells

MOST_ROWS = 40


def best_table(winners: pd.DataFrame, axes: Sequence[str]) -> Table:
    """Return the best policy of each point, as ``sim.study.sweep.best`` finds it."""
    replications = int(winners["replications"].iloc[0])
    title = f"The policy with the highest mean quality at each point, of {replications} replications, +- 95%"
    if len(winners) > MOST_ROWS:
        title += f"; the first {MOST_ROWS} of {len(winners)} points, all are in cells.csv"
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in (*axes, "policy"):
        table.add_column(column, no_wrap=True)
    for column in ("quality", "quality_per_query", "quality_per_usd", "served"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in winners.head(MOST_ROWS).to_dict("records"):
        spread = f" +- {row['quality_half_width']:.1f}" if row["quality_half_width"] > 0 else ""
        table.add_row(
            *(words(row[axis]) for axis in axes),
            row["policy"],
            f"{row['quality']:.1f}{spread}",
            f"{row['quality_per_query']:.3f}",
            f"{row['quality_per_usd']:.1f}",
            f"{row['served']:.0f}",
        )
    return table


def sweep_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a sweep says: who has the most quality at how many of its points, and where most is reached."""
    axes, n_points = manifest["axes"], len(manifest["points"])
    table, failures = pd.read_parquet(folder / "sweep.parquet"), pd.read_csv(folder / "failures.csv")
    winners = best(cells(table, axes), axes)
    names = [policy for policy in table["policy"].unique() if policy not in ORACLES]
    n_replications = int(winners["replications"].min())
    asked = (
        f"What quality does {names[0]} get"
        if len(names) == 1
        else f"Which of {len(names)} policies gets the highest quality"
    )
    enough = n_replications > 1
    return Report(
        f"{asked} at {several(n_points, 'combination')} of {listed(axes)}?",
        "At the first point: " + scenario(manifest["config"]),
        answered(winners, axes),
        (best_table(winners, axes),),
        tuple(Shown(f"figures/{name}", caption, drawing) for name, caption, drawing in figures(table, axes)),
        (
            Check(
                len(failures) == 0 and len(winners) == n_points,
                f"{len(winners)} of {n_points} points have results, and {several(len(failures), 'failure')} "
                f"{'is' if len(failures) == 1 else 'are'} in failures.csv.",
            ),
            Check(
                True if enough else None,
                f"Intervals are over {several(n_replications, 'replication')} of each point."
                if enough
                else "One replication: no interval says how much is chance.",
            ),
            Check(
                None,
                "The best of each point was chosen by looking, so where others are close its mean flatters it.",
            ),
            Check(True, "Every run was checked as it ran: one fate per query, budgets, slots, flow laws."),
        ),
    )


def answered(winners: pd.DataFrame, axes: Sequence[str]) -> str:
    """Return which policy is the best at how many points, and where quality per query is highest."""
    wins = [(str(policy), int(n)) for policy, n in winners["policy"].value_counts(sort=True).items()]
    n_points = len(winners)
    (first, at), others = wins[0], [f"{policy} at {n}" for policy, n in wins[1:]]
    if n_points == 1:
        where = "at the only point"
    elif not others:
        where = "at both points" if n_points == 2 else f"at all {n_points} points"
    else:
        where = f"at {at} of {n_points} points, {listed(others)}"
    top = winners.sort_values("quality_per_query", ascending=False, kind="stable").to_dict("records")[0]
    place = ", ".join(f"{axis} = {words(top[axis])}" for axis in axes)
    amount = plus_minus(top["quality_per_query"], top["quality_per_query_half_width"])
    sure = " (95%)" if top["quality_per_query_half_width"] > 0 else ""
    return (
        f"{first} has the highest quality {where}. Quality per query is highest at {place}: {top['policy']} gets "
        f"{amount}{sure} there."
    )
