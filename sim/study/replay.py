"""Decisions noted in one run and carried out in another.

A replay looks at nothing: it sends each query where it is told, so that a plan made with hindsight, or what a policy
decided before, goes through the same world as every policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from sim.assignment.certified import GAP
from sim.assignment.program import DECLINE, Bound
from sim.instance import Instance
from sim.interface import (
    Answer,
    Combine,
    Decision,
    Estimates,
    Feedback,
    FloatArray,
    Hit,
    IntArray,
    Keep,
    Policy,
    Query,
    Setting,
    State,
    reviews,
)


class Replay(Policy):
    """Carry out decisions, one per query in order of arrival."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = decisions

    def decide(self, query: Query, state: State) -> Decision:
        """Look it up."""
        return self._decisions[query.id]


class ReplayCalls(Policy):
    """Make the calls of a run again, round by round, and keep what it kept.

    A call that is refused this time is an answer that never came; if it was the one that was kept, the answer is kept
    that came first.

    Parameters
    ----------
    requests, calls : DataFrame
        The tables of that run.
    """

    def __init__(self, requests: pd.DataFrame, calls: pd.DataFrame) -> None:
        self._rounds: list[list[list[int]]] = [[] for _ in range(len(requests))]
        self._kept: dict[int, int] = {}
        codes = calls["deployment"].cat.codes.tolist()
        n_calls = [0] * len(requests)
        for query, number, deployment, kept in zip(calls["query"], calls["round"], codes, calls["kept"], strict=True):
            if number == len(self._rounds[query]):
                self._rounds[query].append([])
            self._rounds[query][number].append(deployment)
            if kept:
                self._kept[query] = n_calls[query]
            n_calls[query] += 1
        self._given_up = set(requests.loc[requests["fate"] == "declined", "id"])

    def decide(self, query: Query, state: State) -> Decision:
        """Ask for the first round."""
        return self._ask(query.id, 0)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Ask for the next round; after the last one do as the run did."""
        n_asked = n_rounds = 0
        while n_asked < len(answers):
            n_asked += len(self._rounds[query.id][n_rounds])
            n_rounds += 1
        if n_rounds < len(self._rounds[query.id]):
            return self._ask(query.id, n_rounds)
        kept = self._kept.get(query.id)
        if kept is not None and answers[kept].came:
            return Keep(kept)
        return Decision(None) if query.id in self._given_up else super().review(query, answers, state)

    def _ask(self, number: int, round_: int) -> Decision:
        rounds = self._rounds[number]
        return Decision(rounds[round_][0], alongside=rounds[round_][1:]) if rounds else Decision(None)


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
        self.gate = policy.gate  # a run looks at it before it resets its policy
        self.paces = policy.paces
        self._noted: dict[int, tuple[float, Estimates | None, Decision]] = {}
        self._reviewed: dict[tuple[int, int], tuple[float, Decision | Keep | Combine]] = {}
        if reviews(policy):  # only then, as a policy without a review takes no rounds
            self.review = self._review  # type: ignore[method-assign]

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin a run and its note."""
        self._policy.reset(setting, rng)
        self._noted = {}
        self._reviewed = {}

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

    def _review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Let the policy review, and note it."""
        outcome = self._policy.review(query, answers, state)
        self._reviewed[query.id, len(answers)] = (state.now_s, outcome)
        return outcome

    def learn(self, feedback: Feedback) -> None:
        """Pass it on."""
        self._policy.learn(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        """Pass it on."""
        self._policy.learn_score(feedback)

    def learn_hit(self, hit: Hit) -> None:
        """Pass it on."""
        self._policy.learn_hit(hit)

    def learn_price(self, deployment: int, factor: float) -> None:
        """Pass it on."""
        self._policy.learn_price(deployment, factor)

    def decided(self) -> dict[int, tuple[float, Decision]]:
        """Return when each query was decided on, and what, by its number; a cache may have answered the others."""
        return {number: (now_s, decision) for number, (now_s, _, decision) in sorted(self._noted.items())}

    def decisions(self) -> list[Decision]:
        """Return what was decided, in order of arrival."""
        return [decision for _, (_, _, decision) in sorted(self._noted.items())]

    def reviewed(self) -> dict[tuple[int, int], tuple[float, Decision | Keep | Combine]]:
        """Return when each review was, and what came of it, by the query and its number of calls so far."""
        return self._reviewed

    def estimates(self) -> Estimates:
        """Return the quality and cost that it believed when it was asked, each (n_queries, n_deployments)."""
        believed = [self._noted[number][1] for number in sorted(self._noted)]
        asked = [each for each in believed if each is not None]
        return Estimates(np.array([each.quality for each in asked]), np.array([each.cost for each in asked]))
