"""The report of the verb plan, from its answer and its candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sim.show.plan import candidate_table, frontier, reasons
from sim.show.report import Check, Report, Shown
from sim.show.words import listed, scenario, searched
from sim.study.metrics import IN_EVERY_SUMMARY
from sim.study.plan.targets import TIE, read_targets


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
    return Report(
        f"The {plan['goal']} with which {listed(list(config['policy']))} meets {listed([*map(str, targets)])}?",
        scenario(config),
        ". ".join(f"{line[0].upper()}{line[1:]}" for line in (plan["sentence"], *behind)) + "." + searched(folder),
        (candidate_table(candidates, targets),),
        (
            Shown(
                "frontier",
                "Each target's metric at the candidates, with intervals; shape and colour are the verdict.",
                frontier(candidates, targets, plan["unit"]),
            ),
        ),
        tuple(checks),
    )
