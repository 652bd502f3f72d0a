"""The report of the verb validate, from its table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sim.show.report import Check, Report, Shown
from sim.show.verdicts import reasons, verdicts
from sim.show.words import listed, several


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
    n_refused = int(table["passed"].isna().sum())
    return Report(
        f"Does the simulator agree with {several(claims['form'].nunique(), 'closed form')} of queueing theory on "
        f"{several(claims['system'].nunique(), 'system')}, with {customers:,} customers each?",
        "Figures of theory beside simulated ones, with intervals from batch means.",
        f"{'Yes' if passed.all() else 'No'}: of {several(len(claims), 'figure')}, {int(inside.sum())} are inside their "
        f"95% interval and {int((~passed).sum())} beyond what chance allows for so many"
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


def deviations(claims: pd.DataFrame) -> Figure:
    """Draw (simulated - theory) / half-width of every figure, a row per form; the marker says which figure."""
    half_width = (claims["high"] - claims["low"]) / 2
    deviation = ((claims["simulated"] - claims["theory"]) / half_width).replace([np.inf, -np.inf], np.nan)
    drawn = claims.assign(deviation=deviation)
    forms = claims["form"].unique().tolist()
    figure, axes = plt.subplots(figsize=(8, 1.4 + 0.36 * len(forms)))
    axes.axvspan(-1, 1, color="0.92", zorder=0)
    for edge in (-1, 0, 1):
        axes.axvline(edge, color="black", linewidth=0.8, linestyle="-" if edge == 0 else "--", zorder=1)
    sns.scatterplot(
        drawn,
        x="deviation",
        y="form",
        hue="figure",
        style="figure",
        palette=sns.color_palette("colorblind", drawn["figure"].nunique()),
        s=70,
        edgecolor="black",
        alpha=0.85,
        ax=axes,
        zorder=2,
    )
    axes.set(xlabel="(simulated - theory) / half-width of the 95% interval", ylabel="", ylim=(len(forms) - 0.4, -0.6))
    sns.move_legend(axes, "center left", bbox_to_anchor=(1.02, 0.5), title=None, frameon=False)
    return figure
