"""How loaded a deployment is, from what a router observes of it. It knows no quality, cost or budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.interface import FloatArray, IntArray, Setting, State


def places_of(setting: Setting) -> FloatArray:
    """Return how many queries each deployment serves at once (n_deployments,); ``inf`` for no limit."""
    return np.array([deployment.places for deployment in setting.fleet])


def candidates(state: State) -> IntArray:
    """Return the indices of the available deployments, in order; all of them if none is available.

    In an outage of the whole fleet a query thus goes where it would go otherwise, and the world, not the policy, says
    what becomes of it.
    """
    available: IntArray = state.available.nonzero()[0]
    return available if available.size else np.arange(len(state.available))


def places_now(state: State, places: FloatArray) -> FloatArray:
    """Return the places (n_deployments,) with those of an unlimited deployment that has a queue made finite.

    A deployment without a limit that keeps queries waiting is at some limit that nobody sees, such as requests per
    minute: its places are what it has in flight, at least one.
    """
    is_at_unseen_limit = np.isinf(places) & (state.queued > 0)
    return np.where(is_at_unseen_limit, np.maximum(state.in_flight, 1), places)


def load(state: State, places: FloatArray) -> FloatArray:
    """Return (queued + in flight) per place (n_deployments,); 0 for an unlimited deployment without a queue.

    Parameters
    ----------
    state : State
    places : array (n_deployments,)
        As of ``places_of``.
    """
    per_place: FloatArray = (state.queued + state.in_flight) / places_now(state, places)
    return per_place


def least_loaded_of(chosen: Sequence[int] | IntArray, state: State, places: FloatArray) -> int:
    """Return the index with the least load, ties to the fewer queries there and then to the earlier in ``chosen``."""
    loads, present = load(state, places), state.queued + state.in_flight
    return int(min(chosen, key=lambda k: (loads[k], present[k])))
