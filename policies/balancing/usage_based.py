"""Choose the deployment that has used the fewest tokens in the current minute."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates
from sim.interface import Decision, Feedback, Policy, Query, Setting, State

MINUTE_S = 60.0


class UsageBased(Policy):
    """argmin over available i of the tokens that i has used in the current minute of the clock.

    The usage-based strategy of LiteLLM's router: a query counts with its input tokens when it is sent. What it really
    used shows at completion if its deployment's budget is in tokens (the feedback's cost is input plus output tokens
    then), and the output tokens are added in the minute that is current then; in other units they stay unknown. Ties
    go to the lowest index, as at the start of every minute. If none is available, all count as available.
    """

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin an unused minute."""
        self._is_in_tokens = [deployment.unit == "tokens" for deployment in setting.fleet]
        self._minute = -1.0
        self._turn_to(0.0)

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmin and count the input tokens."""
        self._turn_to(state.now_s // MINUTE_S)
        chosen = min(candidates(state), key=self._used_tokens.__getitem__)
        self._used_tokens[chosen] += query.input_tokens
        return Decision(chosen)

    def learn(self, feedback: Feedback) -> None:
        """Count the output tokens, if they can be seen."""
        if self._is_in_tokens[feedback.deployment]:
            self._turn_to((feedback.query.arrived_at_s + feedback.latency_s) // MINUTE_S)
            self._used_tokens[feedback.deployment] += feedback.cost - feedback.query.input_tokens

    def _turn_to(self, minute: float) -> None:
        if minute > self._minute:
            self._minute = minute
            self._used_tokens = [0.0] * len(self._is_in_tokens)
