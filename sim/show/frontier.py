"""Reports on frontier: which router's curve is best, and what single models reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.drawings.frontier import curves, means_of
from sim.show.page import Check, Report, Shown
from sim.show.words import plus_minus, scenario, searched, several

SINGLE = "single models"
HEADINGS = {"peak_quality": "best quality", "area": "area", "hull_area": "hull area", "qnc": "QNC"}


def curve_table(measures: pd.DataFrame) -> Table:
    """Return the measures of every router, the largest area first, then those without; single models come last."""
    n_replications = int(measures["replications"].max())
    of = several(n_replications, "replication") + ("" if n_replications == 1 else ", +- 95%")
    shown = Table(title=f"Curves of cost against quality, mean of {of}", title_justify="left", title_style="bold")
    for column in ("policy", "knob"):
        shown.add_column(column, no_wrap=True)
    for column in ("settings", *HEADINGS.values()):
        shown.add_column(column, justify="right", no_wrap=True)
    ranked = measures.assign(is_single=measures["policy"] == SINGLE)
    ranked = ranked.sort_values(["is_single", "area"], ascending=[True, False], na_position="last", kind="stable")
    for row in ranked.to_dict("records"):
        cells = ("-" if math.isnan(row[one]) else plus_minus(row[one], row[f"{one}_half_width"]) for one in HEADINGS)
        knob = row["knob"] if isinstance(row["knob"], str) and row["knob"] else "-"
        shown.add_row(str(row["policy"]), knob, str(row["settings"]), *cells)
    return shown


def model_table(table: pd.DataFrame) -> Table:
    """Return quality and cost of each single model, the best first."""
    shown = Table(title="Every query to one model", title_justify="left", title_style="bold")
    shown.add_column("deployment", no_wrap=True)
    for column in ("quality per query", "USD per 1,000 queries"):
        shown.add_column(column, justify="right", no_wrap=True)
    means = means_of(table)
    for row in models_of(means).to_dict("records"):
        shown.add_row(str(row["policy"]), f"{row['quality_per_query']:.4f}", f"{1000 * row['cost_per_query_usd']:.4g}")
    return shown


def models_of(means: pd.DataFrame) -> pd.DataFrame:
    """Return the single models, the best first, of equals the cheapest."""
    order = ["quality_per_query", "cost_per_query_usd"]
    return means[means["kind"] == "model"].sort_values(order, ascending=[False, True], kind="stable")


def frontier_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what the curves say: whose area is largest, and who reaches the best single model for less."""
    table, measures = pd.read_csv(folder / "points.csv"), pd.read_csv(folder / "frontier.csv")
    best = models_of(means_of(table)).iloc[0]
    n_replications = int(table["replication"].nunique())
    lost = table[(table["kind"] == "router") & (table["served"] < table["arrived"])]
    checks = (
        Check(
            lost.empty or None,
            "Every query was served at every setting."
            if lost.empty
            else f"Queries were not served at {several(len(lost), 'point')}; each has quality 0 and may cost nothing.",
        ),
        Check(
            n_replications > 1 or None,
            f"Intervals are over {several(n_replications, 'replication')}."
            if n_replications > 1
            else "One replication: no interval says how much is chance.",
        ),
        Check(None, "Settings were compared on the queries that they are judged by; a knob set beforehand does worse."),
        Check(True, "Every run was checked as it ran: one fate per query, budgets, slots, flow laws."),
    )
    caption = (
        "Cost against quality. Markers: settings of a knob; lines: the convex hull of a router's settings, which "
        "mixtures of two settings reach; dashed: that of the single models."
    )
    return Report(
        "What does quality cost with each router, and with each model alone?",
        scenario(manifest["config"], manifest.get("fleet")),
        answered(measures, best) + searched(folder),
        (curve_table(measures), model_table(table)),
        (Shown("figures/frontier", caption, curves(table)),),
        checks,
    )


def answered(measures: pd.DataFrame, best: pd.Series[Any]) -> str:
    """Return whose area is largest, and at what cost the best single model's quality is reached."""
    routers = measures[measures["policy"] != SINGLE]
    single = measures[measures["policy"] == SINGLE].iloc[0]
    words = (
        f"The best single model is {best['policy']}: quality {best['quality_per_query']:.4f} for "
        f"{1000 * best['cost_per_query_usd']:.4g} USD per 1,000 queries."
    )
    with_area = routers[routers["area"].notna()].sort_values("area", ascending=False, kind="stable")
    if not with_area.empty:
        first = with_area.iloc[0]
        size = plus_minus(first["area"], first["area_half_width"])
        words += f" {first['policy']} has the largest area under its curve, {size}"
        if not math.isnan(single["hull_area"]):
            mixed = plus_minus(single["hull_area"], single["hull_area_half_width"])
            words += f" (its hull {plus_minus(first['hull_area'], first['hull_area_half_width'])}; that of mixtures of "
            words += f"single models {mixed})"
        words += "."
    reaching = routers[routers["qnc"].notna()].sort_values("qnc", kind="stable")
    if reaching.empty:
        return f"{words} No router reaches the best single model's quality in every replication."
    first = reaching.iloc[0]
    qnc = plus_minus(first["qnc"], first["qnc_half_width"])
    return f"{words} {first['policy']} reaches the best single model's quality for the least: {qnc} of its cost (QNC)."
