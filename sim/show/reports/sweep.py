"""The report of the verb sweep, from its table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sim.show.report import Check, Report, Shown
from sim.show.sweep import best_table, figures
from sim.show.words import listed, several
from sim.study.sweep import best, cells


def sweep_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a sweep says: the best policy at each point, and every measure along every axis."""
    axes = list(manifest["axes"])
    table = pd.read_parquet(folder / "sweep.parquet")
    failed = len(pd.read_csv(folder / "failures.csv"))
    winners = best(cells(table, axes), axes)
    first = winners["policy"].value_counts()
    n_points, replications = len(winners), int(winners["replications"].iloc[0])
    return Report(
        f"How do policies fare as {listed(axes)} vary?",
        f"{several(n_points, 'point')}, {several(replications, 'replication')} each.",
        f"{first.index[0]} has the most mean quality at {first.iloc[0]} of {several(n_points, 'point')}; the table has "
        "the intervals.",
        (best_table(winners, axes),),
        tuple(Shown(f"figures/{name}", caption, figure) for name, caption, figure in figures(table, axes)),
        (Check(failed == 0, f"Every point was run; {failed} of {len(manifest['points'])} failed (failures.csv)."),),
    )
