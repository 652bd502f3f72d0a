"""The report of the verb ratio, from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sim.show.ratio import heat_map, losses, precision_reached, ratio_table, slope_table
from sim.show.report import Check, Report, Shown
from sim.show.words import listed, part, several


def ratio_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what the ratios say: who keeps the most of the optimum in its worst order, and whether that is precise."""
    config = manifest["config"]
    cells, worst, slopes = (pd.read_csv(folder / f"{name}.csv") for name in ("cells", "worst", "slopes"))
    slopes["left_out"] = slopes["left_out"].fillna("")
    rows = pd.read_parquet(folder / "ratio.parquet")
    orders, sizes = cells["order"].unique().tolist(), sorted(cells["size"].unique().tolist())
    question = (
        f"How much of the hindsight optimum do {several(cells['policy'].nunique(), 'policy', 'policies')}"
        f" get in {several(len(orders), 'order')} ({listed([order.replace('_', ' ') for order in orders])}) at "
        f"{listed([f'{size:,}' for size in sizes])} queries (budget {part(config.get('budget'))}; arrivals "
        f"{part(config.get('arrivals'))})?"
    )
    slope = slope_table(slopes)
    half_width = float(config["half_width"])
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
            "each checked as it ran: one fate per query, budgets, places, flow laws.",
        ),
    ]
    if isinstance(slope, str):
        checks.append(Check(None, slope.capitalize() + "."))
    return Report(
        question,
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
    order = f"worst order, {first['order'].replace('_', ' ')}" if len(orders) > 1 else f"order {first['order']}"
    words = (
        f"At {first['size']:,} queries {first['policy']} is sure of the most: in its {order}, it gets "
        f"{first['ratio']:.3f} +- {first['half_width']:.3f} (95%) of the hindsight optimum"
    )
    if not others:
        return f"{words}."
    following = others[0]
    return f"{words}; the next, {following['policy']}, {following['ratio']:.3f} +- {following['half_width']:.3f}."
