"""Reports on sweep: every policy at each point, and which has the highest quality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.answers.subject import OF_WORDS, asked, latency_column
from sim.show.drawings.sweep import figures
from sim.show.page import Check, Report, Shown
from sim.show.sweeps.measures import has_relative, without_optima
from sim.show.words import listed, plus_minus, scenario, several
from sim.show.words import value as words
from sim.study.oracles import ORACLES
from sim.study.sweep import best, cells

MOST_ROWS = 120
TIMES = {"p95_first_token_s": ".3g", "p95_latency_s": ".3g", "p99_latency_s": ".3g"}
SHOWN = {"quality_per_query": ".3f", "relative_quality": ".3f", "optimum_ratio": ".3f", "quality_per_usd": ".1f"}


NO_RELATIVE = (
    "Relative quality is not shown: it is a share of the quality of approximate_optimum, which oracle.names lacks."
)


def point_table(means: pd.DataFrame, axes: Sequence[str], time: str | None = None) -> Table:
    """Return every policy at each point, as ``sim.study.sweep.cells`` has them: the highest quality first, optima last.

    With ``time``, the column of the latency that is asked for, the fastest first, and without optima. Where there are
    too many rows, it ends with the last point that is shown whole.
    """
    means = without_optima(means, time)
    digits = TIMES | ({"total_cost_usd": ".4g"} if time is not None else {})
    digits = {**SHOWN, **TIMES} if time is None else digits
    shown = [column for column in digits if column in means and means[column].notna().any()]
    shown = [column for column in shown if column not in TIMES or means[column].any()]
    first = time or "quality"
    points = [rows for _, rows in means.groupby(list(axes), sort=False, dropna=False)]
    n_shown = max(1, MOST_ROWS // max(map(len, points)))
    n_replications = int(means["replications"].min())
    which = "the highest mean quality" if time is None else "the fastest"
    title = f"Policies at each point, {which} first: means of {several(n_replications, 'replication')}"
    title += ", +- 95%" if n_replications > 1 else ""
    if n_shown < len(points):
        title += f"; the first {n_shown} of {len(points)} points, all are in cells.csv"
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in (*axes, "policy"):
        table.add_column(column, no_wrap=True)
    others = [column for column in shown if column != first]
    for column in (first, *others, "served"):
        table.add_column(column, justify="right", no_wrap=True)
    for rows in points[:n_shown]:
        for row in rows.assign(is_optimum=rows["policy"].isin(ORACLES)).sort_values(
            ["is_optimum", first], ascending=[True, time is not None], kind="stable"
        ).to_dict("records"):  # fmt: skip
            how = ".1f" if time is None else digits[first]
            spread = f" +- {row[f'{first}_half_width']:{how}}" if row[f"{first}_half_width"] > 0 else ""
            table.add_row(
                *(words(row[axis]) for axis in axes),
                row["policy"],
                f"{row[first]:{how}}{spread}",
                *("-" if math.isnan(row[column]) else format(row[column], digits[column]) for column in others),
                f"{row['served']:.0f}",
            )
        table.add_section()
    return table


def sweep_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a sweep says: the policy of the highest quality at its points, and where quality is highest."""
    axes, n_points = manifest["axes"], len(manifest["points"])
    table, failures = pd.read_parquet(folder / "sweep.parquet"), pd.read_csv(folder / "failures.csv")
    means = cells(table, axes)
    time = latency_column(manifest["config"], table)
    winners = best(means, axes, time)
    names = [policy for policy in table["policy"].unique() if policy not in ORACLES]
    n_replications = int(winners["replications"].min())
    enough = n_replications > 1
    return Report(
        f"{asked(names, time)} at {several(n_points, 'combination')} of {listed(axes)}?",
        "At the first point: " + scenario(manifest["config"], manifest.get("fleet")),
        answered(winners, axes) if time is None else fastest(winners, axes, time, len(names)),
        (point_table(means, axes, time),),
        tuple(Shown(f"figures/{name}", caption, drawing) for name, caption, drawing in figures(table, axes, time)),
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
            *(() if time is not None or has_relative(table) else (Check(None, NO_RELATIVE),)),
            Check(
                None,
                "The best of each point was chosen by looking, so where others are close its mean flatters it.",
            ),
            Check(True, "Every run was checked as it ran: one fate per query, budgets, slots, flow laws."),
        ),
    )


def answered(winners: pd.DataFrame, axes: Sequence[str]) -> str:
    """Return which policy is the best at how many points, and where quality per query is highest."""
    first, where = won(winners)
    top = winners.sort_values("quality_per_query", ascending=False, kind="stable").to_dict("records")[0]
    place = place_of(top, axes)
    amount = plus_minus(top["quality_per_query"], top["quality_per_query_half_width"])
    sure = " (95%)" if top["quality_per_query_half_width"] > 0 else ""
    return (
        f"{first} has the highest quality {where}. Quality per query is highest at {place}: {top['policy']} gets "
        f"{amount}{sure} there."
    )


def won(winners: pd.DataFrame) -> tuple[str, str]:
    """Return which policy is the best at the most points, and in words at how many, and which are at the others."""
    wins = [(str(policy), int(n)) for policy, n in winners["policy"].value_counts(sort=True).items()]
    n_points = len(winners)
    (first, at), others = wins[0], [f"{policy} at {n}" for policy, n in wins[1:]]
    if n_points == 1:
        return first, "at the only point"
    if not others:
        return first, "at both points" if n_points == 2 else f"at all {n_points} points"
    return first, f"at {at} of {n_points} points, {listed(others)}"


def place_of(row: Mapping[Any, Any], axes: Sequence[str]) -> str:
    """Return where a point is, in words."""
    return ", ".join(f"{axis} = {words(row[axis])}" for axis in axes)


def fastest(winners: pd.DataFrame, axes: Sequence[str], time: str, n_policies: int) -> str:
    """Return which policy is the fastest at how many points, and where the fastest takes least and longest."""
    if winners.empty:
        return "No query is served at any point, so that there is no latency."
    ordered = winners.sort_values(time, kind="stable").to_dict("records")
    amounts = [
        f"{plus_minus(row[time], row[f'{time}_half_width'])} s at {place_of(row, axes)}"
        + (f" ({row['policy']})" if n_policies > 1 else "")
        for row in (ordered[0], ordered[-1])
    ]
    first, where = won(winners)
    lead = f"{first} is the fastest {where}. " if n_policies > 1 else ""
    slowest = f", and at the slowest of the points within {amounts[1]}" if len(ordered) > 1 else ""
    return f"{lead}95% of the served queries have their {OF_WORDS[time]} within {amounts[0]}{slowest}."
