"""Describes one deployment of a fleet: its service, limits and prices, and where each number comes from.

The protocols say what a service, a balancer, an autoscaler and a distribution must offer; ``sim.world`` and
``sim.distributions`` have them. It knows no clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from sim.errors import unknown
from sim.interface import FloatArray
from sim.traits import ServiceTraits

TOKEN_PRICES = ("price_input_usd_per_million", "price_output_usd_per_million")
CACHED_PRICE = "price_cached_input_usd_per_million"
PROVENANCE = ("source", "as_of", "confidence")
MOST_REPLICAS = 100_000  # each is an object of its own
MOST_RATE = 1e12  # of any price or energy, so that no sum of them overflows
CONFIDENCES = ("high", "medium", "low", "assumed")


class Service(Protocol):
    """How a deployment serves, as hyperparameters; ``sim.world.services`` has the implementations.

    ``sim.traits.ServiceTraits`` has what a service may say besides.
    """

    @property
    def needs_output_tokens(self) -> bool:
        """Whether the time to serve a query depends on its output tokens."""
        ...

    @property
    def context_tokens(self) -> int | None:
        """The most input and output tokens of one query; None for no limit."""
        ...

    def draw(self, n_queries: int, rng: np.random.Generator) -> FloatArray | None:
        """Return random numbers (n_queries, n), a row per arrival and the same for every policy; None for none."""
        ...

    def open(self, env: Any, finish: Callable[[Any, float], None]) -> Any:
        """Return a replica's server, on the clock ``env``; it calls ``finish(job, now_s)`` at each completion."""
        ...


