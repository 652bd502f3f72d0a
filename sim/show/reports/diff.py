"""The report of the verb diff, from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.differences import (
    best_sentence,
    difference_table,
    probabilities,
    ranking_table,
    relative_differences,
    sentences,
    shown_metrics,
)
from sim.show.report import Check, Report, Shown
from sim.show.words import listed

MOST_KEYS = 5


def diff_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a comparison of studies says; it has differences of two, a ranking of many, or both."""
    names, metrics = manifest["studies"], manifest["config"]["metrics"]
    tables: list[Table] = []
    figures: list[Shown] = []
    answers: list[str] = []
    checks = [Check(False, f"{caution[0].upper()}{caution[1:]}.") for caution in manifest["cautions"]]
    question = f"Which policy of {listed(names)} is the best?"
    setting = f"Replications of {listed(names)}."
    if (folder / "differences.csv").is_file():
        a, b = names
        question = f"How far apart are {a} and {b}, and which is better?"
        found = shown_metrics(pd.read_csv(folder / "differences.csv"), metrics)
        lines = sentences(found, a, b)
        first = found["metric"].iloc[0]
        answers.append(lines[0] if len(lines) == 1 else "; ".join(sentences(found[found["metric"] == first], a, b)))
        tables.append(difference_table(found, a, b))
        figures.append(Shown("differences", "Differences with their 95% intervals.", relative_differences(found, a, b)))
        keys = pd.read_csv(folder / "configuration.csv")
        changed = keys["key"].tolist()
        setting += f" They differ in {listed(changed) if len(changed) <= MOST_KEYS else f'{len(changed)} keys'}."
        tables.append(key_table(keys, a, b))
        paired = bool((found["method"] == "paired").all())
        what = "in pairs: same seed, same replication" if paired else "as independent samples: no seed in common"
        checks += [
            Check(True, f"Replications are compared {what}."),
            Check(
                bool((found["better"] != "unknown").all()) or None,
                "Each interval is 95% by itself; of twenty metrics that do not differ, one would be told apart.",
            ),
        ]
    if (folder / "best.csv").is_file():
        ranks = shown_metrics(pd.read_csv(folder / "best.csv"), metrics)
        first = ranks[ranks["metric"] == (ranks["metric"].iloc[0] if answers else ranks["metric"])]
        answers.append(best_sentence(first))
        tables.append(ranking_table(ranks))
        figures.append(Shown("best", "How likely each policy is the best in each metric.", probabilities(ranks)))
        checks.append(
            Check(
                None,
                "Probabilities assume that replications are independent and jointly normal, or many; nothing was "
                "assumed beforehand.",
            )
        )
    return Report(question, setting, ". ".join(answers) + ".", tuple(tables), tuple(figures), tuple(checks))


def key_table(keys: pd.DataFrame, a: str, b: str) -> Table:
    """Return the keys of the configuration in which two studies differ."""
    title = "What differs in the configuration" if len(keys) else "The configurations do not differ"
    shown = Table(title=title, title_justify="left", title_style="bold")
    for column in ("key", a, b):
        shown.add_column(column)
    for row in keys.itertuples(index=False):
        shown.add_row(*map(str, row))
    return shown
