"""What is simulated: workload, fleet, budgets, arrivals and order. It knows no clock and no policy.

The protocols say what a fleet, a budget rule, an arrival process and an order must offer; ``sim.instance`` draws one
replication of it all.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from sim.interface import FloatArray, IntArray
from sim.workload import Rows, Workload

EXHAUSTED = ("lost", "fallback")
TOKEN_PRICES = ("price_input_usd_per_million", "price_output_usd_per_million")
PROVENANCE = ("source", "as_of", "confidence")
CONFIDENCES = ("high", "medium", "low", "assumed")


class Service(Protocol):
    """How a deployment serves, as hyperparameters; ``sim.world.service`` has the implementations."""

    @property
    def needs_output_tokens(self) -> bool:
        """Whether the time to serve a query depends on its output tokens."""
        ...

    def open(self, env: Any, finish: Callable[[Any, float], None]) -> Any:
        """Return a server for one run, on the clock ``env``, that calls ``finish(job, now_s)`` at each completion."""
        ...


@dataclass(frozen=True)
class Deployment:
    """One place that serves a model.

    Parameters
    ----------
    name, model : str
        Of the deployment, and of the workload's model that answers there.
    service : Service
    queue_capacity : int or None
        How many queries may wait; None for any number.
    replicas : int
        Equal servers behind the deployment.
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


@dataclass(frozen=True)
class Scenario:
    """Workload, fleet, budgets, arrivals and order; ``exhausted`` is ``lost`` (as published) or ``fallback``.

    With ``fallback`` a query whose first choice cannot take it goes to the next that its policy named, if it named any.
    """

    workload: Workload
    fleet: FleetRule
    budget: BudgetRule
    arrivals: Arrivals
    order: Order
    exhausted: str = "fallback"

    def __post_init__(self) -> None:
        """Check the setting that no part of it checks."""
        if self.exhausted not in EXHAUSTED:
            raise ValueError(f"exhausted is {self.exhausted!r}; it must be one of {', '.join(EXHAUSTED)}")


def unknown(what: str, value: str, known: Sequence[str]) -> str:
    """Return the message for a name that does not exist, with the nearest that do."""
    near = difflib.get_close_matches(str(value), list(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} {value!r}; {hint}"
