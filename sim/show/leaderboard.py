"""Reports on leaderboard: which policy is ahead, where each is weakest, and whether the figures are the frozen ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from sim.show.drawings.leaderboard import shares
from sim.show.page import Check, Report, Shown
from sim.show.words import listed, several

MOST_LINES = 5


def ranking_table(ranks: pd.DataFrame, table: pd.DataFrame) -> Table:
    """Return the ranks with each policy's share of the optimum on every table, mean over its orders."""
    tables = table["table"].unique().tolist()
    title = f"Shares of the hindsight optimum, mean over {several(table['order'].nunique(), 'order')}"
    made = Table(title=title, title_justify="left", title_style="bold")
    for column in ("rank", "policy", "mean", "worst", "worst at", *tables):
        made.add_column(column, justify="left" if column in ("policy", "worst at") else "right", no_wrap=True)
    of_table = table.pivot_table(index="policy", columns="table", values="optimum_ratio")
    for rank, policy, mean, worst, worst_at in ranks.itertuples(index=False):
        cells = (f"{of_table.loc[policy, name]:.3f}" for name in tables)
        made.add_row(str(rank), policy, f"{mean:.3f}", f"{worst:.3f}", worst_at, *cells)
    return made


def comparison(table: pd.DataFrame, frozen: pd.DataFrame | None, n_both: int, lines: list[str]) -> Iterator[str]:
    """Yield sentences on how standings agree with the frozen ones."""
    if frozen is None:
        return
    n_new = len(table) - n_both
    if lines:
        verb = "differs" if len(lines) == 1 else "differ"
        yield f"{several(len(lines), 'figure')} of {several(n_both, 'row')} {verb} from the frozen leaderboard:"
        yield from lines[:MOST_LINES]
    elif n_both:
        yield f"All figures of {several(n_both, 'row')} are those of the frozen leaderboard."
    if n_new:
        new = sorted(set(table["policy"]) - set(frozen["policy"]))
        which = f", among them all of {listed(new)}" if new else ""
        yield f"{several(n_new, 'row')} {'is' if n_new == 1 else 'are'} not in the frozen leaderboard{which}."


def leaderboard_report(folder: Path, manifest: Mapping[str, Any]) -> Report:
    """Return the report of a leaderboard."""
    table, ranks = pd.read_csv(folder / "leaderboard.csv"), pd.read_csv(folder / "ranking.csv")
    differences = pd.read_csv(folder / "differences.csv")["difference"].tolist()
    first = ranks.iloc[0]
    config = manifest["config"]
    seeds = several(len(config["seeds"]), "seed")
    where = f"{listed(config['tables'])}, in {several(table['order'].nunique(), 'order')}, with {seeds}"
    answer = (
        f"{first['policy']} is ahead with {first['mean']:.3f} of the optimum on average, "
        f"and {first['worst']:.3f} where it is weakest ({first['worst_at']})."
    )
    agrees = Check(not differences, "Every figure that the frozen leaderboard has too is the same.")
    return Report(
        "Which policy gets most of the hindsight optimum?",
        where,
        answer,
        (ranking_table(ranks, table),),
        (Shown("figures/leaderboard", "Share of the optimum by table and order of arrival.", shares(table, ranks)),),
        (agrees,) if config.get("frozen") else (),
    )
