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

from sim.instance import realise, stream
from sim.interface import Estimates, IntArray, Policy
from sim.scenario import Scenario
from sim.study.offers import answered, given_again, kept, offered
from sim.study.oracles import EstimateCache
from sim.study.redrawn import Made, chosen, redrawn, with_other_arrivals, with_other_history, world_of
from sim.traits import ServiceTraits

MOST_ROWS = 200  # of which the purity of an estimator is checked


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

    Where queries take several calls, the scores of answers that were not kept are others too, as nobody hears of them.

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
    requests, calls, decisions = world.run(fresh())
    marks = offered(requests, calls, decisions, len(world.instance.fleet))
    unscored = None if calls is None else ~(kept(calls, marks.shape) | given_again(requests, calls, marks.shape))
    again, calls_again, others = redrawn(world, ~marks, costs_too=True, sooner_too=True, unscored=unscored).run(fresh())
    demand_same(decisions, others, np.inf, "it saw the outcome of a deployment that a query was never offered to")
    same_calls = calls is calls_again or (calls is not None and calls_again is not None and calls.equals(calls_again))
    if not (requests.equals(again) and same_calls):
        raise AssertionError("the record depends on outcomes of deployments that a query was never offered to")


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
    costs_too = scenario.reserve == "estimate" or bool(np.isinf(world.instance.setting.budgets).all())
    for share in shares:
        moment_s = float(decided_at_s[int(share * len(decided_at_s))])
        is_later = arrived_at_s > moment_s
        *_, others = with_other_arrivals(world, is_later, moment_s).run(fresh())
        demand_same(decisions, others, moment_s, "it saw a query that had not arrived")
        is_unfinished = ~is_later & ~(finished_at_s <= moment_s)  # not finished at all is NaN
        unscored = np.repeat(is_unfinished[:, None], len(world.instance.fleet), axis=1)
        hidden = unscored if calls is None else unscored & ~answered(calls, moment_s, unscored.shape)
        *_, others = redrawn(world, hidden, costs_too, unscored=unscored).run(fresh())
        demand_same(decisions, others, moment_s, "it saw the outcome of a query that was not finished")


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
    ValueError
        If nothing is hidden, as ``profiled`` and ``new_model_share`` name no model, or the history lacks topics.
    """
    world = world_of(fresh().estimator, scenario, seed, estimates)
    history = world.instance.setting.history
    if history.known.all() or len(history.known) != len(scenario.workload.history):
        raise ValueError("nothing is hidden in this history, or not row by row: name a model in profiled, no unseen")
    known = np.ones((len(history.known), len(scenario.workload.models)), dtype=np.bool_)
    for k, deployment in enumerate(world.instance.fleet):
        known[:, scenario.workload.models.index(deployment.model)] = history.known[:, k]
    *_, decisions = world.run(fresh())
    *_, others = world_of(fresh().estimator, with_other_history(scenario, known, seed), seed, None).run(fresh())
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


def demand_same(decisions: Made, others: Made, until_s: float, saw: str) -> None:
    """Raise AssertionError for the first query up to a time on which two runs decided differently."""
    in_order = sorted(decisions.items(), key=lambda made: (made[1][0], made[0]))
    for (number, n_calls), (time_s, decision) in in_order:
        if time_s <= until_s and others.get((number, n_calls)) != (time_s, decision):
            what = "decision on" if n_calls == 0 else f"review after {n_calls} call{'s' * (n_calls > 1)} of"
            raise AssertionError(f"the {what} query {number}, at {time_s:.6g} s, would have been another: {saw}")


def demand_equal(estimates: Estimates, others: Estimates, rows: IntArray, when: str) -> None:
    """Raise AssertionError unless the first of the other estimates are those of ``rows``."""
    for what, known, other in zip(("quality", "cost"), estimates, others, strict=True):
        for row, before, after in zip(rows.tolist(), known[rows], other[: len(rows)], strict=True):
            if not np.array_equal(before, after):
                raise AssertionError(f"the estimator's {what} of row {row} changes {when}: it looks at other rows")
