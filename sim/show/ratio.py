"""Reports on ratio: shares of the hindsight optimum in every order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.drawings.ratio import losses, shares, worst_orders
from sim.show.page import Check, Report, Shown
from sim.show.words import heading, listed, reference, scenario, several


def ratio_table(cells: pd.DataFrame, worst: pd.DataFrame, half_width: float) -> Table:
    """Return the mean ratios to the optimum at the largest size, a row per policy and a column per order.

    Parameters
    ----------
    cells, worst : DataFrame
        As ``sim.study.ratio.tables`` makes them; each policy's worst order has an asterisk.
    half_width : float
        What was asked for; a cell whose interval is wider has an exclamation mark.
    """
    size, replications = cells["size"].max(), cells["replications"].iloc[0]
    lowest = worst_orders(cells, worst)
    title = f"{size} queries, {replications} replications" + "; * worst order" * bool(lowest)
    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 2)
    table.add_column("policy", no_wrap=True)
    at_size = cells[cells["size"] == size]
    for order in at_size["order"].unique():
        table.add_column(heading(order), justify="right", overflow="fold")
    for policy, found in at_size.groupby("policy", sort=False):
        words = [str(policy)]
        for cell in found.to_dict("records"):
            marks = "*" * bool(cell["order"] == lowest.get(str(policy))) + "!" * bool(cell["half_width"] > half_width)
            words.append(f"{cell['ratio']:.3f} +- {cell['half_width']:.3f}{marks}")
        table.add_row(*words)
    return table


def bayes_table(cells: pd.DataFrame) -> Table | None:
    """Return the mean ratios to the Bayes optimum at the largest size; None where the workload knows no chances."""
    at_size = cells[cells["size"] == cells["size"].max()]
    if "ratio_to_bayes" not in cells or at_size["ratio_to_bayes"].isna().all():  # outputs of before have none
        return None
    title = "of the Bayes optimum, which knows the chance of every score and no score"
    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 2)
    table.add_column("policy", no_wrap=True)
    for order in at_size["order"].unique():
        table.add_column(heading(order), justify="right", overflow="fold")
    for policy, found in at_size.groupby("policy", sort=False):
        pairs = zip(found["ratio_to_bayes"], found["bayes_half_width"], strict=True)
        table.add_row(str(policy), *(f"{mean:.3f} +- {half_width:.3f}" for mean, half_width in pairs))
    return table


def precision_reached(cells: pd.DataFrame, half_width: float) -> str:
    """Return a line on the cells, of all sizes, whose intervals are wider than asked for."""
    wide = cells.sort_values("half_width", ascending=False).head(int((cells["half_width"] > half_width).sum()))
    if wide.empty:
        return f"every mean ratio is known to +- {half_width:g} (95%)"
    widest = wide.to_dict("records")[0]
    return (
        f"! {len(wide)} of {len(cells)} mean ratios are not known to +- {half_width:g} (95%); the widest: "
        f"{widest['policy']}, order {widest['order']}, {widest['size']} queries, +- {widest['half_width']:.3f}"
    )


def slope_table(slopes: pd.DataFrame) -> Table | str:
    """Return the slope of each policy and order with its interval and R^2, or a line on why there is none."""
    reasons = slopes.loc[slopes["left_out"] != "", "left_out"].unique().tolist()
    if reasons:
        return f"no slopes: {', '.join(reasons)}"
    title = "slope of 1 - ratio against 1 / sqrt(k), +- 95% (R^2)"
    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 2)
    table.add_column("policy", no_wrap=True)
    for order in slopes["order"].unique():
        table.add_column(heading(order), justify="right", overflow="fold")
    for policy, found in slopes.groupby("policy", sort=False):
        lines = found.to_dict("records")
        words = [f"{line['slope']:.3f} +- {line['slope_half_width']:.3f} ({line['r_squared']:.2f})" for line in lines]
        table.add_row(str(policy), *words)
    return table


def ratio_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what ratios say: the policy that keeps most of the optimum in its worst order, and how precise that is."""
    cells, worst = pd.read_csv(folder / "cells.csv"), pd.read_csv(folder / "worst.csv")
    slopes = pd.read_csv(folder / "slopes.csv", dtype={"left_out": str})
    slopes["left_out"] = slopes["left_out"].fillna("")
    rows = pd.read_parquet(folder / "ratio.parquet")
    orders, sizes = cells["order"].unique().tolist(), sorted(cells["size"].unique().tolist())
    question = (
        f"How much of the hindsight optimum do {several(cells['policy'].nunique(), 'policy', 'policies')} keep in "
        f"{several(len(orders), 'order')} of arrival at {listed([f'{size:,}' for size in sizes])} queries?"
    )
    slope = slope_table(slopes)
    half_width = float(manifest["config"]["half_width"])
    wide = bool((cells["half_width"] > half_width).any())
    checks = [
        Check(not wide, precision_reached(cells, half_width).lstrip("! ").capitalize() + "."),
        Check(
            bool((rows["ratio_to_optimum"] <= 1).all()),
            f"No ratio is above 1; the highest is {rows['ratio_to_optimum'].max():.4f}.",
        ),
        Check(
            rows.groupby(["order", "size", "policy"]).size().nunique() == 1,
            f"Every policy, order and size has {several(int(cells['replications'].iloc[0]), 'replication')}, "
            "each checked as it ran: one fate per query, budgets, slots, flow laws.",
        ),
    ]
    checks.append(Check(None, reference("ratio_to_approximate", manifest["config"].get("exhausted", "fallback"))))
    if isinstance(slope, str):
        checks.append(Check(None, slope.capitalize() + "."))
    return Report(
        question,
        scenario(manifest["config"], manifest.get("fleet")),
        answered(worst, orders),
        tuple(
            table
            for table in (ratio_table(cells, worst, half_width), bayes_table(cells), slope)
            if isinstance(table, Table)
        ),
        tuple(figures(cells, worst, slopes)),
        tuple(checks),
    )


def figures(cells: pd.DataFrame, worst: pd.DataFrame, slopes: pd.DataFrame) -> Iterator[Shown]:
    """Yield the figures: none of one share alone, and no line of one size."""
    if len(cells[["policy", "order"]].drop_duplicates()) > 1:
        yield Shown("heat_map", "Share of the hindsight optimum; lighter is more.", shares(cells, worst))
    if cells["size"].nunique() > 1:
        yield Shown("slope", "How the loss falls with volume, with fitted lines.", losses(cells, slopes))


def answered(worst: pd.DataFrame, orders: list[str]) -> str:
    """Return which policy keeps the most in its worst order at the largest size, and which is next."""
    at_size = worst[worst["size"] == worst["size"].max()].sort_values("ratio", ascending=False, kind="stable")
    first, *others = at_size.to_dict("records")
    order = f"its worst order, {heading(first['order'])}" if len(orders) > 1 else f"order {heading(first['order'])}"
    words = (
        f"{first['policy']} keeps the largest share of the hindsight optimum in {order}, at {first['size']:,} queries: "
        f"{first['ratio']:.3f} +- {first['half_width']:.3f} (95%)"
    )
    if not others:
        return f"{words}."
    following = others[0]
    return f"{words}. The next, {following['policy']}, keeps {following['ratio']:.3f} +- {following['half_width']:.3f}."
