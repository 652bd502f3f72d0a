"""Where the quality of a run went: its decisions are replayed several times, each time with one more handicap.

Every step is a total quality in the same world, and every term the difference of two neighbours, so the terms sum to
optimum - achieved whatever they are. A term is negative where the later step had more luck than the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sim.assignment.certified import certified
from sim.assignment.program import DECLINE
from sim.deployment import Deployment
from sim.instance import Instance, stream
from sim.interface import Decision
from sim.scenario import Retry
from sim.study.experiment import EstimateCache
from sim.study.replay import Replay, Watched, planned
from sim.world.record import frame
from sim.world.services.slots import Instant
from sim.world.world import simulate

TERMS = ("estimation_error", "exploration", "budget_pacing", "admission", "queueing")


def decompose(optimum: float, policy: Watched, achieved: float, instance: Instance) -> dict[str, float]:
    """Return each of ``TERMS`` of a run, in units of quality (sum of scores); they sum to optimum - achieved.

    Parameters
    ----------
    optimum : float
        Of the linear program on the truth.
    policy : Watched
        As the run left it.
    achieved : float
        Quality of the run.
    instance : Instance
        On which no policy can beat the optimum (``sim.study.fleet.unbounded``).

    Notes
    -----
    The steps between optimum and achieved, each replayed in order of arrival on a fleet without queues, with true
    qualities, costs and budgets:

    1. the plan of the linear program on the policy's own estimates, all queries known: optimum - this is
       ``estimation_error`` (and the plan's rounding, at most n_deployments queries, and the optimum's gap of 1e-4);
    2. the same, with the queries that it explored on sent where it sent them, and a plan for the others with what
       those leave: the loss is ``exploration``;
    3. the policy's own first choices: the loss is ``budget_pacing``, all that its rule did otherwise than the plan;
    4. the policy's own decisions, with its own next choices only: the loss is ``admission``;
    5. the run: the loss is ``queueing``, which takes in rejections, time-outs and outages.

    In 1 to 3 a query that a budget refuses goes to the best deployment that can pay and is worth it, by the policy's
    own estimates at the prices of plan 1. (Rescued by estimated quality alone, queries took money from better ones that
    came later, and refusals seemed to pay.)
    """
    quality_hat, cost_hat = policy.estimates()
    decisions = policy.decisions()
    choice = np.array([DECLINE if d.deployment is None else int(d.deployment) for d in decisions], dtype=np.int64)
    explored = np.array([d.explores for d in decisions], dtype=np.bool_)
    budgets = instance.setting.budgets
    world = without_queues(instance)

    ideal = certified(quality_hat, cost_hat, budgets)
    surplus = quality_hat - ideal.prices * cost_hat
    steps = [optimum, total(planned(ideal.bound.plan, surplus), world)]
    if explored.any():
        sent = np.flatnonzero(explored & (choice != DECLINE))
        cost = instance.cost[instance.rows[sent], choice[sent]]
        left = np.maximum(budgets - np.bincount(choice[sent], weights=cost, minlength=len(budgets)), 0.0)
        plan = choice.copy()
        if not explored.all():
            plan[~explored] = certified(quality_hat[~explored], cost_hat[~explored], left).bound.plan
        steps.append(total(planned(plan, surplus), world))
    else:
        steps.append(steps[-1])
    steps.append(total(planned(choice, surplus), world))
    own = replace(world, scenario=replace(world.scenario, exhausted=instance.scenario.exhausted))
    steps += [total(decisions, own), achieved]
    return {term: before - after for term, before, after in zip(TERMS, steps, steps[1:], strict=False)}


def without_queues(instance: Instance) -> Instance:
    """Return the same queries, costs and budgets on a fleet that serves at once, where the refused try elsewhere."""
    nothing = (None,) * len(instance.fleet)
    scenario = replace(
        instance.scenario,
        exhausted="fallback",
        events=(),
        retry=Retry(),
        state_refresh_s=None,
        decision_s=0.0,
        measure_decisions=False,
    )
    fleet = tuple(Deployment(deployment.name, deployment.model, Instant()) for deployment in instance.fleet)
    return replace(instance, scenario=scenario, fleet=fleet, draws=nothing, patience_s=nothing, think_s=None)


def total(decisions: Sequence[Decision], instance: Instance) -> float:
    """Return the quality of a run that carries out these decisions."""
    blank = EstimateCache().get(None, instance)  # nobody looks at them
    table = simulate("a replay", Replay(decisions), instance, blank, stream(*instance.seeds, "policy"))
    return float(frame(table, instance)["quality"].sum())
