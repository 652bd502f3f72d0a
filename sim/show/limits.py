"""Says what became of limits of spending, from their tables only."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.table import Table

from sim.show.words import number, several
from sim.study.output.archive import ALERTS, LIMITS

COLUMNS = ("policy", "limit", "periods", "amount", "spent", "most spent", "alerts", "beyond", "refused")


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
    for place, column in enumerate(COLUMNS):
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
