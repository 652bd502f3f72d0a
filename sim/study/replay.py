"""Decisions noted in one run and carried out in another.

A replay looks at nothing: it sends each query where it is told, so that a plan made with hindsight, or what a policy
decided before, goes through the same world as every policy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.assignment.program import DECLINE
from sim.interface import Decision, Estimates, Feedback, IntArray, Policy, Query, Setting, State


class Replay(Policy):
    """Carry out decisions, one per query in order of arrival."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = decisions

    def decide(self, query: Query, state: State) -> Decision:
        """Look it up."""
        return self._decisions[query.id]


def planned(plan: IntArray) -> list[Decision]:
    """Return the decisions of a plan (n_queries,): a deployment for each arrival, ``DECLINE`` for none."""
    return [Decision(None if choice == DECLINE else choice) for choice in plan.tolist()]


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
