"""Another policy, with a note of what it saw and why it decided, query by query. It changes no decision."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from sim.interface import Decision, Estimates, Policy, Query, Reasons, Setting, State
from sim.study.replay import Watched


@dataclass(frozen=True)
class Note:
    """What a policy saw of one query, and decided.

    Parameters
    ----------
    query : Query
    state : State
        A copy, as of the moment of the decision.
    believed : Estimates
        What it took the query's quality and cost to be, each (n_deployments,).
    reasons : Reasons or None
        What it said of them; None if it says nothing.
    decision : Decision
    """

    query: Query
    state: State
    believed: Estimates
    reasons: Reasons | None
    decision: Decision


class Noted(Watched):
    """Another policy, with notes of its last run.

    Parameters
    ----------
    policy : Policy
    wanted : container of int or None
        Of which queries, by number; None for all.

    Attributes
    ----------
    notes : dict of int to Note
        By the number of the query; a cache may have answered the others.
    """

    def __init__(self, policy: Policy, wanted: Container[int] | None = None) -> None:
        super().__init__(policy)
        self._wanted = wanted
        self.notes: dict[int, Note] = {}

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin a run and its notes."""
        super().reset(setting, rng)
        self.notes = {}

    def decide(self, query: Query, state: State) -> Decision:
        """Let the policy decide, and note what it saw before."""
        seen = self._seen(query, state)
        decision = super().decide(query, state)
        self._note(query, seen, decision)
        return decision

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Let the policy decide on a batch, and note what it saw before."""
        seen = [self._seen(query, state) for query in queries]
        decisions = super().decide_batch(queries, state)
        for query, of_it, decision in zip(queries, seen, decisions, strict=False):  # the world complains of too few
            self._note(query, of_it, decision)
        return decisions

    def _seen(self, query: Query, state: State) -> tuple[State, Estimates, Reasons | None] | None:
        if self._wanted is not None and query.id not in self._wanted:
            return None
        believed, reasons = self._policy.believes(query), self._policy.reasons(query, state)
        queued, in_flight, available = state.queued.copy(), state.in_flight.copy(), state.available.copy()
        kept = State(state.now_s, queued, in_flight, state.remaining.copy(), available)
        return kept, Estimates(*map(np.array, believed)), reasons

    def _note(self, query: Query, seen: tuple[State, Estimates, Reasons | None] | None, decision: Decision) -> None:
        if seen is not None and isinstance(decision, Decision):  # or the world complains
            self.notes[query.id] = Note(query, *seen, decision)
