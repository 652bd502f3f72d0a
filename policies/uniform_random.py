"""Choose at random."""

from __future__ import annotations

import numpy as np

from sim.interface import Decision, Policy, Query, Setting, State


class UniformRandom(Policy):
    """Every deployment with the same chance (PORT's baseline Random, arXiv 2509.02718, section 5)."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep the random stream."""
        self._choices = rng.integers(len(setting.fleet), size=setting.horizon).tolist()

    def decide(self, query: Query, state: State) -> Decision:
        """Return the query's draw."""
        return Decision(self._choices[query.id])
