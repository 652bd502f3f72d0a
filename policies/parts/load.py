"""How loaded a deployment is, from what a router observes of it.

Plain numbers rather than arrays: a fleet is small, and a decision is several times faster without NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim.interface import Feedback, FloatArray, Query, Setting, State


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


class SlotTime:
    """What the slots of each deployment can still serve until the last arrival, in the unit of its costs.

    Slots x time left / (seconds of service per unit of cost). A query that had ``ahead`` before it shows a service
    time of latency / (1 + ahead / slots), in the mean; the time left is that of the queries to come at the rate so far.

    Parameters
    ----------
    setting : Setting
    """

    def __init__(self, setting: Setting) -> None:
        self._slots = np.array(slots_of(setting))
        self._seconds, self._cost = np.zeros((2, len(self._slots)))
        self._found: dict[int, tuple[int, float]] = {}

    def send(self, query: Query, deployment: int, state: State) -> None:
        """Note how many queries are before this one."""
        ahead = max(0.0, state.queued[deployment] + state.in_flight[deployment] + 1 - self._slots[deployment])
        self._found[query.id] = deployment, 1 + ahead / self._slots[deployment]

    def learn(self, feedback: Feedback) -> None:
        """Learn how long a unit of cost takes, of a query that went where it was sent."""
        sent, turns = self._found.pop(feedback.query.id, (-1, 1.0))
        if sent == feedback.deployment and feedback.cost > 0:
            self._seconds[sent] += feedback.latency_s / turns
            self._cost[sent] += feedback.cost

    def left(self, query: Query, horizon: int, now_s: float) -> FloatArray:
        """Return it (n_deployments,); ``inf`` where nothing is known or there is no limit."""
        time_left_s = max(horizon - query.id, 1) * now_s / max(query.id, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found: FloatArray = np.where(
                self._seconds > 0, self._slots * time_left_s * self._cost / self._seconds, np.inf
            )
        return found
