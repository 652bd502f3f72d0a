"""Runs one deployment in the world with given arrivals, for laboratory queues. It knows no policy but a plan.

A query here is a customer: it has no text, no price and, unless tokens are given, no length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.deployment import Deployment, Service
from sim.distributions import Distribution
from sim.instance import realise, stream
from sim.interface import FloatArray, IntArray
from sim.scenario import Arrivals, BudgetBasis, Scenario
from sim.study.oracles import EstimateCache
from sim.study.replay import Replay, planned
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.stations.queue import highest_priority
from sim.world.world import simulate

MODEL = "any"


@dataclass(frozen=True)
class Renewal:
    """Independent gaps between arrivals."""

    gap: Distribution

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        return np.cumsum(self.gap.draw(n_queries, rng))


class Arriving:
    """Arrivals at given times (n,), such as the departures of another queue."""

    def __init__(self, times_s: FloatArray) -> None:
        self._times_s = times_s
        self.first_s = float(times_s[0])

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the first ``n_queries`` of them."""
        return self._times_s[:n_queries]


@dataclass(frozen=True)
class One:
    """A fleet of one deployment."""

    deployment: Deployment

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return it."""
        return (self.deployment,)


class Free:
    """No budget."""

    unit = "usd"

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return infinity for each deployment."""
        return np.full(len(basis.names), np.inf)


def serve(
    service: Service,
    arrivals: Arrivals,
    n_customers: int,
    *,
    name: str = "queue",
    queue_capacity: int | None = None,
    patience: Distribution | None = None,
    output_tokens: IntArray | None = None,
    priority: IntArray | None = None,
    preemptive: bool = False,
    seed: int = 0,
    replication: int = 0,
) -> pd.DataFrame:
    """Send customers through one deployment and return its requests, a row per customer in order of arrival.

    Parameters
    ----------
    service : Service
    arrivals : Arrivals
    n_customers : int
    name : str
        Of the deployment; another name draws other service times.
    queue_capacity : int or None
        How many may wait; None for any number.
    patience : Distribution or None
        How long a customer waits at most; None for ever.
    output_tokens : array (n_customers,) or None
        The length of each, where the service needs one.
    priority : array (n_customers,) of int or None
        Of each, 0 the most urgent, which then goes first; only with lengths. None: first come, first served.
    preemptive : bool
        Whether a customer takes the place of one in service that is less urgent.
    seed, replication : int

    Raises
    ------
    ValueError
        If the service does not fit the customers.
    """
    # With tokens there is a row per customer; without, all are the same row.
    n_rows = 1 if output_tokens is None else n_customers
    rows = Rows(
        embeddings=np.zeros((n_rows, 1), dtype=np.float32),
        input_tokens=np.zeros(n_rows, dtype=np.int64),
        quality=np.ones((n_rows, 1)),
        cost_usd=np.zeros((n_rows, 1)),
        output_tokens=None if output_tokens is None else output_tokens[:, None],
        priority=priority,
    )

    def order(_: Rows, __: np.random.Generator) -> IntArray:
        return np.arange(n_customers) % n_rows

    discipline = None if priority is None else highest_priority
    fleet = One(
        Deployment(
            name, MODEL, service, queue_capacity, discipline=discipline, preemptive=preemptive, patience=patience
        )
    )
    instance = realise(Scenario(Workload((MODEL,), rows, rows), fleet, Free(), arrivals, order), seed, replication)
    policy = Replay(planned(np.zeros(n_customers, dtype=np.int64)))
    table = simulate(
        "first", policy, instance, EstimateCache().get(None, instance), stream(seed, replication, "policy")
    )
    return frame(table, instance)
