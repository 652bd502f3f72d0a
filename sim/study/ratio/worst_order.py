"""Searches for the order in which a policy falls farthest below the hindsight optimum. It knows no family by name.

The search is an adversary that knows the queries, their truth and the policy. What it finds bounds the policy's
competitive ratio from above, on these queries and within its family.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from sim.instance import realise, stream
from sim.interface import FloatArray, IntArray, Policy
from sim.scenario import Order, Scenario
from sim.study.experiment import check_draws
from sim.study.fleet import unbounded
from sim.study.metrics.counting import totals
from sim.study.oracles import OPTIMUM, BoundCache, EstimateCache
from sim.workload import Rows
from sim.world.record import frame
from sim.world.world import simulate

FILE = "worst_order.csv"
FIRST_STEP, GROWTH = 0.3, 1.5


class Family(Protocol):
    """Orders with weights, such as ``scenarios.orders.adversarial.WeightedSums``."""

    def names(self, rows: Rows) -> tuple[str, ...]:
        """Return what the weights belong to."""
        ...

    def order(self, weights: Mapping[str, float]) -> Order:
        """Return the order of these weights; that of no weights is a random permutation."""
        ...


@dataclass(frozen=True)
class WorstOrder:
    """A search for the worst order, in the place of an order until it has been carried out.

    Parameters
    ----------
    family : Family
    policy : str or None
        Whom to hurt; None for the first policy.
    evaluations : int
        How many orders to try; at least two per weight of the family, and one.
    replications : int
        Each order is judged by the mean ratio over these.
    seed : int
        Of the search.

    Raises
    ------
    ValueError
        If a number is too small.
    """

    family: Family
    policy: str | None = None
    evaluations: int = 100
    replications: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_draws(self.seed, self.replications)

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Raise ValueError: there is no order before the search."""
        raise ValueError("order=worst_of is a search, which nobody has carried out here; choose another order")


@dataclass(frozen=True)
class Found:
    """The worst order of a search.

    Parameters
    ----------
    policy : str
        Whom it hurts.
    order : Order
    weights : dict of str to float
    ratio : float
        Quality / value of the certified hindsight optimum, mean over the search's replications.
    evaluations : int
        How many orders were tried.
    random_ratio : float
        The same of a random permutation, the family's order of no weights.
    """

    policy: str
    order: Order
    weights: dict[str, float]
    ratio: float
    evaluations: int
    random_ratio: float


def find_worst(
    scenario: Scenario,
    name: str,
    policy: Policy,
    search: WorstOrder,
    seed: int,
    done: Callable[[str], None] | None = None,
) -> Found:
    """Search the family for the order in which the policy has the least share of the optimum.

    Candidates are, with weights in the box [-1, 1] (an order depends on their proportions only): no weight, each weight
    alone up and down, then those of a (1 + 1) evolution strategy from the best (normal steps, 1.5 times longer after a
    success and shorter by its fourth root after a failure, so that a fifth of them succeeds; Rechenberg 1973). All
    candidates meet the same replications, with the same random numbers.

    Parameters
    ----------
    scenario : Scenario
        Its order does not matter.
    name : str
        Of the policy.
    policy : Policy
    search : WorstOrder
    seed : int
        Of the replications, as in ``runs``.
    done : callable or None
        Called after each evaluation with a word about it.

    Raises
    ------
    ValueError
        If there are too few evaluations for the family, or the optimum bounds nothing here.
    RuntimeError
        If the policy raises or decides something that cannot be.
    """
    check_draws(seed, search.replications)
    names = search.family.names(scenario.workload.test)
    corners = np.vstack([np.zeros(len(names)), np.eye(len(names)), -np.eye(len(names))])
    if search.evaluations < len(corners):
        raise ValueError(
            f"evaluations is {search.evaluations}, and the family has {len(names)} weights; "
            f"it must be at least {len(corners)}: no weight, and each one up and down"
        )
    rng = np.random.default_rng(search.seed)
    estimates, bounds = EstimateCache(), BoundCache()

    def share(weights: FloatArray) -> float:
        candidate = replace(scenario, order=search.family.order(dict(zip(names, weights.tolist(), strict=True))))
        draws = [(seed, replication) for replication in range(search.replications)]
        return float(np.mean([optimum_ratio(candidate, name, policy, draw, estimates, bounds) for draw in draws]))

    tried: list[float] = []
    best, step = corners[0], FIRST_STEP
    for number in range(search.evaluations):
        is_near = number >= len(corners)
        weights = np.clip(best + step * rng.normal(size=len(names)), -1, 1) if is_near else corners[number]
        found = share(weights)
        is_worst = found < min(tried, default=math.inf)
        tried.append(found)
        if is_worst:
            best = weights
        if is_near:
            step *= GROWTH if is_worst else GROWTH**-0.25
        if done is not None:
            done(f"worst order so far: ratio {min(tried):.3f}")
    by_name = dict(zip(names, best.tolist(), strict=True))
    return Found(name, search.family.order(by_name), by_name, min(tried), len(tried), tried[0])


def optimum_ratio(
    scenario: Scenario,
    name: str,
    policy: Policy,
    draw: tuple[int, int],
    estimates: EstimateCache,
    bounds: BoundCache,
) -> float:
    """Return quality / value of the certified optimum of one (seed, replication), as ``runs`` does.

    Raises
    ------
    ValueError
        If the optimum bounds nothing, or is 0.
    """
    reason = unbounded(scenario)
    if reason is not None:
        raise ValueError(f"order=worst_of needs the hindsight optimum, and there is none, as {reason}")
    instance = realise(scenario, *draw)
    predicted = estimates.get(policy.estimator, instance)
    optimum = bounds.get(OPTIMUM, instance, predicted).value
    if not optimum > 0:
        raise ValueError("the hindsight optimum is 0, so no order is worse than another; give larger budgets")
    table = simulate(name, policy, instance, predicted, stream(*draw, "policy"))
    if table.beyond is not None:
        raise ValueError(f"order=worst_of needs the hindsight optimum, and it bounds nothing, as {name} {table.beyond}")
    return totals(frame(table, instance))["quality"] / optimum


def write(folder: Path, found: Found, rows: Mapping[int, IntArray]) -> None:
    """Write ``worst_order.csv``, which ``order=saved`` replays, and ``worst_order.json``, what was found.

    Parameters
    ----------
    folder : Path
    found : Found
    rows : mapping of int to array (n_queries,)
        By replication, the test row of each arrival in that order.
    """
    parts = [pd.DataFrame({"replication": replication, "row": order}) for replication, order in rows.items()]
    pd.concat(parts).to_csv(folder / FILE, index=False)
    write_search(folder, found)


def write_search(folder: Path, found: Found) -> None:
    """Write ``worst_order.json``: the policy, the weights, the ratio and the evaluations."""
    known = {key: value for key, value in vars(found).items() if key != "order"}
    (folder / "worst_order.json").write_text(json.dumps(known, indent=2) + "\n")
