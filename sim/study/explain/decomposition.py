"""Where the quality of a run went: its decisions are replayed several times, each time with one more handicap.

Every step is a total quality in the same world, and every term the difference of two neighbours, so the terms sum to
optimum - achieved whatever they are. A term is negative where the later step did better than the one before it.

Where the workload knows of what chance each score is one draw, all steps between the first and the last are scored by
expectation: which coins fell is then in one term, and in no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from sim.assignment.certified import certified
from sim.assignment.program import DECLINE
from sim.assignment.rows import pooled
from sim.deployment import Deployment
from sim.instance import Instance, stream
from sim.interface import Decision, Policy
from sim.renewing import Retry
from sim.study.oracles import EstimateCache
from sim.study.replay import Replay, ReplayCalls, Watched, planned
from sim.world.record import frame
from sim.world.services.slots import Instant
from sim.world.world import simulate

LUCK, ESTIMATION, ESTIMATION_WITH_LUCK = "luck_of_outcomes", "estimation_error", "estimation_error_with_luck"
PACING, RULE, UNKEPT = "budget_pacing", "decision_rule", "unkept_calls"


def decompose(
    optimum: float,
    bayes: float | None,
    policy: Watched,
    requests: pd.DataFrame,
    instance: Instance,
    calls: pd.DataFrame | None = None,
) -> dict[str, float]:
    """Return the terms of a run, in units of quality (sum of scores); they sum to optimum - achieved.

    Parameters
    ----------
    optimum : float
        Of the linear program on the truth.
    bayes : float or None
        From ``bayes_quality`` of the same instance.
    policy : Watched
        As the run left it.
    requests : DataFrame
        The record of the run, a row per arrival.
    instance : Instance
        On which no policy can beat the optimum (``sim.study.fleet.unbounded``).
    calls : DataFrame or None
        The calls of the run, where queries could take several.
        None of them are combined.

    Notes
    -----
    The steps between optimum and achieved, each replayed in order of arrival on a fleet without queues, with true
    costs and budgets; worth is expected quality where that is known, and true quality elsewhere:

    0. where it is known, the plan of the linear program on expected quality and cost, all queries known. Optimum - this
       is luck that the optimum sees and no router can (and the plan's rounding, at most n_deployments queries, and the
       optimum's gap of 1e-4);
    1. the plan on what the policy believed of each query when it decided (``Policy.believes``), all queries known: the
       loss is ``estimation_error``. Without 0 it is counted from the optimum, so that it takes in the luck and is named
       ``estimation_error_with_luck``;
    2. the same, with the queries that it explored on sent where it sent them, and a plan for the others with what
       those leave: the loss is ``exploration``;
    3. the policy's own first choices: the loss is all that its rule did otherwise than the plan, ``budget_pacing`` of a
       policy that paces (``Policy.paces``) and ``decision_rule`` of another;
    4. the policy's own decisions, with its own next choices only: the loss is ``admission``;
    5. where queries could take several calls, all calls, of which it kept what it kept in the run: the loss is
       ``unkept_calls``. Up to here only the call that was kept has been made (of a query that kept none, the first);
    6. the run: the loss is ``queueing``, which takes in rejections, time-outs and outages.

    What the run is worth less what it achieved is the luck of its own draws. With that of 0 it is
    ``luck_of_outcomes``.

    In 0 to 3 a query that a budget refuses goes to the best deployment that can pay and is worth it, by the plan's own
    estimates at its prices (in 2 and 3 those of plan 1). Rescued by estimated quality alone, queries took money from
    better ones that came later, and refusals seemed to pay.
    """
    quality_hat, cost_hat = policy.estimates()
    decisions = policy.decisions() if calls is None else of_kept(policy.decisions(), calls)
    choice = np.array([DECLINE if d.deployment is None else int(d.deployment) for d in decisions], dtype=np.int64)
    explored = np.array([d.explores for d in decisions], dtype=np.bool_)
    budgets, accounts = instance.setting.budgets, instance.setting.accounts
    world = without_queues(instance)

    ideal = certified(quality_hat, cost_hat, budgets, accounts)
    surplus = quality_hat - ideal.prices * cost_hat
    steps = [optimum if bayes is None else bayes, total(planned(ideal.bound.plan, surplus), world)]
    if explored.any():
        sent = np.flatnonzero(explored & (choice != DECLINE))
        cost = instance.cost[instance.rows[sent], choice[sent]]
        spent = pooled(np.bincount(choice[sent], weights=cost, minlength=len(budgets)), accounts)
        left = np.maximum(budgets - spent, 0.0)
        plan = choice.copy()
        if not explored.all():
            plan[~explored] = certified(quality_hat[~explored], cost_hat[~explored], left, accounts).bound.plan
        steps.append(total(planned(plan, surplus), world))
    else:
        steps.append(steps[-1])
    steps.append(total(planned(choice, surplus), world))
    own = replace(world, scenario=replace(world.scenario, exhausted=instance.scenario.exhausted))
    of_run = worth(requests, instance)
    steps.append(total(decisions, own))
    if calls is not None:
        steps.append(replayed_worth(ReplayCalls(requests, calls), own))
    steps.append(of_run)
    luck = {} if bayes is None else {LUCK: optimum - bayes + (of_run - float(requests["quality"].sum()))}
    first = ESTIMATION_WITH_LUCK if bayes is None else ESTIMATION
    of_calls = () if calls is None else (UNKEPT,)
    terms = (first, "exploration", PACING if policy.paces else RULE, "admission", *of_calls, "queueing")
    return luck | {term: before - after for term, before, after in zip(terms, steps, steps[1:], strict=False)}


def bayes_quality(instance: Instance) -> float | None:
    """Return the expected quality of the plan on expected quality and cost, replayed; None where nobody knows these."""
    if instance.expected is None:
        return None
    quality, cost = instance.expected.quality[instance.rows], instance.expected.cost[instance.rows]
    plan = certified(quality, cost, instance.setting.budgets, instance.setting.accounts)
    return total(planned(plan.bound.plan, quality - plan.prices * cost), without_queues(instance))


def worth(requests: pd.DataFrame, instance: Instance) -> float:
    """Return the quality of a run: expected of what was served where, and true where nobody knows what to expect."""
    quality = instance.quality if instance.expected is None else instance.expected.quality
    deployment = requests["deployment"].cat.codes.to_numpy()
    served = (requests["fate"] == "served").to_numpy()
    return float(np.where(served, quality[instance.rows, deployment], 0.0).sum())


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


def of_kept(decisions: Sequence[Decision], calls: pd.DataFrame) -> list[Decision]:
    """Return decisions that make the one call that each query kept, or the first that it made if it kept none."""
    made = calls.sort_values(["kept", "id"], ascending=[False, True], kind="stable").drop_duplicates("query")
    deployment = dict(zip(made["query"].tolist(), made["deployment"].cat.codes.tolist(), strict=True))
    return [Decision(deployment.get(number), explores=decision.explores) for number, decision in enumerate(decisions)]


def total(decisions: Sequence[Decision], instance: Instance) -> float:
    """Return what a run that carries out these decisions is worth."""
    return replayed_worth(Replay(decisions), instance)


def replayed_worth(replay: Policy, instance: Instance) -> float:
    """Return what a replay is worth; nobody looks at estimates."""
    blank = EstimateCache().get(None, instance)
    table = simulate("a replay", replay, instance, blank, stream(*instance.seeds, "policy"))
    return worth(frame(table, instance), instance)