class Distribution(Protocol):
    """Random durations; ``sim.distributions`` has the implementations."""

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations in seconds."""
        ...


class Balancer(Protocol):
    """Which replica of a deployment takes a query; ``sim.world.stations.balancer`` has the implementations."""

    def open(self, rng: np.random.Generator) -> Any:
        """Return the state of one deployment in one run."""
        ...


class Autoscaler(Protocol):
    """How many replicas a deployment has over time; ``sim.world.stations.autoscaler`` has the implementation."""

    def run(self, station: Any, env: Any) -> Generator[Any, Any, Any]:
        """Add and retire replicas of a station, as a SimPy process."""
        ...


class Spot(Protocol):
    """How replicas are taken away and replaced; ``sim.world.stations.spot`` has the implementation."""

    @property
    def price_share(self) -> float:
        """What a replica costs, as a share of its price on demand."""
        ...

    @property
    def period_s(self) -> float | None:
        """The mean time from one interruption to the next, which is checked against the length of a run."""
        ...

    def begin(self, station: Any, env: Any, rng: np.random.Generator) -> None:
        """Take replicas of a station away for as long as it runs."""
        ...


@dataclass(frozen=True)
class Deployment:
    """One place that serves a model.

    Parameters
    ----------
    name, model : str
        Of the deployment, and of the workload's model that answers there.
    service : Service
        How each replica serves.
    queue_capacity : int or None
        How many queries may wait, over all replicas; None for any number.
    replicas : int
        How many there are in the beginning.
    balancer : Balancer or None
        Which replica takes a query; None for the least loaded.
    discipline : callable or None
        Ranks the jobs that wait, the lowest first (``sim.world.stations.queue``); None for first come, first served.
    preemptive : bool
        Whether a query that finds no room takes the place of one in service that the discipline ranks higher. That one
        waits, before others of its rank, and goes on later where it was stopped (preemptive-resume).
    patience : Distribution or None
        How long a query waits before it leaves (``abandoned``).
    timeout_s : float or None
        How long a query may take here before it is stopped with its work lost (``timed_out``); it is not charged.
    autoscaler : Autoscaler or None
        What opens and closes replicas; None for a fixed number.
    spot : Spot or None
        How replicas are taken away and replaced, and what share of ``price_per_hour_usd`` they cost; None for replicas
        that stay.
    price_input_usd_per_million, price_output_usd_per_million : float or None
        Price of tokens; a query then costs what its true tokens cost here. Without them, what the workload says.
    price_cached_input_usd_per_million : float or None
        Price of input tokens that a deployment still holds, from the step before of the same task or in its prefix
        cache; at most that of input tokens. None where it charges them like any other.
    price_per_hour_usd : float
        Of one replica, on demand.
    prefix_cache_tokens : float or None
        Room of each replica for prefixes of prompts that it has prefilled, which it need not prefill again; ``inf`` for
        any number of tokens, None for no such cache. The least recently used goes first.
    energy_j_per_token : float or None
        Per output token, for answers whose energy the workload did not measure.
    provenance : mapping of str to mapping, or None
        For each number, by its path (``service.slots``): its ``source``, ``as_of`` and ``confidence`` (one of
        ``CONFIDENCES``), and optionally ``range`` (the two ends of what sources say) and ``note``.

    Raises
    ------
    ValueError
        For a number out of range, one token price without the other, or provenance that does not say enough.
    """

    name: str
    model: str
    service: Service
    queue_capacity: int | None = None
    replicas: int = 1
    balancer: Balancer | None = None
    discipline: Callable[[Any], float] | None = None
    patience: Distribution | None = None
    timeout_s: float | None = None
    autoscaler: Autoscaler | None = None
    price_input_usd_per_million: float | None = None
    price_output_usd_per_million: float | None = None
    price_cached_input_usd_per_million: float | None = None
    price_per_hour_usd: float = 0.0
    prefix_cache_tokens: float | None = None
    energy_j_per_token: float | None = None
    preemptive: bool = False
    provenance: Mapping[str, Mapping[str, Any]] | None = field(default=None, hash=False)
    spot: Spot | None = None

    @property
    def has_fixed_replicas(self) -> bool:
        """Whether its replicas are there for the whole run."""
        return self.autoscaler is None and self.spot is None

    @property
    def rent_per_hour_usd(self) -> float:
        """What one replica costs an hour."""
        return self.price_per_hour_usd * (1.0 if self.spot is None else self.spot.price_share)

    @property
    def total_slots(self) -> float:
        """How many queries it serves at once: slots x engines x replicas; ``inf`` without a limit."""
        service = ServiceTraits.of(self.service)
        return math.inf if service.slots is None else float(service.slots * service.ranks * self.replicas)

    @property
    def total_kv_tokens(self) -> float:
        """Room of its key-value caches in tokens, over engines and replicas; ``inf`` without a limit."""
        service = ServiceTraits.of(self.service)
        return math.inf if service.kv_tokens is None else float(service.kv_tokens * service.ranks * self.replicas)

    @property
    def prefills(self) -> bool:
        """Whether its service takes time for input tokens, so that a prefix that is held saves time."""
        return ServiceTraits.of(self.service).prefills

    @property
    def cheapens_prefixes(self) -> bool:
        """Whether it keeps prefixes and charges less for input tokens that it holds."""
        cached, whole = self.price_cached_input_usd_per_million, self.price_input_usd_per_million
        return self.prefix_cache_tokens is not None and cached is not None and whole is not None and cached < whole

    def __post_init__(self) -> None:
        """Check every number, and that provenance is whole."""
        if self.queue_capacity is not None and self.queue_capacity < 0:
            raise ValueError(
                f"queue_capacity of {self.name!r} is {self.queue_capacity}; it must be at least 0, or null"
            )
        if not 1 <= self.replicas <= MOST_REPLICAS:
            right = f"at least 1 and at most {MOST_REPLICAS}"
            raise ValueError(f"replicas of {self.name!r} is {self.replicas}; it must be {right}")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"timeout_s of {self.name!r} is {self.timeout_s}; it must be positive, or null")
        for name in (*TOKEN_PRICES, CACHED_PRICE, "price_per_hour_usd", "energy_j_per_token"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} of {self.name!r} is {value}; it must be finite and at least 0")
            if value is not None and value > MOST_RATE:
                raise ValueError(f"{name} of {self.name!r} is {value}; it must be at most {MOST_RATE:g}")
        if self.preemptive and self.discipline is None:
            raise ValueError(
                f"preemptive of {self.name!r} is true; it needs a discipline that says which query goes first, such as "
                "sim.world.stations.queue.highest_priority"
            )
        if self.preemptive and not ServiceTraits.of(self.service).may_pause:
            kind = type(self.service).__name__
            raise ValueError(
                f"preemptive of {self.name!r} is true; {kind} cannot stop a query and go on with it later: Slots and "
                "Timed can"
            )
        if self.prefix_cache_tokens is not None and not self.prefix_cache_tokens >= 1:
            right = "at least 1, inf for any number, or null for no such cache"
            raise ValueError(f"prefix_cache_tokens of {self.name!r} is {self.prefix_cache_tokens}; it must be {right}")
        given = [name for name in TOKEN_PRICES if getattr(self, name) is not None]
        if len(given) == 1:
            raise ValueError(
                f"{self.name!r} has {given[0]} only; give the prices of input and output tokens, or neither"
            )
        cached, price_in = self.price_cached_input_usd_per_million, self.price_input_usd_per_million
        if cached is not None and (price_in is None or cached > price_in):
            right = "give the price of input tokens too" if price_in is None else f"at most that of input, {price_in}"
            raise ValueError(f"{CACHED_PRICE} of {self.name!r} is {cached}; {right}")
        for number, origin in (self.provenance or {}).items():
            check_provenance(f"{number} of {self.name!r}", origin)


def check_provenance(number: str, origin: Mapping[str, Any]) -> None:
    """Raise ValueError unless the origin of a number says where it is from, as of when, and how sure it is."""
    for key in PROVENANCE:
        if not isinstance(origin.get(key), str) or not origin[key].strip():
            raise ValueError(f"the provenance of {number} has no {key}; give {', '.join(PROVENANCE)}")
    for key in origin:
        if key not in (*PROVENANCE, "range", "note"):
            raise ValueError(unknown(f"key in the provenance of {number},", key, (*PROVENANCE, "range", "note")))
    if origin["confidence"] not in CONFIDENCES:
        raise ValueError(unknown(f"confidence of {number},", origin["confidence"], CONFIDENCES))
    ends = origin.get("range")
    if ends is not None and not (len(ends) == 2 and ends[0] <= ends[1]):
        raise ValueError(f"the range of {number} is {ends}; it must be its lower and its upper end")
