"""Send each query to a deployment drawn uniformly at random."""

from __future__ import annotations

import numpy as np

from sim.interface import Decision, Policy, Query, Setting, State


class UniformRandom(Policy):
    """Every deployment with the same chance (PORT's baseline Random, arXiv 2509.02718, section 5)."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Draw for every query."""
        options = [Decision(deployment) for deployment in range(len(setting.fleet))]
        self._decisions: list[Decision] = [options[draw] for draw in rng.integers(len(options), size=setting.horizon)]

    def decide(self, query: Query, state: State) -> Decision:
        """Return the query's draw."""
        return self._decisions[query.id]
