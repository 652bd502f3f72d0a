"""Send every query to one deployment: an end of the line between the cheapest and the best."""

from __future__ import annotations

import numpy as np

from policies.greedy.cascade import averages
from sim.errors import unknown
from sim.interface import Decision, Policy, Query, Setting, State


class Always(Policy):
    """Send all to one deployment, with no next choices.

    Parameters
    ----------
    deployment : str
        Its name; ``cheapest`` or ``best`` for what is so on average in the history.

    Raises
    ------
    ValueError
        If the fleet has no such deployment.
    """

    def __init__(self, deployment: str = "cheapest") -> None:
        self._name = deployment

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find the deployment."""
        quality, cost = averages(setting.history)
        known = [info.name for info in setting.fleet]
        places = {"cheapest": int(np.argmin(cost)), "best": int(np.argmax(quality))}
        places |= {name: place for place, name in enumerate(known)}
        if self._name not in places:
            raise ValueError(unknown("deployment", self._name, [*known, "cheapest", "best"]))
        self._decision = Decision(places[self._name])

    def decide(self, query: Query, state: State) -> Decision:
        """Return it."""
        return self._decision
