"""Holds the worlds in which policies are checked, and runs policies in them.

Every array of such a world is in order of arrival, so that a query is hidden by its number; of tasks, task by task, and
``row`` in the record says where in it each query stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.instance import Instance, realise, stream
from sim.interface import (
    BoolArray,
    Combine,
    Decision,
    Estimates,
    Estimator,
    Features,
    IntArray,
    Keep,
    Policy,
)
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.study.replay import Watched
from sim.truth import Number
from sim.world.record import frame
from sim.world.record.calls import call_frame
from sim.world.world import simulate

Made = dict[tuple[int, int], tuple[float, Decision | Keep | Combine]]
"""For each arrival and its number of calls so far: when the policy decided, and what. After a call it has reviewed."""


Run = tuple[pd.DataFrame, pd.DataFrame | None, Made]
"""The tables of requests and of calls of a run, the latter None without rounds, and what was decided."""


class Told(NamedTuple):
    """What a run told of answers by their caps.

    Parameters
    ----------
    whole : bool array (n_queries, n_deployments)
        Where the whole answer is known, or none was asked for.
    at_caps : bool array (n_queries, n_deployments, n_caps)
        At which of the workload's caps the score is known.
    """

    whole: BoolArray
    at_caps: BoolArray


GRID_PER_S = 2.0**20  # times are whole multiples of 1 / GRID_PER_S, so that sums of gaps are exact in any order


@dataclass(frozen=True)
class World:
    """An instance whose arrays are in order of arrival, and the policy's estimates in the same order."""

    instance: Instance
    estimates: Estimates

    def run(self, policy: Policy, asks: bool = False) -> Run:
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
            prefix=None if instance.prefix is None else instance.prefix[rows],
            session=take(instance.session),
            table_row=np.arange(len(rows)),
            source=take(instance.source),
            confidence=take(instance.confidence),
            latency_s=take(instance.latency_s),
            energy_j=take(instance.energy_j),
            preference=take(instance.preference),
            tasks=None if instance.tasks is None else instance.tasks.taken(rows),
            capped_quality=take(instance.capped_quality),
            token_usd=take(instance.token_usd),
            class_name=take(instance.class_name),
            tenant=take(instance.tenant),
            price=take(instance.price),
            expected=None if instance.expected is None else Estimates(*(each[rows] for each in instance.expected)),
        ),
        Estimates(world.estimates.quality[rows], world.estimates.cost[rows]),
    )


def chosen(features: Features, rows: IntArray) -> Features:
    """Return these rows of the features, in this order."""
    return Features(features.embeddings[rows], features.input_tokens[rows])
