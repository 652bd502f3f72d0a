"""Reports on run and compare: which policy gets the highest quality, by how much, and whether records are right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.show.answers.fates import behind_percentiles
from sim.show.answers.latency import answered as fastest
from sim.show.answers.latency import by_draw
from sim.show.answers.quality import answered, best_on_sources, fitting
from sim.show.answers.standing import ranked, standing
from sim.show.answers.subject import asked, latency_column, of_made_up
from sim.show.diff import behind_table
from sim.show.drawings.capacity import capacity_figures
from sim.show.drawings.clock import clock_figures
from sim.show.drawings.compare import cost_quality, quality, served
from sim.show.page import Check, Report, Shown
from sim.show.tables.by_class import by_class
from sim.show.tables.by_hour import hours_table
from sim.show.tables.runs import arrivals, by_rounding, comparison, limits_table, sources, within_limits
from sim.show.timelines.spending import spend
from sim.show.words import left_out, reference, scenario, searched, several
from sim.study.diff.ranking import ranking
from sim.study.metrics.counting import ROUNDING
from sim.study.oracles import ORACLES
from sim.study.output.archive import SOURCES
from sim.study.output.finished import DRAW, SUMMARY, unvaried
from sim.study.output.records import of_each_policy, read_calls, read_requests
from sim.study.record.checks import CHECKED, check

BAYES_SLACK = 1e-3  # the optimum is known to 1e-4 of itself
CAPTIONS = {
    "latency": "Which share of all arrivals had its first token, and its last, within a time.",
    "utilisation": "How much of each deployment's slots and key-value cache was in use over time.",
    "queue": "How many queries waited at each deployment over time.",
}


def compare_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return what a comparison says: the policy of the highest quality, its lead, and what became of the queries."""
    summary = pd.read_csv(folder / SUMMARY)
    n_replications = summary["replication"].nunique()
    time = latency_column(manifest["config"], summary)
    summary = ranked(summary, standing(summary, time))
    policies = summary[~summary["policy"].isin(ORACLES)]
    names = policies["policy"].unique().tolist()
    n, what = arrivals(summary)
    question = (
        f"{asked(names, time)} {'from' if time is None else 'of'} {n:,.0f} {what} "
        f"in {several(n_replications, 'replication')}?"
    )
    of_classes = by_class(summary)
    tables = [comparison(summary, time is not None), *([] if of_classes is None else [of_classes])]
    ranks = None
    values = by_draw(policies, time or "quality")
    if len(names) > 1 and n_replications > 1 and values is not None:
        ranks = ranking(values, 1 if time is None else -1, np.random.default_rng(0))
        tables.append(behind_table(ranks, time or "quality"))
    tables += [table for table in (limits_table(folder), hours_table(folder)) if table is not None]
    of_sources, fates = "", behind_percentiles(folder, summary, time is not None)
    if time is None and (folder / SOURCES).is_file():
        by_source = pd.read_csv(folder / SOURCES, dtype={"source": str}, keep_default_na=False)
        by_source = ranked(by_source, standing(summary))
        tables.append(sources(by_source, arrivals(summary)[1] == "tasks"))
        of_sources = best_on_sources(by_source) if len(names) > 1 else ""
    return Report(
        question,
        scenario(manifest["config"], manifest.get("fleet")),
        (answered(policies, ranks) if time is None else fastest(policies, time, ranks))
        + "".join(f" {said}" for said in (fates, of_made_up(manifest["config"], summary)) if said is not None)
        + of_sources
        + searched(folder)
        + fitting(summary, manifest["config"]),
        tuple(tables),
        tuple(figures(folder, summary, time)),
        tuple(checks(folder, summary, manifest, time is not None)),
    )


def figures(folder: Path, summary: pd.DataFrame, time: str | None) -> Iterator[Shown]:
    """Yield the figures of a comparison; one policy alone is no bar and no dot, so that its tables say it."""
    fleet = read_fleet(folder)
    if time is not None:  # plans in hindsight are of quality
        summary = summary[~summary["policy"].isin(ORACLES)]
    policies = summary["policy"].unique().tolist()
    if len(policies) > 1:
        if time is None:
            yield Shown("figures/quality", "Total quality of each policy; grey bars know the future.", quality(summary))
            yield Shown("figures/cost_quality", "What quality costs: up and left is better.", cost_quality(summary))
        if (summary["served"] < summary["arrived"]).any():
            yield Shown("figures/served", "What became of the arrivals.", served(summary))
    means = summary[~summary["policy"].isin(ORACLES)].groupby("policy", sort=False)[time or "quality"].mean()
    spending = spend(folder, fleet, {str(policy): float(mean) for policy, mean in means.items()})
    if spending is not None:
        yield Shown("figures/spend", *spending)
    for name, drawing in clock_figures(folder, fleet, policies):
        yield Shown(f"figures/{name}", CAPTIONS[name], drawing)
    for name, caption, drawing in capacity_figures(folder, policies):
        yield Shown(f"figures/{name}", caption, drawing)


