"""Describes what is simulated: workload, fleet, budgets, arrivals, order and events. It knows no clock and no policy.

The protocols say what a fleet, a budget rule, an arrival process and an order must offer; ``sim.instance`` draws one
replication of it all.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from sim.caching import CacheRule
from sim.deployment import Deployment
from sim.errors import check_number, check_one_of
from sim.interface import FloatArray, IntArray
from sim.renewing import Retry as Retry  # noqa: PLC0414 - they are parts of a scenario, so that they may come from here
from sim.renewing import TokenBucket as TokenBucket  # noqa: PLC0414
from sim.renewing import Window as Window  # noqa: PLC0414
from sim.renewing import seconds
from sim.scores import Scores
from sim.spending.calendar import Calendar
from sim.spending.limits import Spending
from sim.workload import Rows, Workload
from sim.workload.tasks import TaskLimits

EXHAUSTED = ("lost", "fallback", "wait")
RESERVE = ("true_cost", "estimate")
MOST_DECISION_S = 1e12


def exact_share(share: float | str) -> Fraction:
    """Return a share as it is written in decimals, so that 29% of 100 are 29 and not 28.999999999999996.

    >>> int(100 * 0.29), int(100 * exact_share(0.29)), int(100 * exact_share("29%"))
    (28, 29, 29)
    """
    return Fraction(share.removesuffix("%")) / 100 if isinstance(share, str) else Fraction(repr(float(share)))


def seconds_or_share(at: float | str) -> float:
    """Return seconds as they are, and a share such as ``"50%"`` as 0.5; NaN for what is neither."""
    if not isinstance(at, str):
        return float(at)
    try:
        return float(exact_share(at)) if at.endswith("%") else float("nan")
    except (ValueError, ZeroDivisionError):
        return float("nan")


class FleetRule(Protocol):
    """Which deployments there are, given the workload's models."""

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the fleet of one replication."""
        ...


@dataclass(frozen=True)
class BudgetBasis:
    """What a budget rule may use: history means (n_deployments,) and the cheapest deployment's total cost on the test.

    ``cheapest_total`` is of the queries that arrive, ``cheapest_total_of_all`` of all test queries. They are hindsight
    on scale only, as published; the split between deployments never sees test rows.
    """

    names: tuple[str, ...]
    quality_mean: FloatArray
    cost_mean: FloatArray
    cheapest_total: float
    cheapest_total_of_all: float = float("nan")


class BudgetRule(Protocol):
    """How much each deployment may spend; ``sim.traits.BudgetTraits`` has what else a rule may say."""

    @property
    def unit(self) -> str | Sequence[str]:
        """``usd`` or ``tokens``, or one of them per deployment."""
        ...

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the budgets (n_deployments,) in their units; ``inf`` for no budget."""
        ...


class Arrivals(Protocol):
    """When queries arrive; ``sim.traits.ArrivalsTraits`` has what a closed loop says besides."""

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return n_queries non-decreasing times; a run's clock is at 0 with the first of them."""
        ...


Order = Callable[[Rows, np.random.Generator], IntArray]
"""Which query arrives at each place: a function of the arriving rows and a random stream to row numbers (n_queries,).

``sim.traits.OrderTraits`` has what an order may say besides.
"""


class Controls(Protocol):
    """What an event may turn in a running world."""

    env: Any

    def stations(self, deployment: str | None) -> Sequence[Any]:
        """Return the deployment of that name, at work; all of them for None."""
        ...

    def top_up(self, deployment: str, amount: float) -> None:
        """Add to a budget."""
        ...

    def cut_budget(self, deployment: str | None, factor: float) -> None:
        """Multiply what remains of a budget, and all that is to come, by a factor of at most 1."""
        ...

    def change_price(self, deployment: str | None, factor: float) -> None:
        """Multiply what queries cost by a factor from now on, besides all factors that hold already."""
        ...

    def restore_price(self, deployment: str | None, factor: float) -> None:
        """End one ``change_price`` by this factor."""
        ...

    def announce_price(self, deployment: str | None) -> None:
        """Tell the policy what queries cost at present, as a multiple of what they did at the start."""
        ...

    def change_quality(self, deployment: str | None, factor: float) -> None:
        """Multiply the scores of answers that end from now on by a factor, besides all that hold already."""
        ...

    def restore_quality(self, deployment: str | None, factor: float) -> None:
        """End one ``change_quality`` by this factor."""
        ...

    def practise(self, deployment: str | None, shift: Callable[[int], float]) -> None:
        """Add ``shift(n)`` to the score of a deployment's n-th answer in this run, from 1, if it ends from now on."""
        ...

    def arrival_s(self, share: float | str) -> float:
        """Return when the first query arrives that is not among this share of all arrivals, such as ``"50%"``."""
        ...


