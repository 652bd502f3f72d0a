"""Takes spot replicas away and asks for others in their place. It knows no query and no policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import simpy

from sim.errors import check_number
from sim.world.stations.replica import Replica
from sim.world.stations.station import Station


@dataclass(frozen=True)
class Spot:
    """Replicas that cost a share of the price and may be taken away at any time.

    Each replica is given notice after an exponential time from when it opened, with ``interruptions_per_hour``. From
    then on it accepts nothing more; what it has not finished ``notice_s`` later is lost (``failed``) and tried again by
    the scenario's ``retry``. Another is asked for at the notice, opens ``replacement_s`` later and is paid for from
    then on. So a replica accepts queries for the share up / (up + replacement_s) of all time, where up is 3600 /
    interruptions_per_hour, and there are 1 / (up + replacement_s) interruptions a second for each.

    Parameters
    ----------
    interruptions_per_hour : float
        Of each replica that is open; 0 for none.
    notice_s : float
        Seconds from the notice to the end of a replica, which is paid for until then.
    replacement_s : float
        Seconds from the notice until another replica serves in its place.
    price_share : float
        What a replica costs, as a share of its price on demand; above 0 and at most 1.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    interruptions_per_hour: float
    notice_s: float = 120.0
    replacement_s: float = 180.0
    price_share: float = 0.35

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("interruptions_per_hour", "notice_s", "replacement_s"):
            check_number(f"spot.{name}", getattr(self, name), least=0)
        check_number("spot.price_share", self.price_share, above=0, most=1)

    @property
    def period_s(self) -> float | None:
        """The mean time from one interruption of a replica to the next of that in its place; None without any."""
        if not self.interruptions_per_hour > 0:
            return None
        return 3600 / self.interruptions_per_hour + self.replacement_s

    def begin(self, station: Station, env: simpy.Environment, rng: np.random.Generator) -> None:
        """Watch the replicas of a station, those that are open and those that will be, for as long as it runs.

        The n-th replica that opens has the n-th time that is drawn, so that policies meet the same interruptions as far
        as they have the same replicas.
        """
        if not self.interruptions_per_hour > 0:
            return

        def watch(replica: Replica) -> None:
            at(env, float(rng.exponential(3600 / self.interruptions_per_hour)), lambda: interrupt(replica))

        def interrupt(replica: Replica) -> None:
            if replica not in station.replicas:  # it was closed before
                return
            if station.give_notice(replica):
                station.start_replica(self.replacement_s, is_paid=False)
            at(env, self.notice_s, lambda: station.take_away(replica))

        station.on_open = watch
        for replica in station.replicas:
            watch(replica)


def at(env: simpy.Environment, delay_s: float, act: Callable[[], None]) -> None:
    """Do something after so long, among the events of that time."""
    event = env.timeout(delay_s)
    event.callbacks.append(lambda _: act())
