"""Holds what happened to the deployments and the arrivals of one run, as spans of time. It knows no query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from sim.instance import Instance
from sim.traits import ArrivalsTraits

if TYPE_CHECKING:
    from sim.world.record.requests import RequestTable

EVENT_COLUMNS = {"deployment": "str", "what": "str", "from_s": "float64", "until_s": "float64"}


class Change(NamedTuple):
    """That something began or ended at a deployment; what is over at once begins and ends at one time."""

    at_s: float
    what: str
    begins: bool


def spans(changes: Sequence[Change]) -> list[tuple[str, float, float]]:
    """Return what held from when until when; the union of what holds for several reasons, NaN for until the end.

    Parameters
    ----------
    changes : sequence of Change
        Of one deployment, in order of time.

    Examples
    --------
    >>> changes = [Change(1.0, "down", True), Change(2.0, "down", True), Change(3.0, "down", False)]
    >>> spans([*changes, Change(5.0, "down", False), Change(6.0, "out", True)])
    [('down', 1.0, 5.0), ('out', 6.0, nan)]
    """
    found: list[tuple[str, float, float]] = []
    reasons: dict[str, int] = {}
    since_s: dict[str, float] = {}
    for at_s, what, begins in changes:
        before = reasons.get(what, 0)
        reasons[what] = before + (1 if begins else -1)
        if before == 0:
            since_s[what] = at_s
        elif reasons[what] == 0:
            found.append((what, since_s.pop(what), at_s))
    found += [(what, at_s, math.nan) for what, at_s in since_s.items()]
    return sorted(found, key=lambda span: span[1])


def no_events() -> pd.DataFrame:
    """Return the frame of a run in which nothing happened."""
    return pd.DataFrame(columns=list(EVENT_COLUMNS)).astype(EVENT_COLUMNS)


def event_frame(table: RequestTable, instance: Instance) -> pd.DataFrame:
    """Return all spans with ``EVENT_COLUMNS``, in order of time; crowds, if they came, are at no deployment."""
    crowds = ArrivalsTraits.of(instance.scenario.arrivals).crowds
    last_s = max(table.arrived_at_s, default=0.0)
    rows: list[tuple[str, str, float, float]] = [("", *crowd) for crowd in crowds if crowd[1] <= last_s]
    for info, changes in zip(instance.setting.fleet, table.happened, strict=True):
        rows += [(info.name, *span) for span in spans(changes)]
    rows.sort(key=lambda row: row[2])
    return pd.DataFrame(rows, columns=list(EVENT_COLUMNS)).astype(EVENT_COLUMNS)
