"""Send every query to one deployment: an end of the line between the cheapest and the best."""

from __future__ import annotations

import numpy as np

from policies.parts.named_deployments import pair_of, place_of
from sim.interface import Decision, Policy, Query, Reasons, Setting, State

BY_MEAN = ("cheapest", "best")


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
        by_mean = dict(zip(BY_MEAN, pair_of(setting, None), strict=True))
        is_name = any(info.name == self._name for info in setting.fleet)
        place = None if is_name else by_mean.get(self._name)
        self._decision = Decision(place_of(setting, self._name, BY_MEAN) if place is None else place)

    def reasons(self, query: Query, state: State) -> Reasons:
        """Say that there is no choice."""
        return Reasons(words="every query goes there")

    def decide(self, query: Query, state: State) -> Decision:
        """Return it."""
        return self._decision
