"""Worlds that differ only in what a policy must not have seen; ``contract.py`` runs policies in them.

Every array of such a world is in order of arrival, so that a query is hidden by its number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.deployment import Deployment
from sim.instance import Instance, realise, stream
from sim.interface import (
    BoolArray,
    Combine,
    Decision,
    Estimates,
    Estimator,
    Features,
    FloatArray,
    IntArray,
    Keep,
    Policy,
)
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.study.replay import Watched
from sim.traits import ServiceTraits
from sim.truth import Number
from sim.workload import OF_EACH_MODEL
from sim.world.call_table import call_frame
from sim.world.record import frame
from sim.world.world import simulate

Made = dict[tuple[int, int], tuple[float, Decision | Keep | Combine]]
"""For each arrival and its number of calls so far: when the policy decided, and what. After a call it has reviewed."""

GRID_PER_S = 2.0**20  # times are whole multiples of 1 / GRID_PER_S, so that sums of gaps are exact in any order


@dataclass(frozen=True)
class World:
    """An instance whose arrays are in order of arrival, and the policy's estimates in the same order."""

    instance: Instance
    estimates: Estimates

    def run(self, policy: Policy, asks: bool = False) -> tuple[pd.DataFrame, pd.DataFrame | None, Made]:
        """Return the tables of requests and of calls of a run, and what was decided; ask what it believes, or not."""
        watched = Watched(policy, asks)
        rng = stream(*self.instance.seeds, "policy")
        table = simulate(type(policy).__name__, watched, self.instance, self.estimates, rng)
        made: Made = {(number, 0): one for number, one in watched.decided().items()} | watched.reviewed()
        calls = None if table.calls is None else call_frame(table.calls, self.instance)
        return frame(table, self.instance), calls, {key: (now_s, plain(what)) for key, (now_s, what) in made.items()}


def plain(outcome: Decision | Keep | Combine) -> Decision | Keep | Combine:
    """Return the same with tuples in the place of other sequences, so that two can be compared."""
    if isinstance(outcome, Decision):
        return outcome._replace(fallbacks=tuple(outcome.fallbacks), alongside=tuple(outcome.alongside))
    return Combine(tuple(outcome.indices)) if isinstance(outcome, Combine) else outcome


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
            prompt=instance.prompt[rows],
            table_row=instance.table_row[rows],
            source=take(instance.source),
            confidence=take(instance.confidence),
            latency_s=take(instance.latency_s),
            energy_j=take(instance.energy_j),
            preference=take(instance.preference),
            expected=None if instance.expected is None else Estimates(*(each[rows] for each in instance.expected)),
        ),
        Estimates(world.estimates.quality[rows], world.estimates.cost[rows]),
    )


def redrawn(
    world: World, hidden: BoolArray, costs_too: bool, sooner_too: bool = False, unscored: BoolArray | None = None
) -> World:
    """Redraw the outcomes marked in ``hidden`` (n_queries, n_deployments), and the scores marked in ``unscored`` too.

    Answers only grow longer, so that what is unfinished stays so; measured latencies too, unless ``sooner_too``.
    """
    instance, rng = world.instance, stream(*world.instance.seeds, "other outcomes")
    tokens = instance.output_tokens
    cost = np.where(hidden & costs_too, instance.cost * rng.uniform(0.1, 9, hidden.shape), instance.cost)
    no_score = hidden if unscored is None else hidden | unscored
    quality = np.where(no_score, rng.random(hidden.shape), instance.quality)
    expected = None if instance.expected is None else Estimates(quality, cost)  # seen by no policy, so all is other
    latency_s = redrawn_signal(instance.latency_s, hidden, rng.uniform(0.1 if sooner_too else 1.0, 9, hidden.shape))
    outcomes = replace(
        instance,
        quality=quality,
        cost=cost,
        expected=expected,
        confidence=redrawn_signal(instance.confidence, hidden, rng.uniform(0, 9, hidden.shape)),
        latency_s=latency_s,
        energy_j=redrawn_signal(instance.energy_j, hidden, rng.uniform(0, 9, hidden.shape)),
        draws=tuple(
            latency_s[:, [k]] if latency_s is not None and replays_latency(deployment) else instance.draws[k]
            for k, deployment in enumerate(instance.fleet)
        ),
    )
    if tokens is None:
        return World(outcomes, world.estimates)
    longer = tokens + rng.integers(500, 900, hidden.shape)
    return World(replace(outcomes, output_tokens=np.where(hidden, longer, tokens)), world.estimates)


def redrawn_signal(values: FloatArray | None, hidden: BoolArray, factor: FloatArray) -> FloatArray | None:
    """Return a signal whose hidden values are multiplied by a factor, all (n_queries, n_deployments)."""
    return None if values is None else np.where(hidden, values * factor, values)


def replays_latency(deployment: Deployment) -> bool:
    """Return whether a deployment serves by measured latencies, which are then its draws."""
    return ServiceTraits.of(deployment.service).replays_latency


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
