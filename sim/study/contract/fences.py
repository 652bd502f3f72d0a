"""The contract of a policy, as checks that run it: it sees no outcome too early, and ``reset`` begins it anew.

Each check takes a function that makes the policy and a scenario to run it in, and raises AssertionError with one line
that says what the policy saw. It does so by running the policy twice in worlds that differ only in what it must not
have seen. A check tells more where queues form, budgets run out and several queries are in flight at once.

Two worlds that tell a policy something by right cannot be used: a limit ``context_tokens``, and a cache ``kv_tokens``
without ``reserved_output_tokens``, since both refuse a query for the length of an answer that is still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from sim.instance import realise, stream
from sim.interface import BoolArray, Policy
from sim.scenario import Scenario
from sim.study.contract.demands import demand_equal, demand_same, demand_same_run
from sim.study.contract.offers import answered, given_again, kept, offered, told_by_caps
from sim.study.contract.redrawn import redrawn, redrawn_beyond_caps, with_other_arrivals, with_other_history
from sim.study.contract.redrawn_tasks import by_place, unearned, with_other_tasks
from sim.study.contract.worlds import World, chosen, world_of
from sim.study.oracles import EstimateCache
from sim.traits import ServiceTraits

MOST_ROWS = 200  # of which the purity of an estimator is checked


class NothingHiddenError(ValueError):
    """A fence has nothing to redraw, so that it can tell nothing; the message says why."""


def check_world(scenario: Scenario, seed: int = 0) -> None:
    """Raise ValueError for a scenario in which refusals tell a policy by right how long an answer will be."""
    for deployment in realise(scenario, seed, 0).fleet:
        traits = ServiceTraits.of(deployment.service)
        if traits.context_tokens is not None or (
            traits.kv_tokens is not None and traits.reserved_output_tokens is None
        ):
            raise ValueError(
                f"deployment {deployment.name!r} refuses queries by the length of answers that are still to come "
                "(context_tokens, or kv_tokens without reserved_output_tokens), so no check can tell what a policy saw"
            )


def counterfactual_fence(
    fresh: Callable[[], Policy], scenario: Scenario, seed: int = 0, estimates: EstimateCache | None = None
) -> None:
    """Redraw the outcomes of deployments that a query was never offered to: the whole record must stay the same.

    Where queries take several calls, these are the outcomes of all calls that were not made. Where the workload has
    quality by cap, the scores at caps that were not chosen are others too, and how answers that were cut would have
    gone on.

    Parameters
    ----------
    fresh : callable
        Makes the policy, as new each time.
    scenario : Scenario
    seed : int
        Of the scenario's replication.
    estimates : EstimateCache or None
        Predictions that checks of many policies in this same scenario may share.

    Raises
    ------
    AssertionError
        If the policy decides otherwise; the message names the query.
    """
    world = world_of(fresh().estimator, scenario, seed, estimates)
    run = requests, _, _ = world.run(fresh())
    marks = by_place(world, requests, offered(*run, len(world.instance.fleet)))
    other = redrawn(world, ~marks, costs_too=True, sooner_too=True)
    demand_same_run(run, other.run(fresh()), "the outcome of a deployment that a query was never offered to")
    if world.instance.capped_quality is not None and world.instance.tasks is None:
        beyond = redrawn_beyond_caps(world, told_by_caps(world, *run))
        demand_same_run(run, beyond.run(fresh()), "the outcome of a cap that was not chosen")


def score_fence(
    fresh: Callable[[], Policy], scenario: Scenario, seed: int = 0, estimates: EstimateCache | None = None
) -> None:
    """Redraw the scores of answers that were not kept, of which nobody hears: the whole record must stay the same.

    Parameters
    ----------
    fresh, scenario, seed, estimates
        As for ``counterfactual_fence``.

    Raises
    ------
    AssertionError
        If the policy decides otherwise; the message names the query.
    NothingHiddenError
        If every answer was kept, as where a policy makes one call for each query.
    """
    world = world_of(fresh().estimator, scenario, seed, estimates)
    run = requests, calls, _ = world.run(fresh())
    marks = offered(*run, len(world.instance.fleet))
    unkept = np.zeros_like(marks) if calls is None else marks & ~kept(calls, marks.shape)
    if calls is not None:
        unkept &= ~given_again(requests, calls, marks.shape)
    if not unkept.any():
        raise NothingHiddenError("every answer was kept")
    unkept = by_place(world, requests, unkept)
    other = redrawn(world, np.zeros_like(unkept), costs_too=False, unscored=unkept)
    demand_same_run(run, other.run(fresh()), "the score of an answer that was not kept")


def causal_fence(
    fresh: Callable[[], Policy],
    scenario: Scenario,
    seed: int = 0,
    estimates: EstimateCache | None = None,
    shares: Sequence[float] = (0.3, 0.7),
) -> None:
    """Redraw what has not been revealed by a moment: the decisions up to that moment must stay the same.

    First the queries that arrive later are others, and come at other times. Then the outcomes of queries that have
    arrived and are not finished are others; of those of their answers that are there already, only the scores are.
    Costs are redrawn only where no true cost is committed: a hard budget that counts true costs from admission on
    tells, by refusing a later query, a little of what is in flight.

    Parameters
    ----------
    fresh, scenario, seed, estimates
        As for ``counterfactual_fence``.
    shares : sequence of float
        The moments: when these shares of all decisions have been made, each at least 0 and below 1.

    Raises
    ------
    AssertionError
        If the policy decides otherwise; the message names the query.
    """
    world = world_of(fresh().estimator, scenario, seed, estimates)
    requests, calls, decisions = world.run(fresh())
    arrived_at_s, finished_at_s = requests["arrived_at_s"].to_numpy(), requests["finished_at_s"].to_numpy()
    decided_at_s = np.sort([time_s for time_s, _ in decisions.values()])
    is_unlimited = bool(np.isinf(world.instance.setting.budgets).all()) and not scenario.spending.refuses
    costs_too = scenario.reserve == "estimate" or is_unlimited
    for share in shares:
        moment_s = float(decided_at_s[int(share * len(decided_at_s))])
        is_later = arrived_at_s > moment_s
        *_, others = later_others(world, requests, is_later, moment_s).run(fresh())
        demand_same(decisions, others, moment_s, "it saw a query that had not arrived")
        is_unfinished = ~is_later & ~(finished_at_s <= moment_s)  # not finished at all is NaN
        hidden = np.repeat(is_unfinished[:, None], len(world.instance.fleet), axis=1)
        unscored = by_place(world, requests, hidden | unearned(requests, moment_s)[:, None], elsewhere=True)
        seen = np.zeros_like(hidden) if calls is None else answered(calls, moment_s, hidden.shape)
        hidden = by_place(world, requests, hidden & ~seen, elsewhere=True)
        *_, others = redrawn(world, hidden, costs_too, unscored=unscored).run(fresh())
        demand_same(decisions, others, moment_s, "it saw the outcome of a query that was not finished")


def later_others(world: World, requests: pd.DataFrame, is_later: BoolArray, moment_s: float) -> World:
    """Let other queries, or other tasks and steps of tasks, arrive after a moment."""
    if world.instance.tasks is None:
        return with_other_arrivals(world, is_later, moment_s)
    return with_other_tasks(world, requests, moment_s)


def history_fence(
    fresh: Callable[[], Policy], scenario: Scenario, seed: int = 0, estimates: EstimateCache | None = None
) -> None:
    """Redraw what the history hides, the outcomes of models on rows that they are not known on: decisions must stay.

    Parameters
    ----------
    fresh, scenario, seed, estimates
        As for ``counterfactual_fence``.

    Raises
    ------
    AssertionError
        If the policy decides otherwise; the message names the query.
    NothingHiddenError
        If every model is known on the whole history, as ``profiled`` and ``new_model_share`` name none.
    """
    world = world_of(fresh().estimator, scenario, seed, estimates)
    if world.instance.setting.history.known.all():
        raise NothingHiddenError("every model is known on the whole history")
    *_, decisions = world.run(fresh())
    *_, others = world_of(fresh().estimator, with_other_history(world.instance), seed, None).run(fresh())
    demand_same(decisions, others, np.inf, "it saw a part of the history that is hidden")


def reset_forgets(
    fresh: Callable[[], Policy], scenario: Scenario, seed: int = 0, estimates: EstimateCache | None = None
) -> None:
    """Run one policy twice in the same world: ``reset`` must begin it anew, so that it decides the same.

    Raises
    ------
    AssertionError
        If it decides otherwise the second time; the message names the query.
    """
    world = world_of(fresh().estimator, scenario, seed, estimates)
    policy = fresh()
    *_, decisions = world.run(policy)
    *_, others = world.run(policy)
    demand_same(decisions, others, np.inf, "reset left something of the run before, or it uses chance of its own")


def asking_changes_nothing(
    fresh: Callable[[], Policy], scenario: Scenario, seed: int = 0, estimates: EstimateCache | None = None
) -> None:
    """Run a policy twice, once asked before each decision what it believes: it must decide the same.

    Raises
    ------
    AssertionError
        If it decides otherwise when it is asked; the message names the query.
    """
    world = world_of(fresh().estimator, scenario, seed, estimates)
    *_, decisions = world.run(fresh())
    *_, others = world.run(fresh(), asks=True)
    demand_same(decisions, others, np.inf, "believes changes the policy, or it uses chance of its own")


def purity_of_estimator(fresh: Callable[[], Policy], scenario: Scenario, seed: int = 0) -> None:
    """Permute the queries, change the later half, and take one alone: no other query's estimates may change by a bit.

    Raises
    ------
    AssertionError
        If they do; the message names the row. A policy without an estimator passes.
    """
    estimator = fresh().estimator
    if estimator is None:
        return
    instance = realise(scenario, seed, 0)
    predict = estimator.fit(instance.setting.history).predict
    features = chosen(instance.features, np.arange(len(instance.features.input_tokens))[:MOST_ROWS])
    n = len(features.input_tokens)
    alone = predict(features)
    order = stream(seed, 0, "contract").permutation(n)
    demand_equal(alone, predict(chosen(features, order)), order, "when the rows are permuted")
    half = np.arange((n + 1) // 2)
    changed = chosen(features, np.concatenate([half, np.full(n - len(half), 0)]))
    demand_equal(alone, predict(changed), half, "when later rows are others")
    for row in {0, n // 2, n - 1}:
        demand_equal(alone, predict(chosen(features, np.array([row]))), np.array([row]), "when the row is alone")