class Event(Protocol):
    """Something that happens to the fleet while queries arrive; ``scenarios.events`` has the implementations.

    ``sim.traits.EventTraits`` has what an event may say besides.
    """

    def run(self, controls: Controls, rng: np.random.Generator) -> Generator[Any, Any, Any]:
        """Act over time, as a SimPy process; it may run for ever.

        The clock is at 0 when the first query arrives. An event begins and ends its own effect and no other's.
        """
        ...


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
    window : Window, Calendar, TokenBucket or None
        How budgets renew themselves; None for one budget for the whole run.
    reserve : str
        What a budget must cover to admit a query, and what is committed while it is in flight: its ``true_cost`` (as
        published, so that no budget is ever exceeded, though nobody knows it before the answer is written), or its
        ``estimate`` by the policy, settled at the true cost, so that a budget may be overshot.
    retry : Retry
    state_refresh_s : float or None
        How old the state that policies see may be: a snapshot every so many seconds; None for always fresh.
    decision_s : float
        How long a decision takes before its query goes on its way.
    measure_decisions : bool
        Let each decision take as long as it really takes instead, which makes no two runs the same.
    n_queries : int or None
        How many of the workload's test queries (or tasks) arrive, drawn anew in each replication; None for all of them.
    duration : float, str or None
        How long queries arrive, from the first of them on: seconds, or a text such as ``90s``, ``30m``, ``8h`` or
        ``7d``. As many arrive as come in that time, in the place of ``n_queries``; None for no such limit.
    unseen : sequence of str
        Topics (``Rows.source``) that are left out of the history.
    profiled : mapping of str to int, or None
        How many history rows each of these models is known on, chosen at random in each replication; 0 for a model that
        was never seen. Models that it does not name are known on all rows.
    new_model_share : float
        Share of the fleet's models, to the nearest whole number, that are new: drawn in each replication from those
        that ``profiled`` does not name.
    new_model_rows : int
        How many history rows each of those is known on.
    feedback : Scores
        What reaches policies of the scores of their answers.
    task : TaskLimits
        What a task may take, where the workload has tasks.
    max_calls : int
        How many calls a policy may make for one query, in all of its rounds; one that asks for more is an error.
    cache : CacheRule or None
        Answers that are kept and given again, before the policy is asked.
    spending : Spending
        Limits that stand beside the budget, over several deployments, all, or some queries.
    """

    workload: Workload
    fleet: FleetRule
    budget: BudgetRule
    arrivals: Arrivals
    order: Order
    exhausted: str = "fallback"
    events: Sequence[Event] = ()
    window: Window | Calendar | TokenBucket | None = None
    reserve: str = "true_cost"
    retry: Retry = Retry()  # noqa: RUF009 - immutable
    state_refresh_s: float | None = None
    decision_s: float = 0.0
    measure_decisions: bool = False
    n_queries: int | None = None
    duration: float | str | None = None
    unseen: Sequence[str] = ()
    profiled: Mapping[str, int] | None = None
    new_model_share: float = 0.0
    new_model_rows: int = 0
    feedback: Scores = Scores()  # noqa: RUF009 - immutable
    max_calls: int = 8
    task: TaskLimits = TaskLimits()  # noqa: RUF009 - immutable
    cache: CacheRule | None = None
    spending: Spending = Spending()  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        """Check the settings that no part of it checks."""
        check_one_of("exhausted", self.exhausted, EXHAUSTED)
        check_one_of("reserve", self.reserve, RESERVE)
        if self.exhausted == "wait" and self.window is None and not self.spending.renews:
            raise ValueError("exhausted=wait needs budgets that renew themselves: choose a window")
        if self.state_refresh_s is not None and not self.state_refresh_s > 0:
            raise ValueError(
                f"state_refresh_s is {self.state_refresh_s}; it must be positive, or null for a fresh state"
            )
        check_number("n_queries", self.n_queries, least=1, null="for all test queries")
        if self.duration is not None:
            seconds(self.duration)
        if self.duration is not None and self.n_queries is not None:
            raise ValueError(f"duration is {self.duration} and n_queries is {self.n_queries}; give one of them")
        if self.cache is not None and self.workload.test.steps is not None:
            raise ValueError(
                "a cache answers queries that stand for themselves, and those here are steps of tasks: cache=none"
            )
        if self.workload.test.scored_after_s is not None and self.feedback != Scores():
            raise ValueError(
                "the workload says itself which answers were scored, and when: leave feedback as it is, or choose a "
                "workload that is no record"
            )
        check_number("decision_s", self.decision_s, least=0, most=MOST_DECISION_S)
        check_number("max_calls", self.max_calls, least=1)
        for model, n_rows in (self.profiled or {}).items():
            check_number(f"profiled.{model}", n_rows, least=0)
        check_number("new_model_share", self.new_model_share, least=0, below=1)
        check_number("new_model_rows", self.new_model_rows, least=0)
        if self.cache is not None:
            check_cache(self.cache, self.workload.test)


def check_cache(cache: CacheRule, test: Rows) -> None:
    """Raise ValueError if a cache needs what the queries do not have: embeddings, or the lengths of answers."""
    if cache.similarity is not None and test.embeddings.shape[1] == 0:
        raise ValueError(
            f"cache.similarity is {cache.similarity}, and the workload's embeddings have 0 dimensions; it must be "
            "null, for the same prompt"
        )
    if cache.capacity_tokens is not None and test.output_tokens is None:
        raise ValueError(
            f"cache.capacity_tokens is {cache.capacity_tokens}, and the workload has no output tokens; "
            "give cache.capacity, a number of answers, and cache.capacity_tokens=null"
        )
