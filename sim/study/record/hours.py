"""Says by hour what came, what was lost, how many replicas there were and what they cost. It knows no policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from sim.study.metrics.counting import ended_at_s, is_cached, is_served, numbers, work
from sim.study.metrics.latency import first_token_s
from sim.study.metrics.load import of_fleet, token_cost_usd
from sim.study.record.window import window_s
from sim.world.record import replica_seconds
from sim.world.record.replicas import ReplicaLog

HOUR_S = 3600.0


def by_hour(
    requests: pd.DataFrame,
    fleet: pd.DataFrame,
    logs: Sequence[ReplicaLog],
    calls: pd.DataFrame | None,
    begins_at: Callable[[float], str],
) -> pd.DataFrame | None:
    """Return what each hour of a run cost and brought; None for a run that is over within an hour.

    Parameters
    ----------
    requests : DataFrame
        A row per arrival.
    fleet : DataFrame
        A row per deployment.
    logs : sequence of ReplicaLog
        Of each deployment.
    calls : DataFrame or None
        A row per call; None where each query takes one.
    begins_at : callable
        From seconds since the first arrival to date and time.

    Returns
    -------
    DataFrame
        A row per ``hour`` from the first arrival to the last end, which ``begins_at`` a date and time and ``lasts_s``
        3600 s, or less if the run ends in it. ``queries`` arrived in it, of which ``served`` were served and ``lost``
        got no answer (the others a cache answered); ``replicas`` were open on average, over all deployments;
        ``rent_usd`` was for the hour and ``tokens_usd`` for what ended in it; ``p95_ttft_s`` is the 95th percentile of
        the time to the first token of those that were served.
    """
    begin_s, end_s = window_s(requests)
    if not end_s - begin_s > HOUR_S:
        return None
    n_hours = int(np.ceil((end_s - begin_s) / HOUR_S))

    def hour(times_s: np.ndarray) -> np.ndarray:
        return np.minimum((times_s - begin_s) // HOUR_S, n_hours - 1).astype(np.int64)

    arrived, served = hour(numbers(requests, "arrived_at_s")), is_served(requests)
    answered = served | is_cached(requests)
    done = work(requests, calls)
    ended, price_usd = hour(ended_at_s(done)), of_fleet(fleet, "price_per_hour_usd")
    first_s = first_token_s(requests)
    serving = [[(row.from_s, float(row.serving)) for row in log.rows] for log in logs]
    rows = []
    for number in range(n_hours):
        from_s = begin_s + number * HOUR_S
        until_s = min(from_s + HOUR_S, end_s)
        here, waits_s = arrived == number, first_s[arrived[served] == number]
        n_queries, n_served, n_lost = (int(kind.sum()) for kind in (here, here & served, here & ~answered))
        rents = np.array([replica_seconds(log.openings, from_s, until_s) for log in logs])
        open_s = sum(replica_seconds(log, from_s, until_s) for log in serving)
        rows.append(
            {
                "hour": number,
                "begins_at": begins_at(from_s),
                "lasts_s": until_s - from_s,
                "queries": n_queries,
                "served": n_served,
                "lost": n_lost,
                "replicas": open_s / (until_s - from_s),
                "rent_usd": float(np.nansum(rents * price_usd)) / HOUR_S,
                "tokens_usd": token_cost_usd(done[ended == number], fleet),
                "p95_ttft_s": float(np.percentile(waits_s, 95)) if len(waits_s) else float("nan"),
            }
        )
    return pd.DataFrame(rows)
