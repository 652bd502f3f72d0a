"""Chooses the replica of a deployment by the prefix of a job's prompt, so that what is held comes to use.

These balancers look into jobs: the station calls ``choose_for`` with the job and the replicas that accept it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from sim.errors import check_number
from sim.interface import place_of, prefix_key
from sim.world.services.job import Job
from sim.world.stations.balancer import LeastLoaded


class Holding(Protocol):
    """What such a balancer sees of a replica."""

    @property
    def load(self) -> int:
        """Jobs waiting and in service."""
        ...

    @property
    def waiting_count(self) -> int:
        """Jobs waiting."""
        ...

    @property
    def number(self) -> int:
        """Of the replicas that the deployment has opened, from 0."""
        ...

    def held_blocks(self, job: Job) -> int:
        """Return how many blocks of the job's prompt, from the first on, are held there now."""
        ...


Chosen = TypeVar("Chosen", bound=Holding)


@dataclass(frozen=True)
class PrefixAffinity(LeastLoaded):
    """The same replica for all turns of a session, or without sessions for all prompts with the same first blocks.

    By rendezvous hashing, so that a replica that opens or closes moves only its own. It looks at no load; a query
    without a session and blocks goes to the least loaded replica.

    Parameters
    ----------
    blocks : int
        How many first blocks count, at least 1. Too few put everything on one replica where all prompts begin alike.
    """

    blocks: int = 2

    def __post_init__(self) -> None:
        """Check the number of blocks."""
        check_number("balancer.blocks", self.blocks, least=1)

    def open(self, rng: np.random.Generator) -> PrefixAffinity:
        """Return the state of one deployment: there is none."""
        return self

    def choose_for(self, job: Job, replicas: Sequence[Chosen]) -> Chosen:
        """Return the replica to which the job's session or prefix belongs."""
        key = prefix_key(job.query, self.blocks)
        if key is None:
            return self.choose(replicas)
        number = place_of(key, [replica.number for replica in replicas])
        return next(replica for replica in replicas if replica.number == number)


@dataclass(frozen=True)
class PrefixThenLoad(LeastLoaded):
    """The replica that holds most of the prompt, unless it has too many more jobs than the least loaded one.

    Ties go to the less loaded, then to the first. It knows what replicas hold at this moment, as where they tell their
    balancer of every change.

    Parameters
    ----------
    extra : int
        By so many jobs, waiting and in service, it may exceed the least loaded; at least 0.
    """

    extra: int = 8

    def __post_init__(self) -> None:
        """Check the number of jobs."""
        check_number("balancer.extra", self.extra, least=0)

    def open(self, rng: np.random.Generator) -> PrefixThenLoad:
        """Return the state of one deployment: there is none."""
        return self

    def choose_for(self, job: Job, replicas: Sequence[Chosen]) -> Chosen:
        """Return the replica that holds most, or the least loaded."""
        least = self.choose(replicas)
        best = min(replicas, key=lambda replica: (-replica.held_blocks(job), replica.load))
        return best if best.load - least.load <= self.extra else least
