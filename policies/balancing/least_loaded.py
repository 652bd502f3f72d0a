"""Join the shortest queue, measured per slot."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates, least_loaded_of, slots_of
from sim.interface import Decision, Policy, Query, Setting, State


class LeastLoaded(Policy):
    """argmin over available i of (queued_i + in_flight_i) / places_i.

    Ties go to the fewer queries, then to the lowest index. With one slot each it is join-the-shortest-queue. If none
    is available, all count as available.
    """

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep the slots."""
        self._slots = slots_of(setting)

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmin."""
        return Decision(least_loaded_of(candidates(state), state, self._slots))
