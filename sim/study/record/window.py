"""Finds the window that a run's metrics are over, and what was rented in it.

It knows the request table and the log of openings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sim.study.metrics.counting import ended_at_s, numbers
from sim.world.record import replica_seconds
from sim.world.record.replicas import ReplicaLog

Openings = Sequence[Sequence[tuple[float, float]]]
"""For each deployment, from each time on: how many replicas were paid for."""


def window_s(requests: pd.DataFrame) -> tuple[float, float]:
    """Return the first arrival and the last end of these arrivals; NaN twice if there are none."""
    if requests.empty:
        return float("nan"), float("nan")
    return float(numbers(requests, "arrived_at_s").min()), float(np.nanmax(ended_at_s(requests)))


def rented(fleet: pd.DataFrame, openings: Openings, requests: pd.DataFrame) -> pd.DataFrame:
    """Return the fleet table with what was rented while these arrivals were there.

    Parameters
    ----------
    fleet : DataFrame
    openings : sequence
        The log of each deployment of the fleet.
    requests : DataFrame
        The arrivals that are kept.

    Returns
    -------
    DataFrame
        With ``replica_seconds``, from the first arrival to the last end, and ``arriving_replica_seconds``, from the
        first arrival to the last; each is the time that replicas were paid for, summed over them, and 0 if nothing is
        kept.
    """
    begin_s, end_s = window_s(requests)
    if requests.empty:
        begin_s = end_s = last_s = 0.0
    else:
        last_s = float(numbers(requests, "arrived_at_s").max())
    return fleet.assign(
        replica_seconds=[replica_seconds(log, begin_s, end_s) for log in openings],
        arriving_replica_seconds=[replica_seconds(log, begin_s, last_s) for log in openings],
    )


def interrupted(fleet: pd.DataFrame, logs: Sequence[ReplicaLog], requests: pd.DataFrame) -> pd.DataFrame:
    """Return the fleet table with what was taken away while these arrivals were there.

    Parameters
    ----------
    fleet : DataFrame
    logs : sequence of ReplicaLog
        Of each deployment.
    requests : DataFrame
        The arrivals that are kept.

    Returns
    -------
    DataFrame
        With ``interruptions``, how many spot replicas were given notice from the first arrival to the last end, and
        ``interrupted``, how many queries were lost with replicas then; 0 if nothing is kept.
    """
    begin_s, end_s = (0.0, 0.0) if requests.empty else window_s(requests)
    counts = []
    for log in logs:
        before = [row for row in log.rows if row.from_s < begin_s] or log.rows[:1]
        until = [row for row in log.rows if row.from_s <= end_s] or log.rows[:1]
        counts.append([after - first for first, after in zip(before[-1][-2:], until[-1][-2:], strict=True)])
    return fleet.assign(interruptions=[int(each[0]) for each in counts], interrupted=[int(each[1]) for each in counts])
