"""Reports on diff, in tables and sentences: how far studies are apart, and which policy is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.answers.fates import of_studies
from sim.show.drawings.diff import probabilities, relative_differences
from sim.show.page import Check, Report, Shown
from sim.show.words import listed, number, pair, plus_minus, several
from sim.study.diff.comparison import HEADLINES

UNTOLD = ("cannot tell", "no difference", "apart")
SAID = {
    "cannot tell": "chance can explain the difference",
    "no difference": "there is no difference",
    "apart": "they differ",
    "unknown": "one replication cannot tell",
}
MOST_KEYS = 5


def shown_metrics(table: pd.DataFrame, metrics: Sequence[str] | None) -> pd.DataFrame:
    """Return the rows of some metrics, in their order; None for those that matter most and are not 0 for all."""
    if metrics is None:
        sizes = table.set_index("metric").filter(regex="^mean").abs().groupby("metric").max().max(axis=1)
        metrics = [metric for metric in HEADLINES if sizes.get(metric, 0) > 0] or list(sizes.index)
        if "total_cost_usd" in metrics and "cost_usd" in metrics:
            metrics.remove("cost_usd")  # which is a part of the former
    rows = table[table["metric"].isin(list(metrics))]
    order = {metric: place for place, metric in enumerate(metrics)}
    return rows.sort_values("metric", key=lambda names: names.map(order), kind="stable")


def difference_table(differences: pd.DataFrame, a: str, b: str) -> Table:
    """Return a row per policy and metric with both means, their difference and which is better."""
    methods = listed([method_words(differences, method) for method in differences["method"].unique()])
    shown = Table(title=f"{a} - {b}, +- 95%, {methods}", title_justify="left", title_style="bold")
    shown.add_column("policy", no_wrap=True)
    shown.add_column("metric", no_wrap=True)
    for column in (a, b, "difference"):
        shown.add_column(column, justify="right")
    shown.add_column("better")
    for _, rows in differences.groupby(["policy_a", "policy_b"], sort=False):
        for row in rows.to_dict("records"):
            shown.add_row(
                pair(row),
                row["metric"],
                number(row["mean_a"]),
                number(row["mean_b"]),
                plus_minus(row["difference"], row["half_width"]),
                {"a": a, "b": b, "none": "-", "unknown": "one replication"}.get(row["better"], "-")
                if row.get("verdict") not in UNTOLD
                else row["verdict"],
            )
    return shown


def method_words(differences: pd.DataFrame, method: str) -> str:
    """Return a method with the replications that it used."""
    rows = differences[differences["method"] == method].iloc[0]
    if method == "paired":
        return f"paired over {several(int(rows['n_a']), 'common replication')}"
    return f"Welch over {rows['n_a']} and {rows['n_b']} replications"


def sentences(differences: pd.DataFrame, a: str, b: str) -> list[str]:
    """Return a sentence per policy: on what a beats b, on what nothing can be told, on what b beats a."""
    lines = []
    for names, rows in differences.groupby(["policy_a", "policy_b"], sort=False):
        parts = []
        words = rows["verdict"] if "verdict" in rows else rows["better"].replace("none", "cannot tell")
        untold = [(side, "", "") for side in (*UNTOLD, "unknown")]
        for side, winner, loser in (("a", a, b), *untold, ("b", b, a)):
            found = rows[words == side].to_dict("records")
            amounts = [f"{row['metric']} by {plus_minus(abs(row['difference']), row['half_width'])}" for row in found]
            metrics = listed([str(row["metric"]) for row in found])
            if found and winner:
                parts.append(f"{winner} beats {loser} on {listed(amounts)}")
            elif found and side in ("cannot tell", "apart"):
                parts.append(f"{SAID[side]} on {listed(amounts)}")
            elif found:
                parts.append(f"{SAID[side]} on {metrics}")
        policy = f"{names[0]}: " if names[0] == names[1] else f"{a} ({names[0]}), {b} ({names[1]}): "
        lines.append(policy + "; ".join(parts))
    return lines


def ranking_table(rankings: pd.DataFrame) -> Table:
    """Return a row per alternative and a column per metric: the mean, and how likely it is the best."""
    n = int(rankings["replications"].min())
    title = (
        f"Mean, and probability of being the best of {rankings['alternative'].nunique()}, from {n} replications each"
    )
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("policy", no_wrap=True)
    metrics = rankings["metric"].unique().tolist()
    for metric in metrics:
        shown.add_column(metric, justify="right")
    cells = rankings.set_index(["alternative", "metric"])
    for alternative in rankings["alternative"].unique():
        found = [cells.loc[(alternative, metric)] for metric in metrics]
        shown.add_row(
            str(alternative),
            *(f"{number(row['mean'])} ({probability(float(row['probability_best']))})" for row in found),
        )
    return shown


def probability(value: float) -> str:
    """Return a probability estimated by draws, never as certain as the draws look.

    >>> probability(0.0), probability(0.25), probability(1.0)
    ('< 0.001', '0.250', '> 0.999')
    """
    if value < 0.001:
        return "< 0.001"
    return "> 0.999" if value > 0.999 else f"{value:.3f}"


def behind_table(ranks: pd.DataFrame, metric: str) -> Table:
    """Return how far each alternative is behind the best in one metric, and how likely it is the best."""
    title = f"Behind the best in {metric}, +- 95%; probability of being the best"
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("policy", no_wrap=True)
    for column in (f"mean {metric}", "behind the best", "P(best)"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in ranks.to_dict("records"):
        behind = plus_minus(row["behind"], row["half_width"]) if row["behind"] != 0 else "-"
        shown.add_row(row["alternative"], number(row["mean"]), behind, probability(row["probability_best"]))
    return shown


def best_sentence(rankings: pd.DataFrame) -> str:
    """Return which alternative is the likeliest best in each metric."""
    words = []
    for metric, rows in rankings.groupby("metric", sort=False):
        first = rows.sort_values("probability_best", ascending=False, kind="stable").to_dict("records")[0]
        words.append(f"{metric}: {first['alternative']} ({probability(first['probability_best'])})")
    n = rankings["alternative"].nunique()
    return f"The likeliest best of {n} policies, with its probability: {'; '.join(words)}"


def diff_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a comparison of studies says; it has differences of two, a ranking of many, or both."""
    names, metrics = manifest["studies"], manifest.get("shown") or manifest["config"]["metrics"]
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
        answers += of_studies(pd.read_csv(folder / "differences.csv"), a, b)
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
