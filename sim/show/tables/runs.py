"""Makes the tables that run and compare print, from the summary and the limits only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.table import Table

from sim.show.words import number, several
from sim.study.metrics import FATES
from sim.study.oracles import ORACLES
from sim.study.output.archive import ALERTS, LIMITS
from sim.study.output.finished import unvaried
from sim.study.ratio.worst_order import Found
from sim.study.rounding import ROUNDED
from sim.study.statistics import mean_interval

COLUMNS = {
    "quality": ".1f",
    **dict.fromkeys(FATES, ".0f"),
    "rent_usd": ".4g",
    "total_cost_usd": ".4g",
    "quality_per_usd": ".1f",
    "relative_quality": ".3f",
    "optimum_ratio": ".3f",
    "bayes_ratio": ".3f",
    "overshoot": ".2%",
    "p95_first_token_s": ".3g",
    "p99_first_token_s": ".3g",
    "p50_latency_s": ".3g",
    "p95_latency_s": ".3g",
    "p99_latency_s": ".3g",
    "task_success": ".3f",
    "hit_rate": ".1%",
    "prefix_hit_rate": ".1%",
    "mean_replicas": ".3g",
    "spot_interruptions": ".0f",
    "interrupted_queries": ".0f",
    "spot_saved_usd": ".4g",
    "jain_latency": ".3f",
    "gain_at_best_single": "+.1%",
    "cost_saved": ".1%",
}
LATENCIES = tuple(column for column in COLUMNS if column.endswith(("latency_s", "first_token_s")))
OF_QUALITY = ("quality_per_usd", "relative_quality", "optimum_ratio", "bayes_ratio")
RARE = (*FATES[1:], "rent_usd", "overshoot", *LATENCIES)  # shown where they occur
WITH_INTERVAL = ("quality", "relative_quality")
OF_LIMITS = ("policy", "limit", "periods", "amount", "spent", "most spent", "alerts", "beyond", "refused")
HEAVIEST = 5
MOST_SOURCES = 20


def arrivals(summary: pd.DataFrame) -> tuple[float, str]:
    """Return how many queries arrived, or tasks, where the number of queries depends on the policy; and which it is."""
    n_tasks = float(summary["tasks"].mean()) if "tasks" in summary else 0.0
    return (n_tasks, "tasks") if n_tasks else (float(summary["arrived"].mean()), "queries")


def comparison(summary: pd.DataFrame, is_of_latency: bool = False) -> Table:
    """Return the mean of each policy over its replications, with 95% half-widths of quality.

    A few metrics are columns too, if they were chosen.

    Parameters
    ----------
    summary : DataFrame
        A row per policy and replication; policies stay in their order. A column that no row fills is left out, and so
        are the rarer fates where nothing met them.
    is_of_latency : bool
        Whether the question is how long queries take: then latencies come first and have half-widths, and figures of
        quality are left out but for the last column.
    """
    if is_of_latency:
        summary = summary[~summary["policy"].isin(ORACLES)]  # plans of quality in hindsight
    shown = [column for column in COLUMNS if column in summary and summary[column].notna().any()]
    shown = [column for column in shown if column not in RARE or summary[column].any()]
    with_interval: tuple[str, ...] = WITH_INTERVAL
    if is_of_latency:
        first = [column for column in shown if column in LATENCIES]
        last = ["quality"] if "quality" in shown else []
        shown = [*first, *(column for column in shown if column not in (*LATENCIES, *OF_QUALITY, *last)), *last]
        with_interval = LATENCIES
    else:
        shown = [column for column in shown if column != "p50_latency_s"]
    replications = summary["replication"].nunique()
    of = "1 replication" if replications == 1 else f"means of {replications} replications, +- 95%"
    n, what = arrivals(summary)
    table = Table(title=f"{n:.0f} {what}, {of}", title_justify="left", title_style="bold")
    same = unvaried(summary)
    if same:
        table.caption = (
            f"Nothing was redrawn for {', '.join(same)}: every figure is the same in all {replications} replications, "
            "so there is no interval."
        )
        table.caption_justify = "left"
    table.add_column("policy", no_wrap=True)
    for column in shown:
        table.add_column(column, justify="right", no_wrap=True)
        if column == "quality" and ROUNDED[0] in summary:
            table.add_column("by rounding", justify="right", no_wrap=True)
    for policy, rows in summary.groupby("policy", sort=False):
        cells = [cell(rows[column].tolist(), column, column in with_interval) for column in shown]
        if ROUNDED[0] in summary:
            low, high = span(rows)
            cells.insert(shown.index("quality") + 1, "-" if math.isnan(low) else f"{low:.1f} to {high:.1f}")
        table.add_row(str(policy), *cells)
    return table


def sources(table: pd.DataFrame, are_tasks: bool = False) -> Table:
    """Return the mean quality per arrival of each policy on each source, the most frequent sources first.

    Parameters
    ----------
    table : DataFrame
        As ``sources.csv`` has it.
    are_tasks : bool
        Whether what it counts are tasks.
    """
    policies = table["policy"].unique().tolist()
    n_replications = table["replication"].nunique()
    sums = table.groupby(["source", "policy"], sort=False)[["arrived", "quality"]].sum()
    arrived = sums["arrived"].groupby("source", sort=False).max().sort_values(ascending=False, kind="stable")
    shown = arrived.index[:MOST_SOURCES].tolist()
    what = "task" if are_tasks else "arrival"
    which = f"the {len(shown)} of {len(arrived)} sources with the most {what}s" if len(arrived) > len(shown) else ""
    title = f"Quality per {what} on {which or 'each source'}, mean of {several(n_replications, 'replication')}; "
    title += "sources.csv also has shares served and costs" + (", and the other sources" if which else "")
    made = Table(title=title, title_justify="left", title_style="bold")
    made.add_column("source", no_wrap=True)
    for column in (f"{what}s", *policies):
        made.add_column(column, justify="right")
    for source in shown:
        found = sums.loc[source]
        scores = (found["quality"] / found["arrived"]).reindex(policies)
        made.add_row(source or "none", f"{arrived[source] / n_replications:,.0f}", *(f"{one:.3f}" for one in scores))
    return made


def span(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the lowest and the highest quality by rounding of one policy, NaN where it was not run again."""
    return float(rows[ROUNDED[0]].min()), float(rows[ROUNDED[1]].max())


