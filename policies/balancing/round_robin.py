"""Send queries to the deployments in turn, whatever their queues."""

from __future__ import annotations

import numpy as np

from sim.interface import Decision, Policy, Query, Reasons, Setting, State


class RoundRobin(Policy):
    """The next deployment in the order of the fleet, and after the last the first.

    One that is unavailable misses its turn; if none is available, nobody misses a turn. Over c identical servers
    Poisson arrivals reach each as a renewal process with Erlang(c) gaps, so each is an E_c/M/1 queue.
    """

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin with the first."""
        self._next = 0

    def reasons(self, query: Query, state: State) -> Reasons:
        """Say that each deployment has its turn."""
        return Reasons(words="it takes the deployments in turn, whatever the query")

    def decide(self, query: Query, state: State) -> Decision:
        """Return whose turn it is."""
        n_deployments = len(state.available)
        chosen = self._next
        if not state.available[chosen] and state.available.any():
            turns = np.roll(state.available, -chosen)
            chosen = (chosen + int(turns.argmax())) % n_deployments
        self._next = (chosen + 1) % n_deployments
        return Decision(chosen)
