"""Makes the table of what the hours of a run cost, from hours.csv only."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.table import Table

from sim.show.words import number, several
from sim.study.output.archive import HOURS

COLUMNS = ("policy", "hours", "lost", "replicas", "rent USD", "tokens USD", "dearest hour", "busiest", "slowest")


def hours_table(folder: Path) -> Table | None:
    """Return what the hours of a run cost each policy together, and which was the dearest, the busiest, the slowest.

    Figures are means over replications, of an hour too; ``replicas`` is the mean over time. None where no run took more
    than an hour.
    """
    if not (folder / HOURS).is_file():
        return None
    table = pd.read_csv(folder / HOURS, dtype={"policy": str})
    table["total_usd"] = table["rent_usd"] + table["tokens_usd"]
    n_replications = table["replication"].nunique()
    title = f"Hours from the first arrival on, mean of {several(n_replications, 'replication')}; hours.csv has them all"
    made = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(COLUMNS):
        made.add_column(column, justify="left" if place == 0 else "right")
    for policy, rows in table.groupby("policy", sort=False):
        each = rows.groupby("hour")[["total_usd", "queries", "replicas", "p95_ttft_s"]].mean()
        sums = [float(rows[column].sum()) / n_replications for column in ("lost", "rent_usd", "tokens_usd")]
        made.add_row(
            *(str(policy), str(len(each)), number(sums[0]), f"{each['replicas'].mean():.2f}"),
            *(number(amount) for amount in sums[1:]),
            most(each["total_usd"], "USD"),
            most(each["queries"], "queries"),
            most(each["p95_ttft_s"], "s p95 TTFT"),
        )
    return made


def most(values: pd.Series[float], unit: str) -> str:
    """Return which hour has the most of something, and how much."""
    if values.isna().all():
        return "-"
    return f"{values.idxmax()}: {number(float(values.max()))} {unit}"
