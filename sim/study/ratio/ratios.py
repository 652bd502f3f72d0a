"""Computes competitive ratios: policies x orders x sizes, replicated until their means are known well enough."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from sim.assignment.rows import account_of
from sim.instance import Instance
from sim.interface import Estimator, FloatArray, Policy
from sim.scenario import BudgetBasis, BudgetRule, Scenario
from sim.study.experiment import Run, replicate
from sim.study.fleet import unbounded
from sim.study.oracles import APPROXIMATE, OPTIMUM, BoundCache, EstimateCache, Oracle
from sim.study.ratio.tables import cells
from sim.study.sequential import Precision
from sim.study.side_by_side import OneByOne, SideBySide
from sim.traits import BudgetTraits, OrderTraits

REPLAYED = (APPROXIMATE, OPTIMUM)


@dataclass(frozen=True)
class Scaled:
    """The amounts of another rule times a factor."""

    rule: BudgetRule
    factor: float

    @property
    def unit(self) -> str | Sequence[str]:
        """The rule's."""
        return self.rule.unit

    @property
    def accounts(self) -> Callable[[Sequence[str]], Sequence[str]] | None:
        """The rule's."""
        return BudgetTraits.of(self.rule).accounts

    def amounts(self, basis: BudgetBasis, rng: np.random.Generator) -> FloatArray:
        """Return the budgets (n_deployments,)."""
        return self.rule.amounts(basis, rng) * self.factor


