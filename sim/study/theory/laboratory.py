"""Simulates each laboratory queue in the same world as every study. It knows no theory."""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd

from sim.deployment import Service
from sim.distributions import Constant, Exponential, Gamma, Hyperexponential, Lognormal
from sim.instance import stream
from sim.interface import FloatArray, IntArray
from sim.study.theory.conditions import Ranked, System
from sim.study.theory.single import Arriving, Renewal, serve
from sim.world.services.batching import Batching
from sim.world.services.slots import Slots
from sim.world.services.timed import Timed

TOKEN_S = 1e-3
"""Work on a shared server, or of customers with priorities, is in tokens of this many seconds, rounded, at least 1."""
MANY = 10**9
"""More places than there are customers."""


def customers(system: System, n_customers: int, seed: int) -> pd.DataFrame:
    """Run a system from empty and return a row per arrival.

    Parameters
    ----------
    system : System
        One that ``missing`` says nothing of.
    n_customers : int
    seed : int

    Returns
    -------
    DataFrame
        ``arrived_at_s``, ``started_at_s``, ``finished_at_s`` and ``fate`` as in a run's requests, and ``work_s``, what
        a shared server would need for the customer alone (NaN elsewhere). Of stations in series, the arrival at the
        first and the rest at the last. With priorities also ``rank``, from 1.
    """
    tokens, service = None, timed(system)
    replication = zlib.crc32(system.name.encode())  # so that systems are independent, whichever are run
    rank = None
    if system.ranks:
        rank, work_s = of_ranks(system, n_customers, stream(seed, replication, "ranks"))
        tokens = np.maximum(1, np.rint(work_s / TOKEN_S)).astype(np.int64)
        service = Slots(MANY if system.servers is None else system.servers, 0.0, TOKEN_S)
    elif system.shared:
        work_s = system.service.draw(n_customers, stream(seed, replication, "work"))
        tokens = np.maximum(1, np.rint(work_s / TOKEN_S)).astype(np.int64)
        service = shared(system)
    requests = serve(
        service,
        Renewal(system.gap),
        n_customers,
        queue_capacity=system.queue_capacity,
        patience=system.patience,
        output_tokens=tokens,
        priority=rank,
        preemptive=system.preemptive,
        seed=seed,
        replication=replication,
    )
    arrived_at_s = requests["arrived_at_s"]
    for k, duration in enumerate(system.after):  # a single server is left in the order of arrival
        left = Arriving(requests["finished_at_s"].to_numpy())
        arrived_at_s = arrived_at_s - left.first_s  # each run's clock begins with its own first arrival
        name = f"stage {k + 2}"
        requests = serve(Timed(1, duration), left, n_customers, name=name, seed=seed, replication=replication)
    worked_s = np.nan if tokens is None else tokens * TOKEN_S
    columns = ["started_at_s", "finished_at_s", "fate"]
    ranks = {} if rank is None else {"rank": rank + 1}
    return requests[columns].assign(arrived_at_s=arrived_at_s, work_s=worked_s, **ranks)


def of_ranks(system: System, n_customers: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Return the rank of each customer, from 0, and the work in seconds, each (n_customers,)."""
    ranks = system.ranks
    rank: IntArray = rng.choice(len(ranks), n_customers, p=[one.share for one in ranks])
    work_s = np.empty(n_customers)
    for k, one in enumerate(ranks):
        work_s[rank == k] = one.service.draw(int((rank == k).sum()), rng)
    return rank, work_s


def timed(system: System) -> Service:
    """Return servers that serve one customer each."""
    return Timed(MANY if system.servers is None else system.servers, system.service)


def shared(system: System) -> Service:
    """Return a server whose speed its customers share: batching with an iteration time proportional to the batch."""
    return Batching(
        slots=system.servers,
        iteration_base_s=0.0,
        iteration_per_sequence_s=TOKEN_S,
        prefill_per_token_s=0.0,
    )


def found(customers: pd.DataFrame) -> FloatArray:
    """Return how many customers each arrival finds (n,), itself and those not served left out."""
    served = (customers["fate"] == "served").to_numpy()
    left_at_s = np.sort(customers["finished_at_s"].to_numpy()[served])
    come: IntArray = np.cumsum(served) - served
    left = np.searchsorted(left_at_s, customers["arrived_at_s"].to_numpy(), side="right")
    return (come - left).astype(np.float64)


def standard() -> tuple[System, ...]:
    """Return the queues whose closed forms ``switchyard validate`` checks, and one that has none."""
    one = Exponential(1.0)
    poisson = Exponential(1.25)  # a load of 0.8 on one server

    def erlang(rate_per_s: float, service_s: float, servers: int) -> System:
        name = f"M/M/{servers} load {rate_per_s * service_s:g}"
        return System(name, Exponential(1 / rate_per_s), Exponential(service_s), servers)

    alike = (Ranked(0.3, one), Ranked(0.7, one))  # a few urgent ones
    mixed = (Ranked(0.5, Exponential(0.5)), Ranked(0.3, Constant(1.0)), Ranked(0.2, Lognormal(2.0, 1.5)))

    return (
        System("M/M/1", poisson, one),
        erlang(8, 1, 10),
        erlang(0.2, 10, 3),
        erlang(0.2, 10, 4),
        erlang(1.5, 1, 2),
        erlang(90, 1, 100),
        System("M/D/1", poisson, Constant(1.0)),
        System("M/G/1 gamma", poisson, Gamma(1.0, 2.0)),
        System("M/G/1 lognormal", poisson, Lognormal(1.0, 0.5)),
        System("G/M/1 gamma", Gamma(1.25, 2.0), one),
        System("M/M/10/10", Exponential(1 / 8), one, 10, queue_capacity=0),
        System("M/D/10/10", Exponential(1 / 8), Constant(1.0), 10, queue_capacity=0),
        System("M/G/10/10 lognormal", Exponential(1 / 8), Lognormal(1.0, 2.0), 10, queue_capacity=0),
        System("M/M/5/5", Exponential(1 / 5), one, 5, queue_capacity=0),
        System("M/M/1/5", poisson, one, queue_capacity=4),
        System("M/M/10+M", Exponential(1 / 10), one, 10, patience=Exponential(2.0)),
        System("tandem", poisson, one, after=(Exponential(0.8),)),
        System("PS exponential", poisson, one, None, shared=True),
        System("PS constant", poisson, Constant(1.0), None, shared=True),
        System("PS hyperexponential", poisson, Hyperexponential(1.0, 2.0), None, shared=True),
        System("PS 4 places", Exponential(1 / 3), Exponential(1 / 5), 4, shared=True),
        System("PS 10 places", Exponential(1 / 4), Exponential(1 / 5), 10, shared=True),
        System("M/M/infinity", Exponential(0.5), one, None),
        System("M/G/infinity lognormal", Exponential(0.5), Lognormal(1.0, 2.0), None),
        System("M/M/1 2 ranks", poisson, one, ranks=alike),
        System("M/M/1 2 ranks preemptive", poisson, one, ranks=alike, preemptive=True),
        System("M/G/1 3 ranks", poisson, one, ranks=mixed),
        System("M/G/1 3 ranks preemptive", poisson, one, ranks=mixed, preemptive=True),
        System("M/M/5 2 ranks", Exponential(1 / 4), one, 5, ranks=alike),
        System("M/M/5 2 ranks preemptive", Exponential(1 / 4), one, 5, ranks=alike, preemptive=True),
        System("M/G/10 lognormal", Exponential(1 / 8), Lognormal(1.0, 2.0), 10),
    )
