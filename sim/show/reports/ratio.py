"""The report of the verb ratio, from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sim.show.ratio import heading, heat_map, losses, precision_reached, ratio_table, slope_table
from sim.show.report import Check, Report, Shown
from sim.show.words import listed, scenario, several


def ratio_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what the ratios say: who keeps the most of the optimum in its worst order, and whether that is precise."""
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
    if isinstance(slope, str):
        checks.append(Check(None, slope.capitalize() + "."))
    return Report(
        question,
        scenario(manifest["config"]),
        answered(worst, orders),
        (ratio_table(cells, worst, half_width), *([] if isinstance(slope, str) else [slope])),
        (
            Shown("heat_map", "Share of the hindsight optimum; lighter is more.", heat_map(cells, worst)),
            Shown("slope", "How the loss falls with volume, with fitted lines.", losses(cells, slopes)),
        ),
        tuple(checks),
    )


def answered(worst: pd.DataFrame, orders: list[str]) -> str:
    """Return which policy keeps the most in its worst order at the largest size, and which is next."""
    at_size = worst[worst["size"] == worst["size"].max()].sort_values("ratio", ascending=False, kind="stable")
    first, *others = at_size.to_dict("records")
    order = f"its worst order, {heading(first['order'])}" if len(orders) > 1 else f"order {heading(first['order'])}"
    words = (
        f"At {first['size']:,} queries {first['policy']} keeps the most of the hindsight optimum in {order}: "
        f"{first['ratio']:.3f} +- {first['half_width']:.3f} (95%)"
    )
    if not others:
        return f"{words}."
    following = others[0]
    return f"{words}; the next, {following['policy']}, keeps {following['ratio']:.3f} +- {following['half_width']:.3f}."
