"""Searches along one line by bisection: fewest replicas, largest load, smallest budget. It knows no policy."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import cast

import numpy as np

from sim.assignment.rows import account_of
from sim.deployment import Deployment
from sim.errors import unknown
from sim.instance import realise
from sim.scenario import Arrivals, FleetRule, Scenario
from sim.study.plan.bisection import first_that_meets
from sim.study.plan.candidates import Candidate, Judge
from sim.study.plan.hybrid import is_api
from sim.study.plan.planner import Found
from sim.study.ratio.ratios import Scaled

MOST_STEPS = 100_000


class Line(ABC):
    """Candidates from the tightest to the most generous."""

    @property
    @abstractmethod
    def goal(self) -> str:
        """What is looked for, in words."""

    @property
    @abstractmethod
    def n_candidates(self) -> int:
        """How many there are."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """Of a candidate's number, in words."""

    @property
    def grows(self) -> bool:
        """Whether the answer may carry more traffic than it was asked to."""
        return True

    @abstractmethod
    def candidates(self, scenario: Scenario, seed: int) -> list[Candidate]:
        """Return the candidates, the most generous last."""

    def find(self, scenario: Scenario, judge: Judge) -> Found:
        """Return the first candidate that meets every target; see ``first_that_meets``."""
        return first_that_meets(self.candidates(scenario, judge.seed), judge)

    def runs_at_most(self, looks: Sequence[int]) -> int:
        """Return a bound on the number of replications: two ends, a bisection, three neighbours."""
        return (5 + self.n_candidates.bit_length()) * looks[-1]


@dataclass(frozen=True)
class Replicas(Line):
    """From ``low`` to ``high`` replicas, of one deployment or, with None, as many of each.

    Raises
    ------
    ValueError
        If the numbers are not whole or out of order.
    """

    low: int = 1
    high: int = 32
    deployment: str | None = None

    def __post_init__(self) -> None:
        """Check the ends."""
        for name in ("low", "high"):
            if type(getattr(self, name)) is not int:
                raise ValueError(f"search.{name} is {getattr(self, name)!r}; it must be a whole number of replicas")
        grid(self.low, self.high, 1, at_least=1)

    @property
    def goal(self) -> str:
        """What is looked for, in words."""
        return "fewest replicas" + (f" of {self.deployment}" if self.deployment else "")

    @property
    def n_candidates(self) -> int:
        """How many there are."""
        return self.high - self.low + 1

    @property
    def unit(self) -> str:
        """Of a candidate's number, in words."""
        return "replicas"

    def candidates(self, scenario: Scenario, seed: int) -> list[Candidate]:
        """Return a candidate per number of replicas."""
        numbers = range(self.low, self.high + 1)
        of_each = "" if self.deployment else " of each"
        return [
            Candidate(
                f"{n} replica{'s' * (n > 1)}{of_each}",
                n,
                replace(scenario, fleet=WithReplicas(scenario.fleet, n, self.deployment)),
            )
            for n in numbers
        ]


