"""The report of the verb plan, from its plan.json and its candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sim.show.plan import candidate_table, frontier, reasons
from sim.show.report import Check, Report, Shown
from sim.show.words import listed, scenario
from sim.study.targets import Target, read_target

MEAN = " mean"


def plan_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a plan says: the answer, what binds, and what was tried."""
    found = json.loads((folder / "plan.json").read_text())
    candidates = pd.read_csv(folder / "candidates.csv")
    targets = targets_of(candidates)
    warnings, grounds = found["warnings"], [line for line in reasons(found) if not line.startswith("!")]
    return Report(
        f"{found['goal'][0].upper()}{found['goal'][1:]}: which meets {listed([str(target) for target in targets])}?",
        scenario(manifest["config"]),
        " ".join([found["sentence"], *(f"{line[0].upper()}{line[1:]}." for line in grounds)]),
        (candidate_table(candidates, targets),),
        (
            Shown(
                "frontier",
                "What was tried: means with intervals, the limit of each target (dashed) and the answer (circled).",
                frontier(candidates, targets, found["unit"]),
            ),
        ),
        (
            Check(
                found["answer"] is not None,
                f"Each target of the answer was decided by an interval, with confidence {found['confidence']:g}.",
            ),
            *(Check(False, f"{warning[0].upper()}{warning[1:]}.") for warning in warnings),
        ),
    )


def targets_of(candidates: pd.DataFrame) -> tuple[Target, ...]:
    """Return the targets that the table of candidates has columns of."""
    words = [str(column).removesuffix(MEAN) for column in candidates if str(column).endswith(MEAN)]
    names = [word.partition("<=")[0].partition(">=")[0] for word in words]
    return tuple(read_target(word, names) for word in words)