def checks(folder: Path, summary: pd.DataFrame, manifest: Mapping[str, Any], is_of_latency: bool) -> Iterator[Check]:
    """Yield the checks of a comparison; the record is gone through once more, as it is in the files."""
    n, wrong = recheck(folder)
    yield Check(
        wrong is None,
        f"Read back from the files: in each of {several(n, 'record')} every query arrived, has one fate, and time goes "
        "forward; "
        "budgets that bind and slots are kept; Little's law and the utilisation law hold."
        + (f" But: {wrong}." if wrong else ""),
    )
    what = "tasks" if "tasks" in summary and summary["tasks"].any() else "arrived"
    fates = summary.groupby(DRAW)[what].nunique()
    words = "queries" if what == "arrived" else what
    yield Check(bool((fates == 1).all()), f"All policies of a replication met the same number of {words}.")
    ratio = summary["optimum_ratio"]
    if ratio.notna().any():
        yield Check(
            bool((ratio.dropna() <= 1 + ROUNDING).all()),
            f"No policy is above the hindsight optimum; the highest ratio is {ratio.max():.4f}.",
        )
    if "bayes_ratio" in summary and summary["bayes_ratio"].notna().any():
        means = summary[~summary["policy"].isin(ORACLES)].groupby("policy")["bayes_ratio"].mean()
        yield Check(
            bool(means.max() <= 1 + BAYES_SLACK) or None,
            "The Bayes optimum knows the chance of every score, and no score. Luck may bring one run above it, but not "
            f"the mean of many workloads; the highest mean ratio here is {means.max():.3f}.",
        )
    if summary["relative_quality"].notna().any() and not is_of_latency:
        yield Check(None, reference("relative_quality", manifest["config"].get("exhausted", "fallback")))
    most = summary["overshoot"].max()
    if manifest["config"].get("reserve") == "estimate":
        worst = summary["policy"][summary["overshoot"].argmax()]
        by = f"{worst} overshot one by {most:.2%} of it, the most of all" if most > 0 else "none was"
        yield Check(
            None,
            "Queries are admitted if what remains covers their estimated cost, and pay what they really cost, so that "
            f"budgets may be overshot: {by}.",
        )
    elif most > 0:
        yield Check(None, f"A budget was overshot by up to {most:.2%}, as the scenario allows.")
    if "rent_usd" in summary and summary["rent_usd"].any():
        yield Check(
            None,
            "The total cost is what queries are charged plus the rent of replicas. Budgets limit what queries take from"
            " them (cost_usd), not rent.",
        )
    n_replications = summary["replication"].nunique()
    if n_replications == 1:
        yield Check(None, "One replication: no interval says how much is chance; use replications=5 or more.")
    else:
        same = unvaried(summary[~summary["policy"].isin(ORACLES)])
        if same:
            yield Check(
                None,
                f"Nothing was redrawn for {', '.join(same)}: {n_replications} replications are one run so many times, "
                "and no interval says how much is chance.",
            )
        else:
            yield Check(
                True, f"Intervals are over {n_replications} independent replications, each policy meeting the same."
            )
    for sentence in (*by_rounding(summary), *left_out(manifest.get("skipped", {})), *within_limits(folder)):
        yield Check(None, sentence)
    if manifest["config"].get("measure_decisions"):
        yield Check(None, "Decisions took as long as this computer took, so another run gives other figures.")


def recheck(folder: Path) -> tuple[int, str | None]:
    """Return how many records the files have, and what is wrong with the first that is wrong."""
    fleets = read_fleet(folder)
    n = 0
    for replication, fleet in fleets.groupby("replication"):
        calls = read_calls(folder, int(str(replication)))
        for policy, requests in of_each_policy(read_requests(folder, int(str(replication)), CHECKED)).items():
            n += 1
            of_policy = None if calls is None else calls[calls["policy"] == policy].reset_index(drop=True)
            in_rounds = of_policy is not None and len(of_policy) > 0
            try:
                check(requests.reset_index(drop=True), fleet.reset_index(drop=True), of_policy if in_rounds else None)
            except RuntimeError as error:
                return n, f"policy {policy}, replication {replication}: {error}"
    return n, None


def read_fleet(folder: Path) -> pd.DataFrame:
    """Return the table of deployments; outputs of earlier versions call slots places."""
    return pd.read_csv(folder / "fleet.csv").rename(columns={"places": "slots"})
