"""Opens and closes replicas of a deployment as its load changes. It knows loads, and no query or policy.

``Scaler`` has what all autoscalers share; ``TargetTracking`` goes by jobs per replica, and ``scalers`` has the others.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field

import simpy

from sim.errors import check_number
from sim.world.moment import AUTOSCALERS, Moment
from sim.world.stations.station import Station

ROUNDING = 1e-9  # a load of 4.2 at a target of 0.7 is 6 replicas and no seventh


@dataclass(frozen=True)
class WarmPool:
    """Spare replicas that are ready, and open sooner than new ones.

    The pool is full when the run begins. A replica is taken from it as long as there is one, and another spare is
    ordered in its place, which takes a cold start; until it is ready it costs the whole price. Spares are not among the
    replicas that the autoscaler's bounds are for.

    Parameters
    ----------
    size : int
        How many spares there are.
    warm_start_s : float
        Seconds before a spare serves.
    price_share : float
        What a spare costs, as a share of a replica's price; from 0 to 1.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    size: int
    warm_start_s: float = 5.0
    price_share: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("warm_pool.size", self.size, least=0)
        check_number("warm_pool.warm_start_s", self.warm_start_s, least=0)
        check_number("warm_pool.price_share", self.price_share, least=0, most=1)


@dataclass(frozen=True)
class Scaler:
    """Keep a number of replicas that follows some measure of load, which a subclass has.

    Every ``interval_s`` it wants, as Kubernetes' horizontal autoscaler does, ceil(replicas x ratio), where ratio is the
    measure over its target and replicas are those that accept queries or are about to; a ratio within ``tolerance`` of
    1 changes nothing. Wishes are kept within the bounds. More replicas are ordered at once, fewer only down to the
    highest wish of the last ``stabilisation_s``. The least loaded is retired first, accepts no more and closes when it
    is empty; the last open one stays, and what has been ordered comes.

    Parameters
    ----------
    minimum, maximum : int
        Bounds on the replicas that accept queries or are about to.
    interval_s : float
        Seconds between looks at the load.
    cold_start_s : float
        Seconds before a new replica serves; it is paid for from when it is ordered.
    stabilisation_s : float
        Fewer replicas are kept only as far as every wish of so many seconds allows.
    tolerance : float
        How far load may be from its target, as a share of it, without a change.
    most_retired : int or None
        The most replicas that are retired at one look; None for any number.
    warm_pool : WarmPool or None
        Spares that open sooner than new replicas; None for none.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    minimum: int
    maximum: int
    interval_s: float = field(default=15.0, kw_only=True)
    cold_start_s: float = field(default=60.0, kw_only=True)
    stabilisation_s: float = field(default=0.0, kw_only=True)
    tolerance: float = field(default=0.0, kw_only=True)
    most_retired: int | None = field(default=None, kw_only=True)
    warm_pool: WarmPool | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 1 <= self.minimum <= self.maximum:
            raise ValueError(
                f"autoscaler has minimum {self.minimum} and maximum {self.maximum}; 1 <= minimum <= maximum"
            )
        check_number("autoscaler.interval_s", self.interval_s, above=0)
        for name in ("cold_start_s", "stabilisation_s", "tolerance"):
            check_number(f"autoscaler.{name}", getattr(self, name), least=0)
        check_number("autoscaler.most_retired", self.most_retired, least=1, null="for any number")

    def ratio(self, station: Station, now_s: float) -> float:
        """Return the measure of load over its target, for the replicas that accept queries or are about to."""
        raise NotImplementedError

    def wanted(self, station: Station, now_s: float) -> int:
        """Return how many replicas are wanted now, whatever the bounds."""
        replicas, ratio = max(station.capacity, 1), self.ratio(station, now_s)
        return replicas if abs(ratio - 1) <= self.tolerance else ceiling(replicas * ratio)

    def run(self, station: Station, env: simpy.Environment) -> Generator[simpy.Event, None, None]:
        """Add and retire replicas for ever, as a SimPy process."""
        pool = self.warm_pool or WarmPool(0)
        for _ in range(pool.size):
            station.start_spare(0.0, pool.price_share)
        wishes = deque([(env.now, station.capacity)])
        while True:
            yield Moment(env, self.interval_s, AUTOSCALERS)
            station.close_empty()
            wish = min(max(self.wanted(station, env.now), self.minimum), self.maximum)
            wishes.append((env.now, wish))
            while wishes[0][0] <= env.now - self.stabilisation_s and len(wishes) > 1:
                wishes.popleft()  # the last stays
            for _ in range(wish - station.capacity):
                if station.take_spare(pool.warm_start_s):
                    station.start_spare(self.cold_start_s, pool.price_share)
                else:
                    station.start_replica(self.cold_start_s)
            fewer = station.capacity - max(number for _, number in wishes)
            for _ in range(fewer if self.most_retired is None else min(fewer, self.most_retired)):
                station.retire_replica()


@dataclass(frozen=True)
class TargetTracking(Scaler):
    """Keep the jobs per replica near a target.

    Every ``interval_s``: wanted = ceil(jobs / target_per_replica), within the bounds, where jobs are those in service
    and waiting, and replicas that are still starting count as there. More are opened at once and serve after
    ``cold_start_s``; fewer are retired one an interval, the least loaded first, and close when they are empty.

    Parameters
    ----------
    minimum, maximum : int
        The fewest and the most replicas.
    target_per_replica : float
        Jobs per replica: slots x the utilisation to aim for, or more to aim for a queue.
    interval_s : float
        Seconds between looks at the load.
    cold_start_s : float
        Seconds before a new replica serves; it is paid for from when it is ordered.
    most_retired : int or None
        The most replicas that are retired at one look; None for any number.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    target_per_replica: float
    most_retired: int | None = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_number("autoscaler.target_per_replica", self.target_per_replica, above=0)

    def ratio(self, station: Station, now_s: float) -> float:
        """Return jobs per replica over the target."""
        jobs = sum(replica.load for replica in station.replicas)
        return jobs / (self.target_per_replica * max(station.capacity, 1))


def ceiling(value: float) -> int:
    """Return the least whole number that is at least a value, whatever rounding adds to it.

    >>> ceiling(6 * (4.2 / (0.7 * 6))), ceiling(2.1)
    (6, 3)
    """
    return math.ceil(value * (1 - ROUNDING))
