"""Decisions noted in one run and carried out in another.

A replay looks at nothing: it sends each query where it is told, so that a plan made with hindsight, or what a policy
decided before, goes through the same world as every policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sim.assignment.certified import GAP
from sim.assignment.program import DECLINE, Bound
from sim.instance import Instance
from sim.interface import Decision, Estimates, Feedback, FloatArray, IntArray, Policy, Query, Setting, State


class Replay(Policy):
    """Carry out decisions, one per query in order of arrival."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = decisions

    def decide(self, query: Query, state: State) -> Decision:
        """Look it up."""
        return self._decisions[query.id]


def planned(plan: IntArray, surplus: FloatArray | None = None) -> list[Decision]:
    """Return the decisions of a plan: a deployment for each arrival, and where a query goes that it refuses.

    Parameters
    ----------
    plan : array (n_queries,)
        A deployment for each arrival, ``DECLINE`` for none.
    surplus : array (n_queries, n_deployments) or None
        Quality less priced cost. Every other deployment that is worth its price is a next choice, the best first; what
        is 0 to the precision of the prices counts as worth it. None: there are no next choices.
    """
    if surplus is None:
        return [Decision(None if choice == DECLINE else choice) for choice in plan.tolist()]
    best_first = np.argsort(-surplus, axis=1, kind="stable").tolist()
    n_worth = (surplus >= -GAP).sum(axis=1).tolist()
    return [
        Decision(None) if choice == DECLINE else Decision(choice, [k for k in ranked[:n] if k != choice])
        for choice, ranked, n in zip(plan.tolist(), best_first, n_worth, strict=True)
    ]


def replayed(bound: Bound, known: Estimates, instance: Instance, as_published: bool) -> Replay:
    """Return what carries out a plan made in hindsight, with next choices unless refused queries are lost.

    Parameters
    ----------
    bound : Bound
        Its plan in order of arrival.
    known : Estimates
        Quality and cost of every test row (n_test, n_deployments) that the plan was made with.
    instance : Instance
    as_published : bool
        Whether refused queries are lost whatever the scenario says, see ``losing``.
    """
    if as_published or instance.scenario.exhausted == "lost" or bound.prices is None:
        return Replay(planned(bound.plan))
    return Replay(planned(bound.plan, known.quality[instance.rows] - bound.prices * known.cost[instance.rows]))


def losing(instance: Instance) -> Instance:
    """Return the same instance, in which refused queries are lost."""
    return replace(instance, scenario=replace(instance.scenario, exhausted="lost"))


class Watched(Policy):
    """Another policy, with a note of what it decided in its last run, and believed if it is asked.

    Parameters
    ----------
    policy : Policy
    asks : bool
        Whether it is asked what it believes of a query before it decides (``Policy.believes``).
    """

    def __init__(self, policy: Policy, asks: bool = False) -> None:
        self._policy = policy
        self._asks = asks
        self.estimator = policy.estimator
        self.paces = policy.paces
        self._noted: dict[int, tuple[float, Estimates | None, Decision]] = {}

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin a run and its note; the policy's gate holds from then on."""
        self._policy.reset(setting, rng)
        self.gate = self._policy.gate
        self._noted = {}

    def decide(self, query: Query, state: State) -> Decision:
        """Let the policy decide, and note it."""
        believed = self._policy.believes(query) if self._asks else None
        decision = self._policy.decide(query, state)
        self._noted[query.id] = (state.now_s, believed, decision)
        return decision

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Let the policy decide on a batch, and note it."""
        believed = [self._policy.believes(query) if self._asks else None for query in queries]
        decisions = self._policy.decide_batch(queries, state)
        for query, of_it, decision in zip(queries, believed, decisions, strict=False):  # the world complains of too few
            self._noted[query.id] = (state.now_s, of_it, decision)
        return decisions

    def learn(self, feedback: Feedback) -> None:
        """Pass it on."""
        self._policy.learn(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Pass it on."""
        self._policy.learn_score(feedback)

    def decided_at_s(self) -> list[float]:
        """Return when each query was decided on, in order of arrival."""
        return [now_s for _, (now_s, _, _) in sorted(self._noted.items())]

    def decisions(self) -> list[Decision]:
        """Return what was decided, in order of arrival."""
        return [decision for _, (_, _, decision) in sorted(self._noted.items())]

    def estimates(self) -> Estimates:
        """Return the quality and cost that it believed when it was asked, each (n_queries, n_deployments)."""
        believed = [self._noted[number][1] for number in sorted(self._noted)]
        asked = [each for each in believed if each is not None]
        return Estimates(np.array([each.quality for each in asked]), np.array([each.cost for each in asked]))
