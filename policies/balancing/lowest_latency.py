"""Choose the deployment that has answered fastest of late, by the latencies of past answers."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates
from sim.errors import check_number
from sim.interface import Decision, Feedback, Policy, Query, Setting, State


class LowestLatency(Policy):
    """argmin over available i of L_i, the exponentially weighted latency of what i has answered.

        L_i = 0                                       before the first answer, so that each is tried,
        L_i = latency                                 at the first answer,
        L_i = (1 - weight) L_i + weight x latency     at each answer after it.

    Ties go to the deployment that was sent the fewest queries, then to the lowest index: until answers come in,
    queries spread over all. If none is available, all count as available.

    A deployment whose latency has once been bad is not sent anything, so its estimate stays bad until the others are
    as bad; and all queries between two answers follow the same estimate. Both are faults of the rule, not of its
    settings.

    Parameters
    ----------
    weight : float
        Of the newest latency, in (0, 1].

    Raises
    ------
    ValueError
        If the weight is out of range.
    """

    def __init__(self, weight: float = 0.2) -> None:
        check_number("weight", weight, above=0, most=1)
        self._weight = weight

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Know of no latency."""
        n_deployments = len(setting.fleet)
        self._latency_s = [0.0] * n_deployments
        self._is_known = [False] * n_deployments
        self._sent = [0] * n_deployments

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmin."""
        chosen = min(candidates(state), key=lambda k: (self._latency_s[k], self._sent[k]))
        self._sent[chosen] += 1
        return Decision(chosen)

    def learn(self, feedback: Feedback) -> None:
        """Move the average towards the new latency."""
        k = feedback.deployment
        weight = self._weight if self._is_known[k] else 1.0
        self._latency_s[k] += weight * (feedback.latency_s - self._latency_s[k])
        self._is_known[k] = True
