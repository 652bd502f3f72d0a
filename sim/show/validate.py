"""Tables and the report of validate: closed forms beside simulated figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.drawings.validate import deviations
from sim.show.page import Check, Report, Shown
from sim.show.words import listed, several


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


def validate_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a validation says: how many figures agree with their closed forms."""
    table = pd.read_csv(folder / "validate.csv")
    table["passed"] = table["passed"].astype(str).map({"True": True, "False": False})  # NaN: not compared
    claims = table[table["passed"].notna()]
    passed, inside = claims["passed"].astype(bool), claims["verdict"] == "inside"
    config = manifest["config"]
    customers = config["quick_customers" if config["quick"] else "customers"]
    failed = sorted(set(claims.loc[~passed, "form"]))
    drawing = Shown("validate", "How far simulation is from theory; grey: inside the 95% interval.", deviations(claims))
    n_failed = int((~passed).sum())
    n_refused = int(table["passed"].isna().sum())
    return Report(
        f"Does the simulator agree with {several(claims['form'].nunique(), 'closed form')} of queueing theory on "
        f"{several(claims['system'].nunique(), 'system')}, with {customers:,} customers each?",
        "Figures of theory beside simulated ones, with intervals from batch means.",
        f"{'Yes' if passed.all() else 'No'}. {int(inside.sum())} of {several(len(claims), 'figure')} are inside their "
        f"95% interval. {n_failed or 'None'} {'is' if n_failed < 2 else 'are'} beyond what chance allows for so many"
        + (f": {listed(failed)}." if failed else "."),
        (verdicts(table), reasons(table)),
        (drawing,) if len(claims) else (),
        (
            Check(bool(passed.all()), "Every simulated figure agrees with its closed form, allowing for their number."),
            Check(
                None if n_refused else True,
                f"{n_refused} pairs of form and system were not compared, because a condition of the form does not "
                "hold; validate.csv has the reasons.",
            ),
        ),
    )