@dataclass(frozen=True)
class WithReplicas:
    """Another rule's fleet with a number of replicas, of one deployment or, with None, of each."""

    rule: FleetRule
    replicas: int
    deployment: str | None

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the fleet; raise ValueError for an unknown deployment, or one that scales itself."""
        fleet = self.rule.deployments(models, rng)
        names = [one.name for one in fleet]
        if self.deployment is not None and self.deployment not in names:
            raise ValueError(unknown("search.deployment", self.deployment, names))
        searched = [one for one in fleet if self.deployment in (None, one.name)]
        if all(is_api(one) for one in searched):
            raise ValueError(
                f"{searched[0].name!r} is an API, whose limits are its provider's and do not grow with replicas: "
                "search=rate finds the largest load, search=fleet what to rent beside it"
            )
        for one in fleet:
            if one.autoscaler is not None and self.deployment in (None, one.name):
                raise ValueError(f"{one.name!r} has an autoscaler, which changes its replicas: leave it out of a plan")
        return tuple(
            replace(one, replicas=self.replicas) if self.deployment in (None, one.name) and not is_api(one) else one
            for one in fleet
        )


@dataclass(frozen=True)
class Rate(Line):
    """From ``high`` down to ``low`` in steps: a number of the arrival process, such as its rate or its users.

    Parameters
    ----------
    low, high, step : float
    parameter : str
        The arrival process's name for it: ``rate_per_s``, ``rate_scale``, ``mean_rate_per_s``, ``users``, ...
    """

    low: float = 1.0
    high: float = 64.0
    step: float = 1.0
    parameter: str = "rate_per_s"

    def __post_init__(self) -> None:
        """Check the ends."""
        grid(self.low, self.high, self.step)

    @property
    def goal(self) -> str:
        """What is looked for, in words."""
        return f"largest {self.parameter}"

    @property
    def grows(self) -> bool:
        """It carries the most already."""
        return False

    @property
    def n_candidates(self) -> int:
        """How many there are."""
        return len(grid(self.low, self.high, self.step))

    @property
    def unit(self) -> str:
        """Of a candidate's number, in words."""
        return self.parameter

    def candidates(self, scenario: Scenario, seed: int) -> list[Candidate]:
        """Return a candidate per rate; with one seed they have the same random numbers, at another pace."""
        arrivals: object = scenario.arrivals
        if not is_dataclass(arrivals) or isinstance(arrivals, type):
            raise ValueError(f"a {type(arrivals).__name__} is no dataclass, so its numbers cannot be searched")
        kinds = {field.name: str(getattr(field.type, "__name__", field.type)) for field in fields(arrivals)}
        numbers = [name for name, kind in kinds.items() if kind in ("int", "float")]
        if self.parameter not in numbers:
            raise ValueError(unknown("search.parameter of these arrivals", self.parameter, numbers))
        is_whole = kinds[self.parameter] == "int"
        found = []
        for value in reversed(grid(self.low, self.high, self.step)):
            if is_whole and value != int(value):
                raise ValueError(f"{self.parameter} would be {value:g}; it must be whole: change search.low or step")
            changed = replace(arrivals, **{self.parameter: int(value) if is_whole else value})
            found.append(
                Candidate(f"{self.parameter} {value:g}", value, replace(scenario, arrivals=cast(Arrivals, changed)))
            )
        return found


@dataclass(frozen=True)
class Budget(Line):
    """From ``low`` to ``high`` times all present budgets, in steps."""

    low: float = 0.1
    high: float = 5.0
    step: float = 0.1

    def __post_init__(self) -> None:
        """Check the ends."""
        grid(self.low, self.high, self.step, at_least=0.0)

    @property
    def goal(self) -> str:
        """What is looked for, in words."""
        return "smallest budget"

    @property
    def n_candidates(self) -> int:
        """How many there are."""
        return len(grid(self.low, self.high, self.step, at_least=0.0))

    @property
    def unit(self) -> str:
        """Of a candidate's number, in words."""
        return "times the present budget"

    def candidates(self, scenario: Scenario, seed: int) -> list[Candidate]:
        """Return a candidate per multiple, with the sum of its budgets in replication 0."""
        setting = realise(scenario, seed, 0).setting
        _, first = account_of(len(setting.fleet), setting.accounts)
        total, units = float(setting.budgets[first].sum()), {info.unit for info in setting.fleet}
        if not 0 < total < math.inf:
            raise ValueError(
                f"the budgets add up to {total:g}, so no multiple of them can be searched: choose a budget"
            )
        unit = next(iter(units)) if len(units) == 1 else ""
        return [
            Candidate(
                f"budget x {factor:g}" + (f" ({total * factor:.4g} {unit})" if unit else ""),
                factor,
                replace(scenario, budget=Scaled(scenario.budget, factor)),
            )
            for factor in grid(self.low, self.high, self.step, at_least=0.0)
        ]


def grid(low: float, high: float, step: float, at_least: float = 1e-9) -> list[float]:
    """Return low, low + step, ... up to high; raise ValueError if they are out of order or too many."""
    if not at_least <= low <= high < math.inf:
        raise ValueError(f"search goes from {low} to {high}; it must go from a positive number up to another")
    if not 0 < step < math.inf or (high - low) / step > MOST_STEPS:
        raise ValueError(f"search.step is {step}; it must be positive, and leave at most {MOST_STEPS} steps")
    count = math.floor((high - low) / step + 1e-9)
    return [float(f"{low + k * step:.12g}") for k in range(count + 1)]
