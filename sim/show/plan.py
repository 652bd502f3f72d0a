"""A plan for the eye: the candidates in a table and a figure, and its reasons in lines. It knows tables, not runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from rich.table import Table

from sim.study.plan.targets import FAILS, MEETS, TIE, Target

LOOKS = {MEETS: ("o", "#029e73"), TIE: ("D", "#de8f05"), FAILS: ("X", "#d55e00")}  # shape and colour say the same
MARKS = {MEETS: "", TIE: " ?", FAILS: " x"}
MOST_ROWS = 20
TOTAL = "total_cost_per_1000_arrivals_usd"


def candidate_table(candidates: pd.DataFrame, targets: Sequence[Target]) -> Table:
    """Return a row per candidate: costs, each target's mean and half-width, verdict.

    Parameters
    ----------
    candidates : DataFrame
        As ``sim.study.plan.planner.plan`` makes it; of many, those nearest to the answer.
    targets : sequence of Target
    """
    shown = nearest_rows(candidates)
    left_out = len(candidates) - len(shown)
    title = f"{len(candidates)} candidates" + (f", {left_out} of them only in candidates.csv" if left_out else "")
    title += "; * answer, x fails, ? limit inside the interval"
    costs = {"rent_per_hour_usd": "USD/h", TOTAL: "USD per 1,000"}
    if not (candidates["rent_per_hour_usd"] > 0).any():
        costs.pop("rent_per_hour_usd")
    if any(target.metric == TOTAL for target in targets):
        costs.pop(TOTAL)
    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title))
    table.add_column("candidate", no_wrap=True)
    for column in [*costs.values(), *map(str, targets), "runs"]:
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for row in shown.to_dict("records"):
        words = [f"{row[column]:.4g}" for column in costs] + [interval(row, target) for target in targets]
        table.add_row(f"{row['candidate']}{' *' * row['is_answer']}", *words, str(row["replications"]), row["verdict"])
    return table


def nearest_rows(candidates: pd.DataFrame) -> pd.DataFrame:
    """Return at most ``MOST_ROWS`` rows, those around the answer, or the most generous ones without an answer."""
    if len(candidates) <= MOST_ROWS:
        return candidates
    centre = int(candidates["is_answer"].to_numpy().argmax()) if candidates["is_answer"].any() else len(candidates)
    first = max(0, min(centre - MOST_ROWS // 2, len(candidates) - MOST_ROWS))
    return candidates.iloc[first : first + MOST_ROWS]


def interval(row: Mapping[Any, Any], target: Target) -> str:
    """Return a target's mean and half-width at a candidate, marked unless it is met."""
    mean, high = row[f"{target} mean"], row[f"{target} high"]
    spread = f" +- {high - mean:.2g}" if math.isfinite(mean) and high > mean else ""
    return ("-" if math.isnan(mean) else f"{mean:.4g}{spread}") + MARKS[row[str(target)]]


def reasons(plan: Mapping[str, Any]) -> list[str]:
    """Return what stands behind the answer, a line each: proof, binding target, shadow price, next best, warnings."""
    lines = [plan["proven"]] if plan["proven"] else []
    if plan["binding"]:
        word = "fails" if plan["below"]["verdict"] == FAILS else "does not show to meet"
        lines.append(f"binding: {', '.join(plan['binding'])}, which {plan['below']['candidate']} {word}")
    price = plan["shadow_price"]
    if price:
        metric = price["target"].partition("<=")[0].partition(">=")[0]
        words = [] if "rent" in price["unit"] else [f"{price['answer']:+.4g} {price['unit']}"]
        if price["rent_per_hour_usd"]:
            words.append(f"{price['rent_per_hour_usd']:+.4g} USD an hour of rent")
        words.append(f"{price['total_cost_per_1000_arrivals_usd']:+.4g} USD per 1,000 arrivals")
        lines.append(
            f"shadow price, per unit of {metric}: {', '.join(words)} "
            f"(a finite difference between {' and '.join(price['between'])})"
        )
    following = plan["next_best"]
    if following:
        cost = f"{following['total_cost_per_1000_arrivals_usd']:.4g} USD per 1,000 arrivals"
        if following["rent_per_hour_usd"]:
            cost = f"{following['rent_per_hour_usd']:.4g} USD an hour of rent, {cost}"
        lines.append(f"next best that was tried: {following['candidate']}, {cost}")
    return [*lines, *(f"! {warning}" for warning in plan["warnings"])]


def frontier(candidates: pd.DataFrame, targets: Sequence[Target], unit: str) -> Figure:
    """Draw each target's metric against the candidates' number, a panel each: intervals, limit, verdicts, answer."""
    figure, grid = plt.subplots(
        len(targets), 1, figsize=(7.0, 0.8 + 2.6 * len(targets)), sharex=True, squeeze=False, layout="constrained"
    )
    for target, axes in zip(targets, grid[:, 0], strict=True):
        text = str(target)
        for verdict, (marker, colour) in LOOKS.items():
            points = candidates[(candidates[text] == verdict) & candidates[f"{text} mean"].map(math.isfinite)]
            mean = points[f"{text} mean"]
            ends = [(mean - points[f"{text} low"]).abs(), (points[f"{text} high"] - mean).abs()]
            axes.errorbar(
                points["value"], mean, ends, fmt=marker, color=colour, markersize=7, capsize=3, label=verdict, zorder=3
            )
        answer = candidates[candidates["is_answer"]]
        axes.scatter(
            answer["value"],
            answer[f"{text} mean"],
            s=220,
            facecolors="none",
            edgecolors="black",
            linewidths=1.5,
            label="answer",
            zorder=4,
        )
        axes.axhline(target.limit, color="black", linestyle="--", linewidth=1, label="limit")
        means = candidates[f"{text} mean"].astype(float)
        known = means[means.map(math.isfinite)]
        if len(known) and known.min() > 0 and known.max() > 30 * max(known.min(), abs(target.limit)):
            axes.set_yscale("log")
        axes.set(ylabel=target.name)
        axes.set_title(text, loc="left", fontsize="medium")
    lowest, highest = candidates["value"].min(), candidates["value"].max()
    if 0 < lowest < highest / 10:
        grid[-1, 0].set_xscale("log")
        grid[-1, 0].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        grid[-1, 0].xaxis.set_major_formatter("{x:g}")
        grid[-1, 0].xaxis.set_minor_locator(NullLocator())
    grid[-1, 0].set(xlabel=unit)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    return figure
