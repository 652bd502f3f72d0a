"""Reports on plan: the candidates, the answer, and what stands behind it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.drawings.plan import frontier
from sim.show.page import Check, Report, Shown
from sim.show.words import listed, number, scenario, searched
from sim.study.metrics import IN_EVERY_SUMMARY
from sim.study.metrics.groups.classes import split
from sim.study.plan.targets import FAILS, MEETS, TIE, Target, read_targets
from sim.study.plan.wording import limit_of, said

MARKS = {MEETS: "", TIE: " ?", FAILS: " x"}
MOST_ROWS = 20
HOURS_A_MONTH = 730
TOTAL, TOKENS = "total_cost_per_1000_arrivals_usd", "token_cost_per_1000_arrivals_usd"
RENT = "rent_per_hour_usd"


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
    beyond = plan.get("beyond")
    if beyond:
        lines += [*costs(plan["answer"], beyond), *beyond["sentences"]]
    if plan["binding"]:
        word = "fails" if plan["below"]["verdict"] == FAILS else "does not show to meet"
        lines.append(f"binding: {', '.join(plan['binding'])}, which {plan['below']['candidate']} {word}")
    price = plan["shadow_price"]
    if price and any(price[part] for part in ("answer", "rent_per_hour_usd", "total_cost_per_1000_arrivals_usd")):
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


def costs(answer: Mapping[str, Any], beyond: Mapping[str, Any]) -> list[str]:
    """Return what the answer costs by the query, the hour and the month, in a sentence; nothing where it is free."""
    per_1000, per_hour = answer[TOTAL], beyond["queries_per_hour"]
    if not per_1000 or per_hour is None:
        return []
    hourly = answer[RENT] + answer[TOKENS] * per_hour / 1000
    return [
        f"it costs {number(per_1000)} USD per 1,000 queries, {number(hourly)} USD an hour and "
        f"{number(hourly * HOURS_A_MONTH)} USD a month of {HOURS_A_MONTH} hours, at {number(per_hour)} queries an hour"
    ]


def figures(
    candidates: pd.DataFrame, targets: Sequence[Target], unit: str, metrics: Mapping[str, Any]
) -> tuple[Shown, ...]:
    """Return the figure of the candidates; none of one candidate alone."""
    if len(candidates) < 2:
        return ()
    ranges = {target: (metrics.get(split(target.metric)[0]) or {}).get("range") for target in targets}
    drawing = frontier(candidates, targets, unit, {target: ends for target, ends in ranges.items() if ends})
    caption = "Each target's metric at the candidates, with intervals; shape and colour are the verdict."
    return (Shown("frontier", caption, drawing),)


def plan_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a plan says: its sentence, what stands behind it, and which candidates stayed undecided."""
    config, plan = manifest["config"], json.loads((folder / "plan.json").read_text())
    candidates = pd.read_csv(folder / "candidates.csv")
    words = config["targets"] if isinstance(config["targets"], list) else [config["targets"]]
    targets = read_targets(words, [*(config.get("metric") or {}), *IN_EVERY_SUMMARY])
    behind = [line for line in reasons(plan) if not line.startswith("! ")]
    ties = candidates.loc[candidates["verdict"] == TIE, "candidate"].tolist()
    decided = "Every candidate that was tried is decided by its intervals."
    undecided = f"{listed(ties)} stayed undecided after {config['max_replications']} replications, and are no answer."
    checks = [
        Check(plan["answer"] is not None, "A candidate was shown to meet every target."),
        Check(None if ties else True, undecided if ties else decided),
        Check(True, "Every run was checked as it ran: one fate per query, budgets, slots, flow laws."),
        *(Check(None, f"{warning[0].upper()}{warning[1:]}.") for warning in plan["warnings"]),
    ]
    wanted = listed([f"{said(one.metric)[0]} {limit_of(one)}" for one in targets])
    return Report(
        f"What {'are' if plan['goal'].startswith('fewest') else 'is'} the {plan['goal']} with which "
        f"{listed(list(config['policy']))} keeps {wanted}?",
        scenario(manifest["config"], manifest.get("fleet")),
        ". ".join(f"{line[0].upper()}{line[1:]}" for line in (plan["sentence"], *behind)) + "." + searched(folder),
        (candidate_table(candidates, targets),),
        figures(candidates, targets, plan["unit"], config.get("metric") or {}),
        tuple(checks),
    )
