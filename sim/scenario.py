"""What is simulated: workload, fleet, budgets, arrivals and order. It knows no clock and no policy.

The protocols say what a fleet, a budget rule, an arrival process and an order must offer; ``sim.instance`` draws one
replication of it all.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from sim.interface import FloatArray, IntArray
from sim.workload import Rows, Workload

EXHAUSTED = ("lost", "fallback", "wait")
RESERVE = ("true_cost", "estimate")
TOKEN_PRICES = ("price_input_usd_per_million", "price_output_usd_per_million")
PROVENANCE = ("source", "as_of", "confidence")
CONFIDENCES = ("high", "medium", "low", "assumed")


class Service(Protocol):
    """How a deployment serves, as hyperparameters; ``sim.world.service`` has the implementations."""

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
    """Random durations; ``sim.world.distributions`` has the implementations."""

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Return n durations in seconds."""
        ...


class Balancer(Protocol):
    """Which replica of a deployment takes a query; ``sim.world.balancer`` has the implementations."""

    def open(self, rng: np.random.Generator) -> Any:
        """Return the state of one deployment in one run."""
        ...


class Autoscaler(Protocol):
    """How many replicas a deployment has over time; ``sim.world.autoscaler`` has the implementation."""

    def run(self, station: Any, env: Any) -> Generator[Any, Any, Any]:
        """Add and retire replicas of a station, as a SimPy process."""
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
        Ranks those who wait, the lowest first (``sim.world.queue``); None for first come, first served.
    patience : Distribution or None
        How long a query waits before it leaves (``abandoned``).
    timeout_s : float or None
        How long a query may take here before it is stopped with its work lost (``timed_out``); it is not charged.
    autoscaler : Autoscaler or None
    price_input_usd_per_million, price_output_usd_per_million : float or None
        Price of tokens; a query then costs what its true tokens cost here. Without them, what the workload says.
    price_per_hour_usd : float
        Of one replica.
    energy_j_per_token : float or None
        Per output token.
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
    price_per_hour_usd: float = 0.0
    energy_j_per_token: float | None = None
    provenance: Mapping[str, Mapping[str, Any]] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        """Check every number, and that provenance is whole."""
        if self.queue_capacity is not None and self.queue_capacity < 0:
            raise ValueError(
                f"queue_capacity of {self.name!r} is {self.queue_capacity}; it must be at least 0, or null"
            )
        if self.replicas < 1:
            raise ValueError(f"replicas of {self.name!r} is {self.replicas}; it must be at least 1")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"timeout_s of {self.name!r} is {self.timeout_s}; it must be positive, or null")
        for name in (*TOKEN_PRICES, "price_per_hour_usd", "energy_j_per_token"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} of {self.name!r} is {value}; it must be finite and at least 0")
        given = [name for name in TOKEN_PRICES if getattr(self, name) is not None]
        if len(given) == 1:
            raise ValueError(
                f"{self.name!r} has {given[0]} only; give the prices of input and output tokens, or neither"
            )
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


class FleetRule(Protocol):
    """Which deployments there are, given the workload's models."""

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the fleet of one replication."""
        ...


@dataclass(frozen=True)
class BudgetBasis:
    """What a budget rule may use: history means (n_deployments,) and the cheapest deployment's total cost on the test.

    ``cheapest_total`` is hindsight on scale only, as published; the split between deployments never sees test rows.
    """

    names: tuple[str, ...]
    quality_mean: FloatArray
    cost_mean: FloatArray
    cheapest_total: float


class BudgetRule(Protocol):
    """How much each deployment may spend."""

    @property
    def unit(self) -> str | Sequence[str]:
        """``usd`` or ``tokens``, or one of them per deployment."""
        ...

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the budgets (n_deployments,) in their units; ``inf`` for no budget."""
        ...


class Arrivals(Protocol):
    """When queries arrive."""

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return n_queries non-decreasing times from 0 on."""
        ...


Order = Callable[[Rows, np.random.Generator], IntArray]
"""Which test row arrives at each place: a function of the rows and a random stream to row numbers (n_queries,)."""


class Controls(Protocol):
    """What an event may turn in a running world."""

    env: Any

    def stations(self, deployment: str | None) -> Sequence[Any]:
        """Return the deployment of that name, at work; all of them for None."""
        ...

    def top_up(self, deployment: str, amount: float) -> None:
        """Add to a budget."""
        ...

    def change_price(self, deployment: str | None, factor: float) -> None:
        """Multiply what queries cost by a factor from now on."""
        ...


class Event(Protocol):
    """Something that happens to the fleet while queries arrive; ``scenarios.events`` has the implementations."""

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Act over time, as a SimPy process; it may run for ever."""
        ...


