"""Opens and closes replicas of a deployment as its load changes. It knows loads, and no query or policy."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import simpy

from sim.world.moment import AUTOSCALERS, Moment
from sim.world.stations.station import Station


@dataclass(frozen=True)
class TargetTracking:
    """Keep the load per replica near a target, as Kubernetes' horizontal autoscaler does.

    Every ``interval_s``: wanted = ceil(jobs / target_per_replica), within the bounds, where jobs are those in service
    and waiting, and replicas that are still starting count as there. More are opened at once and serve after
    ``cold_start_s``; fewer are retired one an interval, the least loaded first, and close when they are empty.

    Parameters
    ----------
    minimum, maximum : int
    target_per_replica : float
        Jobs per replica: slots x the utilisation to aim for, or more to aim for a queue.
    interval_s, cold_start_s : float

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    minimum: int
    maximum: int
    target_per_replica: float
    interval_s: float = 15.0
    cold_start_s: float = 60.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 1 <= self.minimum <= self.maximum:
            raise ValueError(
                f"autoscaler has minimum {self.minimum} and maximum {self.maximum}; 1 <= minimum <= maximum"
            )
        if not self.target_per_replica > 0 or not self.interval_s > 0 or not self.cold_start_s >= 0:
            raise ValueError(
                f"autoscaler has target {self.target_per_replica}, interval {self.interval_s} s and cold start "
                f"{self.cold_start_s} s; the first two must be positive, the last at least 0"
            )

    def run(self, station: Station, env: simpy.Environment) -> Generator[simpy.Event, None, None]:
        """Add and retire replicas for ever, as a SimPy process."""
        while True:
            yield Moment(env, self.interval_s, AUTOSCALERS)
            station.close_empty()
            accepting = sum(replica.accepts for replica in station.replicas) + station.starting
            jobs = sum(replica.load for replica in station.replicas)
            wanted = min(max(math.ceil(jobs / self.target_per_replica), self.minimum), self.maximum)
            for _ in range(wanted - accepting):
                env.process(station.start_replica(self.cold_start_s))
            if wanted < accepting:
                station.retire_replica()
