"""Logs how many replicas a deployment has over time, in what state, and what is paid for them. It knows no policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

REPLICA_COLUMNS = {
    "deployment": "str",
    "from_s": "float64",
    "serving": "int64",
    "starting": "int64",
    "spare": "int64",
    "replacing": "int64",
    "paid": "float64",
    "interruptions": "int64",
    "interrupted": "int64",
}
"""The columns of the table of replicas, in order, with their pandas types."""


class Replicas(NamedTuple):
    """What a deployment has from a time on.

    Parameters
    ----------
    from_s : float
    serving : int
        Open, those that accept no more and still have something to do among them.
    starting : int
        Ordered and paid for, and not open yet, those that will be spares among them.
    spare : int
        Ready in a warm pool.
    replacing : int
        Asked for in the place of spot replicas that were taken away, and neither there nor paid for.
    paid : float
        How many replicas' price is paid: a spare counts as its share.
    interruptions, interrupted : int
        How many replicas had been given notice by then, and how many queries had been lost with them.
    """

    from_s: float
    serving: int
    starting: int
    spare: int
    replacing: int
    paid: float
    interruptions: int
    interrupted: int


class ReplicaLog:
    """How the replicas of a deployment changed in one run.

    Attributes
    ----------
    rows : list of Replicas
        In order of time; of several changes at one time the last stands.
    """

    def __init__(self) -> None:
        self.rows: list[Replicas] = []

    def note(self, now: Replicas) -> None:
        """Take note of what there is now, if that is anything new."""
        if self.rows and self.rows[-1].from_s == now.from_s:
            self.rows.pop()
        if not self.rows or self.rows[-1][1:] != now[1:]:
            self.rows.append(now)

    @property
    def openings(self) -> list[tuple[float, float]]:
        """From each time on, how many replicas are paid for, where that changes."""
        found: list[tuple[float, float]] = []
        for row in self.rows:
            if not found or found[-1][1] != row.paid:
                found.append((row.from_s, row.paid))
        return found


def replica_frame(logs: Sequence[ReplicaLog], names: Sequence[str]) -> pd.DataFrame:
    """Return the logs of the deployments of these names as one table with ``REPLICA_COLUMNS``."""
    rows = [(name, *row) for name, log in zip(names, logs, strict=True) for row in log.rows]
    return pd.DataFrame(rows, columns=list(REPLICA_COLUMNS)).astype(REPLICA_COLUMNS)
