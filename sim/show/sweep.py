"""Reports on sweep: every policy at each point, and which has the highest quality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.drawings.sweep import figures, has_relative
from sim.show.page import Check, Report, Shown
from sim.show.words import listed, plus_minus, scenario, several
from sim.show.words import value as words
from sim.study.oracles import ORACLES
from sim.study.sweep import best, cells

MOST_ROWS = 120
SHOWN = {"quality_per_query": ".3f", "relative_quality": ".3f", "optimum_ratio": ".3f", "quality_per_usd": ".1f"}


NO_RELATIVE = (
    "Relative quality is not shown: it is a share of the quality of approximate_optimum, which oracle.names lacks."
)


def point_table(means: pd.DataFrame, axes: Sequence[str]) -> Table:
    """Return every policy at each point, as ``sim.study.sweep.cells`` has them: the highest quality first, optima last.

    Where there are too many rows, it ends with the last point that is shown whole.
    """
    shown = [column for column in SHOWN if column in means and means[column].notna().any()]
    points = [rows for _, rows in means.groupby(list(axes), sort=False, dropna=False)]
    n_shown = max(1, MOST_ROWS // max(map(len, points)))
    n_replications = int(means["replications"].min())
    title = f"Policies at each point, the highest mean quality first: means of {several(n_replications, 'replication')}"
    title += ", +- 95%" if n_replications > 1 else ""
    if n_shown < len(points):
        title += f"; the first {n_shown} of {len(points)} points, all are in cells.csv"
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in (*axes, "policy"):
        table.add_column(column, no_wrap=True)
    for column in ("quality", *shown, "served"):
        table.add_column(column, justify="right", no_wrap=True)
    for rows in points[:n_shown]:
        for row in rows.assign(is_optimum=rows["policy"].isin(ORACLES)).sort_values(
            ["is_optimum", "quality"], ascending=[True, False], kind="stable"
        ).to_dict("records"):  # fmt: skip
            spread = f" +- {row['quality_half_width']:.1f}" if row["quality_half_width"] > 0 else ""
            table.add_row(
                *(words(row[axis]) for axis in axes),
                row["policy"],
                f"{row['quality']:.1f}{spread}",
                *("-" if math.isnan(row[column]) else format(row[column], SHOWN[column]) for column in shown),
                f"{row['served']:.0f}",
            )
        table.add_section()
    return table


def sweep_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a sweep says: the policy of the highest quality at its points, and where quality is highest."""
    axes, n_points = manifest["axes"], len(manifest["points"])
    table, failures = pd.read_parquet(folder / "sweep.parquet"), pd.read_csv(folder / "failures.csv")
    means = cells(table, axes)
    winners = best(means, axes)
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
        "At the first point: " + scenario(manifest["config"], manifest.get("fleet")),
        answered(winners, axes),
        (point_table(means, axes),),
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
            *(() if has_relative(table) else (Check(None, NO_RELATIVE),)),
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
