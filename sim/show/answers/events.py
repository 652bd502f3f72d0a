"""Says in words what happened in a run: to which deployments, and from when until when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sim.show.words import listed, number
from sim.study.output.archive import EVENTS

MOST_NAMED = 2  # deployments, beyond which they are counted
Spans = tuple[tuple[float, float], ...]


def read_events(folder: Path, replication: int = 0) -> pd.DataFrame:
    """Return what happened in one replication; an empty table where nothing did, or nothing was written of it."""
    if not (folder / EVENTS).is_file():
        return pd.DataFrame(columns=["policy", "replication", "deployment", "what", "from_s", "until_s"])
    events = pd.read_csv(folder / EVENTS, dtype={"deployment": str}, keep_default_na=False, na_values={"until_s": [""]})
    return events[events["replication"] == replication]


def kinds(events: pd.DataFrame, n_deployments: int, policy: str | None = None) -> list[tuple[str, Spans]]:
    """Return what happened in words, with its spans; those of one kind at the same deployments are put together.

    Parameters
    ----------
    events : DataFrame
        As ``read_events`` returns it.
    n_deployments : int
        So that what happens to all of them is said so.
    policy : str or None
        Of whose run; None for the first.
    """
    if events.empty:
        return []
    named = events["policy"].iloc[0] if policy is None else policy
    spans: dict[tuple[str, float, float], list[str]] = {}
    for row in events[events["policy"] == named].to_dict("records"):
        until_s = math.inf if pd.isna(row["until_s"]) else float(row["until_s"])
        spans.setdefault((row["what"], float(row["from_s"]), until_s), []).append(str(row["deployment"]))
    found: dict[tuple[str, tuple[str, ...]], list[tuple[float, float]]] = {}
    for (what, from_s, until_s), where in spans.items():
        found.setdefault((what, tuple(where)), []).append((from_s, until_s))
    return [
        (f"{what}{of(where, n_deployments)}, {when(times)}", tuple(times)) for (what, where), times in found.items()
    ]


def of(where: Sequence[str], n_deployments: int) -> str:
    """Return the deployments in words, as they follow what happened to them; nothing for what is at none.

    >>> of([""], 3), of(["a"], 3), of(["a", "b", "c"], 3), of(["a"], 1)
    ('', ': a', ': all deployments', ': a')
    """
    names = [name for name in where if name]
    if len(names) == n_deployments > 1:
        return ": all deployments"
    if len(names) > MOST_NAMED:
        return f": {len(names)} deployments"
    return f": {listed(names)}" if names else ""


def when(spans: Sequence[tuple[float, float]]) -> str:
    """Return the times of spans in words.

    >>> when([(60.0, 120.0)]), when([(60.0, math.inf)]), when([(60.0, 60.0)]), when([(1.0, 2.0), (5.0, 6.0)])
    ('60 to 120 s', 'from 60 s on', 'at 60 s', '2 times')
    """
    if len(spans) > 1:
        return f"{len(spans)} times"
    [(from_s, until_s)] = spans
    if until_s == from_s:
        return f"at {number(from_s)} s"
    return f"from {number(from_s)} s on" if math.isinf(until_s) else f"{number(from_s)} to {number(until_s)} s"


def happened(folder: Path) -> list[str]:
    """Return what happened in replication 0 of an output, in words."""
    events = read_events(folder)
    n_deployments = len(pd.read_csv(folder / "fleet.csv").query("replication == 0")) if len(events) else 0
    return [label for label, _ in kinds(events, n_deployments)]
