"""Orders all that happens at one time. It knows the clock, and no query, server or policy.

SimPy orders events of one time by priority, and events of one priority by when they were planned. Everything that the
world plans has one of the priorities below, so that a tie is broken by what the events are, whatever else happened
before. docs/reference/semantics.md has the rule in words.
"""

from __future__ import annotations

from typing import Any

import simpy
from simpy.events import NORMAL, Event

COMPLETIONS = -2  # a query ends, or a server has room again
TIME_LIMITS = -1  # a time-out, or patience that ends
EVENTS: int = NORMAL  # outages, prices and the like, and replicas that open: what processes plan by ``env.timeout``
WINDOWS = 2  # budgets are renewed, and queries that wait for them are offered
AUTOSCALERS = 3
SNAPSHOTS = 4  # what policies see of a stale state
RETRIES = 5
DECISIONS = 6  # a gate closes, or a decision has taken its time
ARRIVALS = 7


class Moment(Event):
    """An event of SimPy that happens after ``delay_s`` seconds, in the order of its priority.

    It is SimPy's ``Timeout``, which has no priority of its own to give.
    """

    def __init__(self, env: simpy.Environment, delay_s: float, priority: int, value: Any = None) -> None:
        self.env = env
        self.callbacks = []
        self._value = value
        self._ok = True
        env.schedule(self, priority, delay_s)  # type: ignore[arg-type]  # any whole number orders
