"""The behavioural fences around the truth, over every policy in conf/policy.

*Counterfactual*: outcomes of deployments that a query never tried are redrawn, and the trace stays the same.
*Causal*: outcomes that were not revealed by time T are redrawn, and the decisions up to T stay the same.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.instance import Instance, realise, stream
from sim.interface import BoolArray, Decision, Feedback, Policy, Query, Setting, State
from sim.scenario import BudgetRule, Scenario
from sim.study.experiment import EstimateCache
from sim.world.record import frame
from sim.world.services.slots import Slots
from sim.world.world import simulate
from tests.configured import NAMES, configured_policy

N_QUERIES = 600  # several batches of batch_split, and 15 exploring queries of port


class Watched(Policy):
    """Another policy, with a note of what it decided and when."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.estimator = policy.estimator
        self.decisions: dict[int, tuple[float, Decision]] = {}

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self._policy.reset(setting, rng)
        self.gate = self._policy.gate

    def decide(self, query: Query, state: State) -> Decision:
        return self.decide_batch([query], state)[0]

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        decisions = self._policy.decide_batch(queries, state)
        for query, decision in zip(queries, decisions, strict=True):
            self.decisions[query.id] = (state.now_s, decision)
        return decisions

    def learn(self, feedback: Feedback) -> None:
        self._policy.learn(feedback)


def world(budget: BudgetRule) -> Instance:
    """600 queries in about 30 s for four deployments with two slots each: queues form, and small budgets run out."""
    workload = synthetic(n_queries=N_QUERIES, n_history=300, n_models=4, dim=8, seed=1)
    service = Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.005)
    scenario = Scenario(workload, OnePerModel(service, queue_capacity=10), budget, Poisson(20), shuffled)
    return realise(scenario, seed=3, replication=0)


def run(name: str, instance: Instance, like: Instance) -> tuple[pd.DataFrame, Watched]:
    """Run a policy with the estimates that it would have had on another instance, which differs in outcomes only."""
    watched = Watched(configured_policy(name))
    estimates = EstimateCache().get(watched.estimator, like)
    table = simulate(name, watched, instance, estimates, stream(3, 0, "policy"))
    return frame(table, instance), watched


def redrawn(instance: Instance, hidden: BoolArray, costs_too: bool = True) -> Instance:
    """Redraw the outcomes marked in ``hidden`` (n_queries, n_deployments), in order of arrival.

    Token counts only grow, so that what is unfinished stays so.
    """
    rng = np.random.default_rng(99)
    assert instance.output_tokens is not None
    by_row = np.zeros_like(hidden)
    by_row[instance.rows] = hidden
    more_tokens = instance.output_tokens + rng.integers(500, 900, hidden.shape)
    return replace(
        instance,
        quality=np.where(by_row, rng.random(hidden.shape), instance.quality),
        cost=np.where(by_row & costs_too, instance.cost * rng.uniform(0.1, 9, hidden.shape), instance.cost),
        output_tokens=np.where(by_row, more_tokens, instance.output_tokens),
    )


def tried(watched: Watched, requests: pd.DataFrame, n_deployments: int) -> BoolArray:
    """Mark the deployments that each query was offered to: the choice, and fallbacks until one took it."""
    marks = np.zeros((len(requests), n_deployments), dtype=np.bool_)
    for number, served_by in enumerate(requests["deployment"].cat.codes):
        _, decision = watched.decisions[number]
        if decision.deployment is None:
            continue
        for choice in [decision.deployment, *decision.fallbacks]:
            marks[number, choice] = True
            if choice == served_by and requests["fate"].iloc[number] == "served":
                break
    return marks


@pytest.mark.parametrize("name", NAMES)
def test_outcomes_of_deployments_that_were_not_tried_change_nothing(name: str) -> None:
    instance = world(Weighted(total=1.0))
    requests, watched = run(name, instance, like=instance)
    marks = tried(watched, requests, len(instance.fleet))
    again, _ = run(name, redrawn(instance, ~marks), like=instance)
    pd.testing.assert_frame_equal(requests, again)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("moment_s", [8.0, 20.0])
def test_what_has_not_arrived_by_a_moment_changes_no_decision_up_to_it(name: str, moment_s: float) -> None:
    instance = world(Weighted(total=1.0))
    _, watched = run(name, instance, like=instance)
    future = np.cumsum(instance.gaps_s) > moment_s
    hidden = np.repeat(future[:, None], len(instance.fleet), axis=1)
    _, again = run(name, redrawn(instance, hidden), like=instance)
    assert decided_by(watched, moment_s) == decided_by(again, moment_s)


# A hard budget that counts true costs from admission on reveals, by refusing a later query, a little of what is still
# in flight. So outcomes in flight are redrawn either without their costs, or, here, where no budget binds.
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("moment_s", [8.0, 20.0])
def test_what_is_unfinished_at_a_moment_changes_no_decision_up_to_it(name: str, moment_s: float) -> None:
    for budget, costs_too in ((Unlimited(), True), (Weighted(total=1.0), False)):
        instance = world(budget)
        requests, watched = run(name, instance, like=instance)
        is_finished = (requests["finished_at_s"] <= moment_s).to_numpy()
        hidden = np.repeat(~is_finished[:, None], len(instance.fleet), axis=1)
        _, again = run(name, redrawn(instance, hidden, costs_too), like=instance)
        assert decided_by(watched, moment_s) == decided_by(again, moment_s)


def decided_by(watched: Watched, moment_s: float) -> dict[int, tuple[float, Decision]]:
    return {number: made for number, made in watched.decisions.items() if made[0] <= moment_s}


def test_the_fenced_world_has_queues_refusals_and_empty_budgets() -> None:
    requests, _ = run("random", world(Weighted(total=1.0)), like=world(Weighted(total=1.0)))
    assert set(requests["fate"]) == {"served", "exhausted", "rejected"}
    assert (requests["started_at_s"] > requests["arrived_at_s"]).any()


class Cheat(Policy):
    """A policy that reads the truth behind the fence; the fences must notice it."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(self._instance.quality[self._instance.rows[query.id]].argmax()))


def test_the_fence_notices_a_policy_that_knows_outcomes() -> None:
    instance = world(Unlimited())
    estimates = EstimateCache().get(None, instance)
    watched = Watched(Cheat(instance))
    requests = frame(simulate("cheat", watched, instance, estimates, stream(3, 0, "policy")), instance)
    other = redrawn(instance, ~tried(watched, requests, len(instance.fleet)))
    again = frame(simulate("cheat", Cheat(other), other, estimates, stream(3, 0, "policy")), other)
    assert not requests["deployment"].equals(again["deployment"])
