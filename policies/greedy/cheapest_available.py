"""Choose the deployment of least predicted cost whose queue is short."""

from __future__ import annotations

import numpy as np

from policies.parts.load import candidates, least_loaded_of, slots_of
from policies.parts.paying import among_payers
from sim.errors import check_number
from sim.interface import Decision, Estimator, Policy, Query, Setting, State


class CheapestAvailable(Policy):
    """argmin of cost_hat_i over available i with at most ``max_queued`` queries waiting, ties to the lowest index.

    If all of them have more waiting, the least loaded (queued + in flight per slot) is taken, whatever it costs. The
    next choices named are the other unsaturated ones, cheapest first. If none is available, all count as available.
    Where refused queries are lost, only those whose settled budget covers the estimated cost count, if any does.
    Costs in budgets of different units (USD and tokens) are not comparable; this rule compares them all the same.

    Parameters
    ----------
    estimator : Estimator
    max_queued : int
        A deployment with more waiting is saturated; 0 means that its queue must be empty.

    Raises
    ------
    ValueError
        If max_queued is negative.
    """

    def __init__(self, estimator: Estimator, max_queued: int = 0) -> None:
        check_number("max_queued", max_queued, least=0)
        self.estimator = estimator
        self._max_queued = max_queued

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep the slots and how refused queries go on."""
        self._slots = slots_of(setting)
        self._refused = setting.refused

    def decide(self, query: Query, state: State) -> Decision:
        """Return the cheapest that is not saturated, or the least loaded."""
        open_ones = among_payers(candidates(state), query, state, self._refused)
        queued, cost = state.queued.tolist(), query.cost_hat.tolist()
        unsaturated = [k for k in open_ones if queued[k] <= self._max_queued]
        if not unsaturated:
            return Decision(least_loaded_of(open_ones, state, self._slots))
        cheapest_first = sorted(unsaturated, key=cost.__getitem__)
        return Decision(cheapest_first[0], cheapest_first[1:])
