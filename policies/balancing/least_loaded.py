"""Join the shortest queue, measured per slot."""

from __future__ import annotations

import math

import numpy as np

from policies.parts.load import candidates, least_loaded_of, load, slots_of
from sim.errors import check_number
from sim.interface import Decision, Policy, Query, Reasons, Setting, State


class LeastLoaded(Policy):
    """argmin over available i of (queued_i + in_flight_i) / places_i.

    Ties go to the fewer queries, then to the lowest index. With one slot each it is join-the-shortest-queue. If none
    is available, all count as available.

    Parameters
    ----------
    spill_at : float or None
        Rented first: a query goes to a deployment without a limit of slots, such as an API, only where every one with a
        limit has at least so many queries a slot, such as 0.8. None treats all alike, so that an API without a limit,
        whose load is always 0, takes nearly everything.
    """

    def __init__(self, spill_at: float | None = None) -> None:
        check_number("spill_at", spill_at, above=0, null="for no difference")
        self._spill_at = spill_at

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Keep the slots."""
        self._slots = slots_of(setting)

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show the load of each deployment, as a number below 0: waiting and in service, by slot."""
        queued, in_flight = state.queued.tolist(), state.in_flight.tolist()
        loads = [load(*each) for each in zip(self._slots, queued, in_flight, strict=True)]
        return Reasons(scores=0.0 - np.array(loads), words="it joins the shortest queue that it sees")

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmin."""
        there = candidates(state)
        return Decision(
            least_loaded_of(there if self._spill_at is None else self._first(there, state), state, self._slots)
        )

    def _first(self, there: list[int], state: State) -> list[int]:
        """Return those of the deployments that a query may go to as long as there is room at what is rented."""
        assert self._spill_at is not None
        limited = [k for k in there if math.isfinite(self._slots[k])]
        free = [k for k in limited if state.queued[k] + state.in_flight[k] < self._spill_at * self._slots[k]]
        return free or [k for k in there if k not in limited] or there
