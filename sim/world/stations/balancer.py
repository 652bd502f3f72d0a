"""Chooses the replica of a deployment that takes a job. It knows loads, and does not look into queries.

A balancer is a frozen set of hyperparameters; ``open`` makes its state for one deployment of one run. ``choose`` gets
the replicas that accept jobs, at least one, and returns one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np


class Loaded(Protocol):
    """What a balancer sees of a replica."""

    @property
    def load(self) -> int:
        """Jobs waiting and in service."""
        ...

    @property
    def waiting_count(self) -> int:
        """Jobs waiting."""
        ...


Chosen = TypeVar("Chosen", bound=Loaded)


class Choice(Protocol):
    """A balancer at work."""

    def choose(self, replicas: Sequence[Chosen]) -> Chosen:
        """Return one of the replicas."""
        ...


@dataclass(frozen=True)
class RoundRobin:
    """One after the other."""

    def open(self, rng: np.random.Generator) -> Choice:
        """Return the state of one deployment."""
        return RoundRobinChoice()


class RoundRobinChoice:
    """Counts turns."""

    def __init__(self) -> None:
        self._turn = -1

    def choose(self, replicas: Sequence[Chosen]) -> Chosen:
        """Return the next one."""
        self._turn += 1
        return replicas[self._turn % len(replicas)]


@dataclass(frozen=True)
class LeastLoaded:
    """The fewest jobs waiting and in service, ties to the first."""

    def open(self, rng: np.random.Generator) -> Choice:
        """Return the state of one deployment."""
        return self

    def choose(self, replicas: Sequence[Chosen]) -> Chosen:
        """Return the least loaded."""
        return min(replicas, key=lambda replica: replica.load)


@dataclass(frozen=True)
class JoinShortestQueue:
    """The fewest jobs waiting, ties to the least loaded and then to the first."""

    def open(self, rng: np.random.Generator) -> Choice:
        """Return the state of one deployment."""
        return self

    def choose(self, replicas: Sequence[Chosen]) -> Chosen:
        """Return the one with the shortest queue."""
        return min(replicas, key=lambda replica: (replica.waiting_count, replica.load))


@dataclass(frozen=True)
class PowerOfTwo:
    """The less loaded of two replicas drawn at random (Mitzenmacher 2001)."""

    def open(self, rng: np.random.Generator) -> Choice:
        """Return the state of one deployment."""
        return PowerOfTwoChoice(rng)


class PowerOfTwoChoice:
    """Holds the random stream."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def choose(self, replicas: Sequence[Chosen]) -> Chosen:
        """Return the less loaded of two."""
        if len(replicas) == 1:
            return replicas[0]
        drawn: list[Chosen] = [replicas[k] for k in self._rng.choice(len(replicas), 2, replace=False)]
        return drawn[0] if drawn[0].load <= drawn[1].load else drawn[1]