@dataclass(frozen=True)
class Window:
    """Budgets that begin anew every ``length_s`` seconds.

    Parameters
    ----------
    length_s : float
    rollover : bool
        Whether what is left is added to the next window.
    spread : bool
        True: the budget is for the whole run, and each window gets its share of the time between the first and the last
        arrival. False: the budget is for each window.
    """

    length_s: float
    rollover: bool = False
    spread: bool = True

    def __post_init__(self) -> None:
        """Check the length."""
        if not 0 < self.length_s < float("inf"):
            raise ValueError(f"window.length_s is {self.length_s}; it must be positive and finite")


@dataclass(frozen=True)
class TokenBucket:
    """Budgets that flow in evenly from the first arrival to the last, and hold at most what ``burst_s`` bring."""

    burst_s: float

    def __post_init__(self) -> None:
        """Check the burst."""
        if not 0 < self.burst_s < float("inf"):
            raise ValueError(f"window.burst_s is {self.burst_s}; it must be positive and finite")


@dataclass(frozen=True)
class Retry:
    """Offer a query again, to the same choices, after it was rejected, abandoned, timed out or failed.

    Parameters
    ----------
    attempts : int
        In all, the first included.
    backoff_s, multiplier : float
        Wait backoff_s x multiplier^(n - 1) before attempt n + 1.
    """

    attempts: int = 1
    backoff_s: float = 1.0
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.attempts < 1:
            raise ValueError(f"retry.attempts is {self.attempts}; it must be at least 1")
        if not 0 < self.backoff_s < float("inf") or not 1 <= self.multiplier < float("inf"):
            raise ValueError(
                f"retry waits {self.backoff_s} s x {self.multiplier}; the wait must be positive, the factor at least 1"
            )


@dataclass(frozen=True)
class Scenario:
    """All that is simulated.

    Parameters
    ----------
    workload, fleet, budget, arrivals, order
        The parts.
    exhausted : str
        What a query does whose choice cannot take it: ``lost`` (as published); ``fallback`` to the next choice that
        its policy named, if it named any; ``wait`` for the next budget window after that.
    events : sequence of Event
    window : Window, TokenBucket or None
        How budgets renew themselves; None for one budget for the whole run.
    reserve : str
        What is committed while a query is in flight: its ``true_cost`` (as published, so that no budget is ever
        exceeded), or its ``estimate`` by the policy, settled at the true cost, so that a budget may be overshot.
    retry : Retry
    state_refresh_s : float or None
        How old the state that policies see may be: a snapshot every so many seconds; None for always fresh.
    decision_s : float
        How long a decision takes before its query goes on its way.
    measure_decisions : bool
        Let each decision take as long as it really takes instead, which makes no two runs the same.
    """

    workload: Workload
    fleet: FleetRule
    budget: BudgetRule
    arrivals: Arrivals
    order: Order
    exhausted: str = "fallback"
    events: Sequence[Event] = ()
    window: Window | TokenBucket | None = None
    reserve: str = "true_cost"
    retry: Retry = Retry()
    state_refresh_s: float | None = None
    decision_s: float = 0.0
    measure_decisions: bool = False

    def __post_init__(self) -> None:
        """Check the settings that no part of it checks."""
        if self.exhausted not in EXHAUSTED:
            raise ValueError(f"exhausted is {self.exhausted!r}; it must be one of {', '.join(EXHAUSTED)}")
        if self.reserve not in RESERVE:
            raise ValueError(f"reserve is {self.reserve!r}; it must be one of {', '.join(RESERVE)}")
        if self.exhausted == "wait" and self.window is None:
            raise ValueError("exhausted=wait needs budgets that renew themselves: choose a window")
        if self.state_refresh_s is not None and not self.state_refresh_s > 0:
            raise ValueError(
                f"state_refresh_s is {self.state_refresh_s}; it must be positive, or null for a fresh state"
            )
        if not 0 <= self.decision_s < float("inf"):
            raise ValueError(f"decision_s is {self.decision_s}; it must be finite and at least 0")


def unknown(what: str, value: str, known: Sequence[str]) -> str:
    """Return the message for a name that does not exist, with the nearest that do."""
    near = difflib.get_close_matches(str(value), list(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} {value!r}; {hint}"
