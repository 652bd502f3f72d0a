"""What is simulated: workload, fleet, budgets, arrivals and order. It knows no clock and no policy.

The protocols say what a fleet, a budget rule, an arrival process and an order must offer; ``sim.instance`` draws one
replication of it all.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sim.interface import FloatArray, IntArray
from sim.workload import Rows, Workload

EXHAUSTED = ("lost", "fallback")


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
    """One place that serves a model: a name, the model, a service and how many queries may wait (None: any number)."""

    name: str
    model: str
    service: Service
    queue_capacity: int | None = None

    def __post_init__(self) -> None:
        """Check the queue."""
        if self.queue_capacity is not None and self.queue_capacity < 0:
            raise ValueError(
                f"queue_capacity of {self.name!r} is {self.queue_capacity}; it must be at least 0, or null"
            )


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
