"""Tables of theory beside simulation, for a terminal, from the rows of ``validate.csv`` only."""

from __future__ import annotations

import pandas as pd
from rich.table import Table


def verdicts(table: pd.DataFrame) -> Table:
    """Return a line per claim, and in the title how many are inside their 95% interval.

    Parameters
    ----------
    table : DataFrame
        As ``sim.study.theory.validate.validate`` returns it.
    """
    claims = table[table["passed"].notna()]
    inside, failed = int((claims["verdict"] == "inside").sum()), int((~claims["passed"].astype(bool)).sum())
    title = f"{len(claims)} figures: {inside} inside their 95% interval, {failed} beyond what chance allows for so many"
    shown = Table(title=title, title_justify="left", title_style="bold")
    for column in ("system", "form", "figure"):
        shown.add_column(column, no_wrap=True)
    for column in ("theory", "simulated", "95% interval"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("verdict")
    for row in claims.to_dict("records"):
        interval = f"{row['low']:.5g} to {row['high']:.5g}"
        figures = (f"{row['theory']:.5g}", f"{row['simulated']:.5g}", interval)
        shown.add_row(row["system"], row["form"], row["figure"], *figures, row["verdict"])
    return shown


def reasons(table: pd.DataFrame) -> Table:
    """Return why forms do not apply that miss by one condition, and what could not be run, systems together.

    What misses by more is in ``validate.csv``.
    """
    refused = table[table["passed"].isna() & (table["unmet"] <= 1)]
    shown = Table(title="Forms that do not apply, by one condition", title_justify="left", title_style="bold")
    for column in ("form", "not for", "because"):
        shown.add_column(column)
    for (form, verdict), rows in refused.groupby(["form", "verdict"], sort=False):
        shown.add_row(str(form), ", ".join(rows["system"]), str(verdict))
    return shown
