"""Worlds that differ only in what a policy must not have seen; ``contract.py`` runs policies in them.

Every array of such a world is in order of arrival, so that a query is hidden by its number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.instance import Instance, Number, realise, stream
from sim.interface import BoolArray, Decision, Estimates, Estimator, Features, IntArray, Policy
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.study.replay import Watched
from sim.workload import OF_EACH_MODEL
from sim.world.record import frame
from sim.world.world import simulate

Made = dict[int, tuple[float, Decision]]
"""For the number of each arrival, the time of its decision and the decision."""

GRID_PER_S = 2.0**20  # times are whole multiples of 1 / GRID_PER_S, so that sums of gaps are exact in any order


@dataclass(frozen=True)
class World:
    """An instance whose arrays are in order of arrival, and the policy's estimates in the same order."""

    instance: Instance
    estimates: Estimates

    def run(self, policy: Policy, asks: bool = False) -> tuple[pd.DataFrame, Made]:
        """Return the record of a run, and the time and the decision of each arrival; ask what it believes, or not."""
        watched = Watched(policy, asks)
        rng = stream(*self.instance.seeds, "policy")
        table = simulate(type(policy).__name__, watched, self.instance, self.estimates, rng)
        made = [decision._replace(fallbacks=tuple(decision.fallbacks)) for decision in watched.decisions()]
        return frame(table, self.instance), dict(enumerate(zip(watched.decided_at_s(), made, strict=True)))


def world_of(estimator: Estimator | None, scenario: Scenario, seed: int, estimates: EstimateCache | None) -> World:
    """Return the scenario's first replication in order of arrival, its gaps on a grid."""
    instance = realise(scenario, seed, 0)
    predicted = (estimates or EstimateCache()).get(estimator, instance)
    on_grid = replace(instance, gaps_s=np.round(instance.gaps_s * GRID_PER_S) / GRID_PER_S)
    return taken(World(on_grid, predicted), instance.rows)


def taken(world: World, rows: IntArray) -> World:
    """Return a world in which arrival i is the query of ``rows[i]`` (n_queries,) and has a row of its own."""
    instance = world.instance

    def take(array: npt.NDArray[Number] | None) -> npt.NDArray[Number] | None:
        return None if array is None else array[rows]

    return World(
        replace(
            instance,
            rows=np.arange(len(rows)),
            features=chosen(instance.features, rows),
            quality=instance.quality[rows],
            cost_usd=instance.cost_usd[rows],
            cost=instance.cost[rows],
            output_tokens=take(instance.output_tokens),
            priority=take(instance.priority),
            due_s=take(instance.due_s),
            table_row=instance.table_row[rows],
            source=take(instance.source),
            expected=None if instance.expected is None else Estimates(*(each[rows] for each in instance.expected)),
        ),
        Estimates(world.estimates.quality[rows], world.estimates.cost[rows]),
    )


def redrawn(world: World, hidden: BoolArray, costs_too: bool) -> World:
    """Redraw the outcomes marked in ``hidden`` (n_queries, n_deployments).

    Answers only grow longer, so that what is unfinished stays so.
    """
    instance, rng = world.instance, stream(*world.instance.seeds, "other outcomes")
    tokens = instance.output_tokens
    cost = np.where(hidden & costs_too, instance.cost * rng.uniform(0.1, 9, hidden.shape), instance.cost)
    quality = np.where(hidden, rng.random(hidden.shape), instance.quality)
    expected = None if instance.expected is None else Estimates(quality, cost)  # seen by no policy, so all is other
    outcomes = replace(instance, quality=quality, cost=cost, expected=expected)
    if tokens is None:
        return World(outcomes, world.estimates)
    longer = tokens + rng.integers(500, 900, hidden.shape)
    return World(replace(outcomes, output_tokens=np.where(hidden, longer, tokens)), world.estimates)


def with_other_history(scenario: Scenario, known: BoolArray, seed: int) -> Scenario:
    """Redraw all outcomes of the history that policies do not know (n_history, n_models of the workload)."""
    rng, workload = stream(seed, 0, "other history"), scenario.workload
    others = {
        name: np.where(known, outcome, rng.permutation(outcome, axis=0).astype(outcome.dtype))
        for name in OF_EACH_MODEL
        if (outcome := getattr(workload.history, name)) is not None
    }
    others["quality"] = np.where(known, workload.history.quality, rng.random(known.shape))
    return replace(scenario, workload=replace(workload, history=replace(workload.history, **others)))


def with_other_arrivals(world: World, is_later: BoolArray, moment_s: float) -> World:
    """Let other queries arrive after a moment, at other times; the last one's time is known, and stays.

    A closed loop has no times to redraw; there the thinking that begins after the moment takes other times.
    """
    instance, rng = world.instance, stream(*world.instance.seeds, "other arrivals")
    n, first = len(is_later), int(np.argmax(is_later)) if is_later.any() else len(is_later)

    def shuffled(array: npt.NDArray[Number] | None, begin: int) -> npt.NDArray[Number] | None:
        return None if array is None else np.concatenate([array[:begin], rng.permutation(array[begin:])])

    later = replace(
        instance,
        draws=tuple(shuffled(draws, first) for draws in instance.draws),
        patience_s=tuple(shuffled(patience_s, first) for patience_s in instance.patience_s),
    )
    if instance.think_s is not None:
        users: int = instance.scenario.arrivals.users  # type: ignore[attr-defined]
        later = replace(later, think_s=shuffled(instance.think_s, users + first))  # so many may have begun to think
    elif first < n:
        times = np.round(np.cumsum(instance.gaps_s) * GRID_PER_S).astype(np.int64)
        begin = min(int(moment_s * GRID_PER_S) + 1, times[-1])
        times[first:-1] = np.sort(rng.integers(begin, times[-1], n - 1 - first, endpoint=True))
        later = replace(later, gaps_s=np.diff(times, prepend=0) / GRID_PER_S)
    rows = np.concatenate([np.arange(first), rng.integers(0, n, n - first)])
    return taken(World(later, world.estimates), rows)


def chosen(features: Features, rows: IntArray) -> Features:
    """Return these rows of the features, in this order."""
    return Features(features.embeddings[rows], features.input_tokens[rows])