def ratios(
    scenarios: Mapping[str, Scenario],
    policies: Mapping[str, Policy],
    sizes: Sequence[int | None],
    *,
    precision: Precision,
    seed: int = 0,
    estimator: Estimator | None = None,
    done: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Simulate every policy in every order at every size, and set its quality beside the hindsight optima.

    In a replication all orders of one size bring the same queries (those that draw with replacement by one law have
    theirs in common), at the same times and with the same budgets, unless an order hides topics from the history that
    budgets are made from.

    Parameters
    ----------
    scenarios : mapping of str to Scenario
        By the name of the order; all else is equal.
    policies : mapping of str to Policy
    sizes : sequence of int or None
        How many queries arrive; None for all test queries. Budgets that are shares of a total follow by themselves;
        explicit amounts are for all test queries, and a size gets its part of them.
    precision : Precision
    seed : int
    estimator : Estimator or None
        Makes the estimates of the approximate optimum.
    done : callable or None
        Called with a few words after each policy's run.

    Returns
    -------
    DataFrame
        A row per policy, order, size and replication: ``seed``; ``k`` and ``k_mean``, the smallest and the mean of the
        budgets over the largest costs that they meet (see ``largest_queries``); ``quality``; ``optimum``, an upper
        bound on any policy's quality, certified to 1e-4; ``ratio_to_optimum`` = quality / optimum;
        ``ratio_to_bayes``, to the optimum on expected quality, NaN where the workload does not know it;
        ``ratio_to_approximate``, to the quality of the replayed optimum on estimates, which bounds nothing.

    Raises
    ------
    ValueError
        If there is no optimum, a policy combines or caps answers, or a size, a policy's name or the scenario cannot be.
    RuntimeError
        If a policy raises or decides something that cannot be, or a request table fails its check.
    """
    return until_precise(Ratios(scenarios, policies, sizes, seed, estimator), precision, OneByOne(), done)


@dataclass(frozen=True, eq=False)
class Ratios:
    """What ``ratios`` is given but for precision; each replication is made by itself, here or elsewhere.

    Raises
    ------
    ValueError
        If there is no optimum, or a size cannot be.
    """

    scenarios: Mapping[str, Scenario]
    policies: Mapping[str, Policy]
    sizes: Sequence[int | None]
    seed: int
    estimator: Estimator | None
    estimates: EstimateCache = field(default_factory=EstimateCache)
    bounds: BoundCache = field(default_factory=BoundCache)

    def __post_init__(self) -> None:
        """Check scenarios and sizes."""
        for scenario in self.scenarios.values():
            check_bounded(scenario)
        check_sizes(self.sizes, self.scenarios)

    @functools.cached_property
    def sized(self) -> dict[tuple[str, int], Scenario]:
        """The scenario of each order and size."""
        return {
            (order, n_queries): resized(scenario, n_queries)
            for n_queries in check_sizes(self.sizes, self.scenarios)
            for order, scenario in self.scenarios.items()
        }

    @property
    def runs(self) -> int:
        """How many runs a replication has."""
        return len(self.sized) * (len(self.policies) + len(REPLAYED))

    def replication(self, number: int) -> Iterator[tuple[str, dict[str, float | int | str] | None]]:
        """Yield each run of a replication in words, and its row, None for one of the optima."""
        oracle = Oracle(REPLAYED, self.estimator)
        caches = {"estimates": self.estimates, "bounds": self.bounds}
        for (order, n_queries), scenario in self.sized.items():
            for run in replicate(scenario, self.policies, self.seed, number, oracle, {}, **caches):  # type: ignore[arg-type]
                words = f"replication {number}, {n_queries} queries, order {order}, {run.policy}"
                yield words, None if run.policy in REPLAYED else self._row(run, order, n_queries)

    def _row(self, run: Run, order: str, n_queries: int) -> dict[str, float | int | str]:
        if run.beyond is not None:
            raise ValueError(
                f"policy {run.policy!r} {run.beyond}, so the optimum of whole single answers does not bound it "
                "and there is no ratio; choose policies that keep one whole answer"
            )
        instance = run.instance
        optimum = self.bounds.get(OPTIMUM, instance, self.estimates.get(self.estimator, instance)).value
        if not optimum > 0:
            raise ValueError(f"the optimum of {n_queries} queries is 0, so it has no ratio: raise the budgets")
        k = largest_queries(instance)
        return {
            "policy": run.policy,
            "order": order,
            "size": n_queries,
            "replication": run.replication,
            "seed": self.seed,
            "k": float(k.min()),
            "k_mean": float(k.mean()),
            "quality": run.summary["quality"],
            "optimum": optimum,
            "ratio_to_optimum": run.summary["optimum_ratio"],
            "ratio_to_bayes": run.summary["bayes_ratio"],
            "ratio_to_approximate": run.summary["relative_quality"],
        }


def until_precise(
    study: Ratios, precision: Precision, team: SideBySide, done: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """Return the table of ``ratios``, of replications that a team carries out until the ratios are known well enough.

    Which of them is the last depends on those before it, and not on what the team has begun besides.
    """
    rows: list[dict[str, float | int | str]] = []
    with closing(team.each(study.replication, range(precision.max_replications))) as found:
        for n_runs, (words, row) in enumerate(found, start=1):
            if done is not None:
                done(words)
            if row is not None:
                rows.append(row)
            replications, rest = divmod(n_runs, study.runs)
            is_whole = rest == 0 and replications >= precision.min_replications
            if is_whole and cells(pd.DataFrame(rows))["half_width"].max() <= precision.half_width:
                break
    return pd.DataFrame(rows)


def resized(scenario: Scenario, n_queries: int) -> Scenario:
    """Return the scenario with so many arrivals, and with that part of explicit budgets."""
    n_test, budget = len(scenario.workload.test), scenario.budget
    if BudgetTraits.of(budget).is_explicit and n_queries != n_test:
        budget = Scaled(budget, n_queries / n_test)
    return replace(scenario, n_queries=n_queries, budget=budget)


def largest_queries(instance: Instance) -> FloatArray:
    """Return k_i = B_i / max_j cost_ij of each budget that can bind, over the arriving queries; ``inf`` if none can.

    How many of its largest queries a budget pays for, which guarantees under random order are functions of (Kesselheim
    and others, arXiv 1311.2578). Budgets of 0, of infinity and of free deployments are left out.
    """
    account, first = account_of(len(instance.fleet), instance.setting.accounts)
    budgets, largest = instance.setting.budgets[first], np.zeros(len(first))
    np.maximum.at(largest, account, instance.cost[instance.rows].max(axis=0))
    binds = np.isfinite(budgets) & (budgets > 0) & (largest > 0)
    return budgets[binds] / largest[binds] if binds.any() else np.array([np.inf])


def check_sizes(sizes: Sequence[int | None], scenarios: Mapping[str, Scenario]) -> list[int]:
    """Return the sizes as numbers, in ascending order; raise ValueError for one that cannot be."""
    for size in sizes:
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
            raise ValueError(f"sizes has {size!r}; a size is a whole number of queries, or null for all of them")
    if not sizes:
        raise ValueError("sizes is empty; give one or more numbers of queries, or null for all of them")
    n_test = len(next(iter(scenarios.values())).workload.test)
    numbers = sorted(n_test if size is None else size for size in sizes)
    for size, following in pairwise(numbers):
        if size == following:
            raise ValueError(f"size {size} is given twice; null stands for all of the workload's test queries")
    for order, scenario in scenarios.items():
        if numbers[-1] > n_test and not OrderTraits.of(scenario.order).with_replacement:
            raise ValueError(
                f"size {numbers[-1]} is more than the workload's {n_test} test queries, which order {order!r} brings "
                "once each; take at most that many, or order=resampled, which draws with replacement"
            )
    return numbers


def check_bounded(scenario: Scenario) -> None:
    """Raise ValueError if the program of the hindsight optimum would bound nothing."""
    reason = unbounded(scenario)
    if reason is not None:
        raise ValueError(f"a ratio needs a hindsight optimum, and there is none, as {reason}")
