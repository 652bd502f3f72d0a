"""Reads what became of single queries and chooses what of it to draw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sim.show.choices.atlas import atlas
from sim.show.choices.plane import plane
from sim.show.choices.served_by import is_served, served_by
from sim.show.page import Shown
from sim.show.timelines.tellers import broke_after, tellers
from sim.study.explain.choices import HINDSIGHT
from sim.study.output.archive import CHOICES, ONE_QUERY

OF_PLANE = (
    "What quality costs at the prices of the plan in hindsight, replication 0. Grey lines join what is worth the same, "
    "quality less priced cost: it can be read where they meet the left axis. {}The paths are means over all queries "
    "that arrive, a twelfth of the run after the other; dotted: what the budgets allow per query; dashed: the worth "
    "that hindsight gets of it."
)
OF_ONE = "First, one query at every deployment: the dashed line is the best that it can get. "
OF_SERVED = "Share of the queries that are served, by quarters of difficulty (mean quality over all models) and cost."
OF_ATLAS = (
    "Where queries go, on the two axes along which their embeddings differ most: each mark is the most frequent end of "
    "the queries near it, larger where there are more."
)


def choice_figures(folder: Path) -> Iterator[Shown]:
    """Yield the figures of single queries: hindsight and up to three policies; nothing where a run left no choices."""
    if not (folder / CHOICES).is_file():
        return
    choices = pd.read_parquet(folder / CHOICES)
    runs = {str(policy): rows for policy, rows in choices.groupby("policy", sort=False, observed=True)}
    hindsight = runs.pop(HINDSIGHT)
    means = {policy: float(rows["quality"].mean()) for policy, rows in runs.items()}
    means = dict(sorted(means.items(), key=lambda each: -round(each[1], 9)))
    shown = {policy: runs[policy] for policy in tellers(means, {name: broke_after(run) for name, run in runs.items()})}
    path = folder / ONE_QUERY
    if (hindsight["priced_cost"] > 0).any():
        candidates = pd.read_csv(path) if path.is_file() else None
        caption = OF_PLANE.format("" if candidates is None else OF_ONE)
        yield Shown("iso_prices", caption, plane(candidates, hindsight, shown))
    if not all(is_served(run).all() for run in (hindsight, *shown.values())):
        yield Shown("served_by", OF_SERVED, served_by(hindsight, shown))
    if hindsight["map_x"].any():
        yield Shown("decision_map", OF_ATLAS, atlas(hindsight, shown))
