"""Writes the report of an output directory from its files, and knows which report belongs to which verb."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text
from omegaconf import DictConfig

from sim.show.compare import compare_report
from sim.show.diff import diff_report
from sim.show.explain import explain_report
from sim.show.fit import fit_report
from sim.show.frontier import frontier_report
from sim.show.leaderboard import leaderboard_report
from sim.show.other import other_report
from sim.show.page import DPI, Check, Report, page
from sim.show.plan import plan_report
from sim.show.ratio import ratio_report
from sim.show.sweep import sweep_report
from sim.show.validate import validate_report
from sim.show.words import in_currency
from sim.study.output.directory import replace_file
from sim.study.output.finished import read_manifest

# From the files of a directory and its manifest; a verb that is not here gets its tables and pictures as they are.
REPORTS: dict[str, Callable[[Path, Mapping[str, Any]], Report]] = {
    "run": compare_report,
    "compare": compare_report,
    "ratio": ratio_report,
    "explain": explain_report,
    "validate": validate_report,
    "fit": fit_report,
    "diff": diff_report,
    "plan": plan_report,
    "sweep": sweep_report,
    "leaderboard": leaderboard_report,
    "frontier": frontier_report,
}
FILE = "report.html"


def report(verb: str, config: DictConfig) -> int:
    """Carry out the verb: write the report of each directory anew, from its files alone; return 0."""
    if not config.directories:
        raise ValueError("no directory is given; give those that a verb wrote, as in: switchyard report outputs/demo")
    if config.get("overwrite"):
        raise ValueError("report replaces a report and its figures and nothing else; leave --overwrite out")
    for directory in config.directories:
        try:
            write_report(Path(directory))
        except (KeyError, IndexError) as error:
            raise ValueError(f"{directory} has a file that lacks {error}; it must be as its verb wrote it") from error
        sys.stdout.write(f"written to {Path(directory) / FILE}\n")
    return 0


def write_report(folder: Path) -> None:
    """Write ``report.html`` and the figures as PNG into an output directory, from its files alone.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder is not an output of switchyard, or a file that its verb writes is missing.
    """
    manifest = read_manifest(folder)
    mpl.use("Agg")
    with sns.axes_style("whitegrid"), sns.plotting_context("notebook", font_scale=0.9):
        found = in_its_currency(REPORTS.get(manifest["verb"], other_report)(folder, manifest), manifest["config"])
        for shown in found.figures:
            if isinstance(shown.drawing, Figure):
                path = folder / f"{shown.name}.png"
                path.parent.mkdir(exist_ok=True)
                replace_file(path, partial(shown.drawing.savefig, format="png", dpi=DPI, bbox_inches=shown.box))
        text = page(found, manifest)
        for shown in found.figures:
            if isinstance(shown.drawing, Figure):
                plt.close(shown.drawing)
    replace_file(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def in_its_currency(found: Report, config: Mapping[str, Any]) -> Report:
    """Return a report with the configuration's name of the money in the place of USD, in words and drawings.

    Columns of tables keep their names, which end in ``_usd``; the report says so.
    """
    if in_currency("USD", config) == "USD":
        return found
    for shown in found.figures:
        if isinstance(shown.drawing, Figure):
            for text in shown.drawing.findobj(Text):
                text.set_text(in_currency(text.get_text(), config))
    said = in_currency("Amounts are in USD, also in columns whose names end in _usd. Nothing is converted.", config)
    return replace(
        found,
        answer=in_currency(found.answer, config),
        figures=tuple(replace(shown, caption=in_currency(shown.caption, config)) for shown in found.figures),
        checks=(*(replace(one, what=in_currency(one.what, config)) for one in found.checks), Check(None, said)),
    )
