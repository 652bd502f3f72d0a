"""Scales replicas by the length of the queue, by busy slots, or by how long queries wait. It knows no policy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.errors import check_number, check_one_of
from sim.world.stations.autoscaler import Scaler, ceiling
from sim.world.stations.station import Station

FIRST_TOKEN, WAIT = "first_token", "wait"


@dataclass(frozen=True)
class QueueTracking(Scaler):
    """Keep the queries that wait, per replica, near a target: wanted = ceil(waiting / target), within the bounds.

    It wants the minimum as long as nothing waits, so it suits services that take few at once; see ``Scaler`` for the
    rules that all autoscalers share.

    Parameters
    ----------
    target_waiting_per_replica : float
        Queries that wait, for each replica that accepts queries or is about to.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    target_waiting_per_replica: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_number("autoscaler.target_waiting_per_replica", self.target_waiting_per_replica, above=0)

    def ratio(self, station: Station, now_s: float) -> float:
        """Return waiting queries per replica over the target."""
        waiting = sum(replica.waiting_count for replica in station.replicas)
        return waiting / (self.target_waiting_per_replica * max(station.capacity, 1))


@dataclass(frozen=True)
class UtilisationTracking(Scaler):
    """Keep the share of slots that are busy near a target: wanted = ceil(busy / (slots of a replica x target)).

    The share is that of the moment. It is never above 1, so replicas grow at most by the factor 1 / target at one look,
    however long the queue is; see ``Scaler`` for the rules that all autoscalers share.

    Parameters
    ----------
    target : float
        Share of the slots of replicas that accept queries or are about to; above 0 and at most 1.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    target: float
    needs_slots = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_number("autoscaler.target", self.target, above=0, most=1)

    def ratio(self, station: Station, now_s: float) -> float:
        """Return the busy share of slots over the target."""
        busy = sum(replica.serving_count for replica in station.replicas)
        return busy / (station.slots_per_replica * max(station.capacity, 1) * self.target)


@dataclass(frozen=True)
class SloTracking(Scaler):
    """Keep a percentile of waits below a limit.

    Above the limit it wants ceil(replicas x percentile / limit), as Kubernetes does of any measure. Waits do not fall
    in proportion as replicas are added, so below it goes by steps: one fewer while the percentile is at most
    ``relaxed`` x limit, and no change between the two. Without a query in ``window_s`` it wants one fewer.
    A query counts when it has what it waits for; one that waits still, and longer than the limit, counts with how long
    it has waited. See ``Scaler`` for the rules that all autoscalers share.

    Parameters
    ----------
    limit_s : float
        What the percentile is kept below, in seconds.
    of : str
        ``first_token``, from when a query comes to the deployment to its first token; or ``wait``, to its start.
    window_s : float
        The percentile is over so many seconds.
    percent : float
        Which percentile; above 0, at most 100.
    relaxed : float
        Below this share of the limit there may be fewer replicas; from 0 to 1.

    Raises
    ------
    ValueError
        If a number is out of range, or a word is not known.
    """

    limit_s: float
    of: str = FIRST_TOKEN
    window_s: float = 60.0
    percent: float = 95.0
    relaxed: float = 0.5

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_one_of("autoscaler.of", self.of, (FIRST_TOKEN, WAIT))
        check_number("autoscaler.limit_s", self.limit_s, above=0)
        check_number("autoscaler.window_s", self.window_s, above=0)
        check_number("autoscaler.percent", self.percent, above=0, most=100)
        check_number("autoscaler.relaxed", self.relaxed, least=0, most=1)

    @property
    def watches_s(self) -> float:
        """How long it remembers what queries waited."""
        return self.window_s

    def percentile_s(self, station: Station, now_s: float) -> float:
        """Return the percentile of waits in the window; NaN without any."""
        assert station.watch is not None  # as it says that it watches
        waits_s = station.watch.waits_s(now_s, self.limit_s, self.of == FIRST_TOKEN)
        return float(np.percentile(waits_s, self.percent)) if waits_s else math.nan

    def wanted(self, station: Station, now_s: float) -> int:
        """Return how many replicas are wanted now, whatever the bounds."""
        replicas, found = max(station.capacity, 1), self.percentile_s(station, now_s) / self.limit_s
        if found > 1 + self.tolerance:
            return ceiling(replicas * found)
        return replicas if found > self.relaxed else replicas - 1
