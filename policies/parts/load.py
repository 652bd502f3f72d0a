"""How loaded a deployment is, from what a router observes of it.

Plain numbers rather than arrays: a fleet is small, and a decision is several times faster without NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.interface import Setting, State


def slots_of(setting: Setting) -> list[float]:
    """Return how many queries each deployment serves at once; ``inf`` for no limit."""
    return [deployment.slots for deployment in setting.fleet]


def candidates(state: State) -> list[int]:
    """Return the indices of the available deployments, in order; all of them if none is available.

    In an outage of the whole fleet a query thus goes where it would go otherwise, and the world, not the policy, says
    what becomes of it.
    """
    available = state.available.tolist()
    return [k for k, is_up in enumerate(available) if is_up] or list(range(len(available)))


def slots_now(slots: float, queued: int, in_flight: int) -> float:
    """Return the slots of a deployment, made finite where it has no limit and yet a queue.

    A deployment without a limit that keeps queries waiting is at some limit that nobody sees, such as requests per
    minute: its slots are what it has in flight, at least one.
    """
    return max(1, in_flight) if queued and math.isinf(slots) else slots


def load(slots: float, queued: int, in_flight: int) -> float:
    """Return (queued + in flight) per slot; 0 without a limit and a queue.

    >>> load(4, queued=2, in_flight=4), load(math.inf, queued=0, in_flight=90), load(math.inf, queued=9, in_flight=90)
    (1.5, 0.0, 1.1)
    """
    return (queued + in_flight) / slots_now(slots, queued, in_flight)


def least_loaded_of(chosen: Sequence[int], state: State, slots: Sequence[float]) -> int:
    """Return the index with the least load, ties to the fewer queries there and then to the earlier in ``chosen``."""
    queued, in_flight = state.queued.tolist(), state.in_flight.tolist()
    return min(chosen, key=lambda k: (load(slots[k], queued[k], in_flight[k]), queued[k] + in_flight[k]))
