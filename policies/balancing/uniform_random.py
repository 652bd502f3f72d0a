"""Send each query to a deployment drawn uniformly at random."""

from __future__ import annotations

import numpy as np

from sim.interface import Decision, Policy, Query, Reasons, Setting, State


class UniformRandom(Policy):
    """Every deployment with the same chance (PORT's baseline Random, arXiv 2509.02718, section 5)."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Draw for as many queries as are expected."""
        self._options = [Decision(deployment) for deployment in range(len(setting.fleet))]
        self._rng, self._block = rng, max(setting.horizon, 1)
        self._decisions: list[Decision] = []
        self._draw()

    def reasons(self, query: Query, state: State) -> Reasons:
        """Say that chance decides."""
        return Reasons(words="chance decides, whatever the query")

    def decide(self, query: Query, state: State) -> Decision:
        """Return the query's draw."""
        while query.id >= len(self._decisions):  # more steps of tasks may come than are expected
            self._draw()
        return self._decisions[query.id]

    def _draw(self) -> None:
        options = self._options
        self._decisions += [options[draw] for draw in self._rng.integers(len(options), size=self._block)]