def by_rounding(summary: pd.DataFrame) -> list[str]:
    """Return a sentence for every policy whose quality rounding alone moves further than its interval is wide."""
    if ROUNDED[0] not in summary:
        return []
    sentences = []
    for policy, rows in summary.groupby("policy", sort=False):
        low, high = span(rows)
        half_width = mean_interval(rows["quality"].tolist())[1]
        width = 2 * half_width if half_width > 0 else 0.0
        if high - low > width:
            than = f"wider than its interval over replications, {width:.4g}" if width else "and it has no interval"
            sentences.append(
                f"Rounding alone, in the tenth digit of the estimates, moves the quality of {policy} from {low:.4g} to "
                f"{high:.4g}: a range of {high - low:.4g}, {than}. Read its figure as one draw from that range."
            )
    return sentences


def worst_order(found: Found) -> str:
    """Return in a line what a search for the worst order found, with its heaviest weights."""
    weights = sorted(found.weights.items(), key=lambda item: -abs(item[1]))[:HEAVIEST]
    heaviest = ", ".join(f"{name} {weight:+.2f}" for name, weight in weights if weight != 0)
    return (
        f"worst order for {found.policy}: ratio {found.ratio:.3f}, in random order {found.random_ratio:.3f}, "
        f"of {found.evaluations} tried; ascending by {heaviest or 'nothing, which is a random order'}"
    )


def cell(values: Sequence[float], column: str, with_interval: bool) -> str:
    """Return the mean as text, if so with its half-width."""
    mean, half_width = mean_interval(values)
    text = "-" if math.isnan(mean) else format(mean, COLUMNS[column])
    if with_interval and half_width > 0:
        text += f" +- {format(half_width, COLUMNS[column])}"
    return text


def limits_table(folder: Path) -> Table | None:
    """Return what each policy spent of each limit, over all periods and replications; None where there are no limits.

    ``amount`` is of the first period, ``most spent`` the largest share in any; ``alerts`` are those in ``alerts.csv``,
    ``beyond`` counts calls that a soft limit admitted beyond its amount, ``refused`` those that a hard one refused.
    """
    if not (folder / LIMITS).is_file():
        return None
    limits, alerts = pd.read_csv(folder / LIMITS), pd.read_csv(folder / ALERTS)
    currency = limits["currency"].iloc[0]
    n_replications = limits["replication"].nunique()
    title = f"Limits, in {currency}, sums of {several(n_replications, 'replication')}; limits.csv has every period"
    made = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(OF_LIMITS):
        made.add_column(column, justify="left" if place < 2 else "right", no_wrap=True)
    for (policy, limit), rows in limits.groupby(["policy", "limit"], sort=False):
        first = rows.iloc[0]
        a_period = "" if first["every"] == "run" else f" a{'n' if first['every'] == 'hour' else ''} {first['every']}"
        made.add_row(
            str(policy),
            str(limit),
            f"{len(rows):,}",
            f"{number(first['amount'])}{a_period}{', soft' if first['soft'] else ''}",
            number(rows["spent"].sum()),
            f"{rows['share'].max():.1%}",
            f"{((alerts['policy'] == policy) & (alerts['limit'] == limit)).sum():,}",
            f"{rows['beyond'].sum():,}",
            f"{rows['refused'].sum():,}",
        )
    return made


def within_limits(folder: Path) -> list[str]:
    """Return a sentence on what limits are to policies, where there are any."""
    if not (folder / LIMITS).is_file():
        return []
    return [
        "A query pays from its deployment's budget and from every limit that it falls under; a hard limit that cannot "
        "pay refuses it, and a soft one counts it. Policies see limits by refusals only, and no optimum knows them."
    ]
