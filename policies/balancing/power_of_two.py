"""Join the shorter of two queues drawn at random."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates, least_loaded_of, slots_of
from sim.interface import Decision, Policy, Query, Setting, State


class PowerOfTwo(Policy):
    """Draw two different available deployments, every pair with the same chance, and take the less loaded.

    Load is (queued + in flight) per slot; ties go to the fewer queries, then to the first drawn. A single available
    deployment is taken; if none is available, all count as available.
    """

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep the slots and the random stream."""
        self._slots = slots_of(setting)
        self._rng = rng

    def decide(self, query: Query, state: State) -> Decision:
        """Return the less loaded of two."""
        open_ones = candidates(state)
        n_open = len(open_ones)
        first, second = self._rng.random(2).tolist()  # drawn even for one, so that an outage shifts no later draw
        if n_open == 1:
            return Decision(open_ones[0])
        a = int(first * n_open)
        b = int(second * (n_open - 1))
        b += b >= a
        return Decision(least_loaded_of([open_ones[a], open_ones[b]], state, self._slots))
