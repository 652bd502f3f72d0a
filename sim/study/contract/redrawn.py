"""Worlds that differ only in what a policy must not have seen; ``fences.py`` runs policies in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.deployment import Deployment
from sim.instance import Instance, stream
from sim.interface import (
    BoolArray,
    Estimates,
    FloatArray,
)
from sim.scenario import Scenario
from sim.selection import seen_rows, unseen_topics
from sim.study.contract.worlds import GRID_PER_S, Told, World, taken
from sim.traits import ServiceTraits
from sim.truth import Number
from sim.workload.rows import OF_EACH_MODEL


def redrawn(
    world: World, hidden: BoolArray, costs_too: bool, sooner_too: bool = False, unscored: BoolArray | None = None
) -> World:
    """Redraw the outcomes marked in ``hidden`` (n_queries, n_deployments), and the scores marked in ``unscored`` too.

    Answers only grow longer, so that what is unfinished stays so; measured latencies too, unless ``sooner_too``.
    """
    instance, rng = world.instance, stream(*world.instance.seeds, "other outcomes")
    tokens = instance.output_tokens
    cost = np.where(hidden & costs_too, instance.cost * rng.uniform(0.1, 9, hidden.shape), instance.cost)
    is_usd = np.array([info.unit == "usd" for info in instance.setting.fleet])
    no_score = hidden if unscored is None else hidden | unscored
    quality = np.where(no_score, rng.random(hidden.shape), instance.quality)
    expected = None if instance.expected is None else Estimates(quality, cost)  # seen by no policy, so all is other
    latency_s = redrawn_signal(instance.latency_s, hidden, rng.uniform(0.1 if sooner_too else 1.0, 9, hidden.shape))
    outcomes = replace(
        instance,
        quality=quality,
        cost=cost,
        cost_usd=np.where(is_usd, cost, instance.cost_usd),
        tasks=None if instance.tasks is None else instance.tasks.with_costs(instance.cost_usd, cost, is_usd),
        expected=expected,
        confidence=redrawn_signal(instance.confidence, hidden, rng.uniform(0, 9, hidden.shape)),
        latency_s=latency_s,
        energy_j=redrawn_signal(instance.energy_j, hidden, rng.uniform(0, 9, hidden.shape)),
        draws=tuple(
            latency_s[:, [k]] if latency_s is not None and replays_latency(deployment) else instance.draws[k]
            for k, deployment in enumerate(instance.fleet)
        ),
    )
    if instance.capped_quality is not None and instance.token_usd is not None:
        capped, each_usd = instance.capped_quality, instance.token_usd
        factor = np.where(hidden & costs_too, rng.uniform(0.1, 9, hidden.shape), 1.0)[..., None]
        others = np.where(no_score[..., None], rng.random(capped.shape), capped)
        outcomes = replace(outcomes, capped_quality=others, token_usd=each_usd * factor)
    if tokens is None:
        return World(outcomes, world.estimates)
    longer = tokens + rng.integers(500, 900, hidden.shape)
    return World(replace(outcomes, output_tokens=np.where(hidden, longer, tokens)), world.estimates)


def redrawn_beyond_caps(world: World, told: Told) -> World:
    """Redraw what nobody was told of answers that were cut: their scores at other caps, and how they would go on.

    A cut answer stays what it was, to the last bit. It only grows, to a power of two times its length, so that its
    energy can grow with it.
    """
    instance, rng = world.instance, stream(*world.instance.seeds, "beyond caps")
    tokens, capped = instance.output_tokens, instance.capped_quality
    if tokens is None or capped is None:
        return world
    hidden, factor = ~told.whole, 2 ** rng.integers(1, 4, tokens.shape)
    quality = np.where(hidden, rng.random(tokens.shape), instance.quality)
    cost = np.where(hidden & (instance.cost > 0), instance.cost * rng.uniform(1, 9, tokens.shape), instance.cost)
    return World(
        replace(
            instance,
            quality=quality,
            cost=cost,
            cost_usd=np.where(hidden, instance.cost_usd * rng.uniform(1, 9, tokens.shape), instance.cost_usd),
            output_tokens=np.where(hidden, tokens * factor, tokens),
            energy_j=redrawn_signal(instance.energy_j, hidden, factor.astype(np.float64)),
            expected=None if instance.expected is None else Estimates(quality, cost),
            capped_quality=np.where(told.at_caps, capped, rng.random(capped.shape)),
        ),
        world.estimates,
    )


def redrawn_signal(values: FloatArray | None, hidden: BoolArray, factor: FloatArray) -> FloatArray | None:
    """Return a signal whose hidden values are multiplied by a factor, all (n_queries, n_deployments)."""
    return None if values is None else np.where(hidden, values * factor, values)


def replays_latency(deployment: Deployment) -> bool:
    """Return whether a deployment serves by measured latencies, which are then its draws."""
    return ServiceTraits.of(deployment.service).replays_latency


def with_other_history(instance: Instance) -> Scenario:
    """Redraw all outcomes of the history that the models of an instance's fleet are not known on."""
    scenario, workload = instance.scenario, instance.scenario.workload
    known = np.ones(workload.history.quality.shape, dtype=np.bool_)
    rows = seen_rows(workload.history, unseen_topics(scenario))
    for k, deployment in enumerate(instance.fleet):
        known[rows, workload.models.index(deployment.model)] = instance.setting.history.known[:, k]
    rng = stream(*instance.seeds, "other history")
    others: dict[str, Any] = {
        name: np.where(known, outcome, rng.permutation(outcome, axis=0).astype(outcome.dtype))
        for name in OF_EACH_MODEL
        if (outcome := getattr(workload.history, name)) is not None
    }
    others["quality"] = np.where(known, workload.history.quality, rng.random(known.shape))
    if workload.history.steps is not None:
        others["steps"] = workload.history.steps.with_costs(workload.history.cost_usd, others["cost_usd"])
    capped = workload.history.capped_quality
    if capped is not None:
        others["capped_quality"] = np.where(known[..., None], capped, rng.random(capped.shape))
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
