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
    for rank, policy, mean, half_width, worst, worst_at in ranks.itertuples(index=False):
        cells = (f"{of_table.loc[policy, name]:.3f}" for name in tables)
        interval = f"{mean:.3f}" if pd.isna(half_width) else f"{mean:.3f} +- {half_width:.3f}"
        made.add_row(str(rank), policy, interval, f"{worst:.3f}", worst_at, *cells)
    return made


def places(gaps: pd.DataFrame) -> Iterator[str]:
    """Yield for each policy of one's own where it is behind the best of the others, and where ahead."""
    for policy in gaps["policy"].unique() if len(gaps) else ():
        rows = gaps[gaps["policy"] == policy].sort_values("gap", ascending=False, kind="stable").to_dict("records")
        count = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ("behind", "ahead", "open")}
        most = rows[0]
        where = (
            f", most in {most['table']}, {most['order']}: {most['share']:.3f} against {most['share_of_other']:.3f} of "
            f"{most['best_other']}"
        )
        yield (
            f"{policy} is behind the best of the others in {count['behind']} of {len(rows)} tables and orders"
            f"{where if count['behind'] else ''}; it is ahead in {count['ahead']}, "
            f"and the intervals leave {count['open']} open."
        )


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
    gaps = pd.read_csv(folder / "gaps.csv") if (folder / "gaps.csv").exists() else pd.DataFrame()
    first = ranks.iloc[0]
    config = manifest["config"]
    seeds = several(len(config["seeds"]), "seed")
    where = f"{listed(config['tables'])}, in {several(table['order'].nunique(), 'order')}, with {seeds}"
    answer = (
        f"{first['policy']} is ahead with {first['mean']:.3f} of the optimum on average, "
        f"and {first['worst']:.3f} where it is weakest ({first['worst_at']})."
    )
    answer = " ".join([answer, *places(gaps)])
    ranks = ranks[ranks["policy"].isin(table["policy"])]  # frozen rows of others stand in ranking.csv alone
    agrees = Check(not differences, "Every figure that the frozen leaderboard has too is the same.")
    return Report(
        "Which policy gets most of the hindsight optimum?",
        where,
        answer,
        (ranking_table(ranks, table),),
        (Shown("figures/leaderboard", "Share of the optimum by table and order of arrival.", shares(table, ranks)),),
        (agrees,) if config.get("frozen") else (),
    )
