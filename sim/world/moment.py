"""Orders all that happens at one time. It knows the clock, and no query, server or policy.

SimPy orders events of one time by priority, and events of one priority by when they were planned. Everything that the
world plans has one of the priorities below, so that a tie is broken by what the events are, whatever else happened
before. docs/reference/semantics.md has the rule in words.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from itertools import repeat
from typing import Any

import simpy
from simpy.core import EmptySchedule
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

CALL = 5  # parts of what is in the queue: time, priority, number, and what to call with what; an event has one less
NEVER: tuple[float, Any] = (math.inf, None)
Calls = list[tuple[float, int, int, Callable[[Any], None], Any]]


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


class Clock(simpy.Environment):
    """SimPy's environment, with calls in its queue beside its events, and arrivals beside its queue.

    A call happens in the turn that an event would have that is planned in its place, and costs a fraction of one: there
    is nothing to wait for and to fail. Arrivals come in order, so one place for the next of them is queue enough. A
    second queue is for decisions of the present time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls: Calls = self._queue  # type: ignore[assignment]  # among its events, which have four parts
        self._decisions: deque[tuple[float, int, int, Callable[[Any], None], Any]] = deque()
        self._arrivals: Iterator[tuple[float, Any]] = iter(())
        self._arrival_s, self._arrival = NEVER  # the next one
        self._arrival_number = 0  # which of what was planned for one time and priority comes first

    def call(self, delay_s: float, priority: int, act: Callable[[Any], None], value: Any = None) -> None:
        """Call ``act`` with a value after so many seconds."""
        heappush(self._calls, (self._now + delay_s, priority, next(self._eid), act, value))

    def call_at(self, time_s: float, priority: int, act: Callable[[Any], None], value: Any = None) -> None:
        """Call ``act`` with a value at a time, which is not past."""
        heappush(self._calls, (time_s, priority, next(self._eid), act, value))

    def decide(self, act: Callable[[Any], None], value: Any) -> None:
        """Call ``act`` with a value at this time, in the turn of a decision that is planned now."""
        self._decisions.append((self._now, DECISIONS, next(self._eid), act, value))

    def let_arrive(self, arrivals: Iterator[tuple[float, Any]], take: Callable[[Any], None]) -> None:
        """Call ``take`` with what arrives, each so many seconds after the one before: the only arrivals of a run.

        Each has the turn of an arrival that is planned when the one before it comes.
        """
        self._arrivals, self._take = arrivals, take
        gap_s, self._arrival = next(arrivals, NEVER)
        self._arrival_s, self._arrival_number = self._now + gap_s, next(self._eid)

    @property
    def expects_arrival(self) -> bool:
        """Whether anything is still to arrive."""
        return self._arrival is not None

    def peek(self) -> float:
        """Return when the next event, arrival or decision happens, ``inf`` for never."""
        return self._now if self._decisions else min(self._arrival_s, super().peek())

    def step(self) -> None:
        """Let the next event, call or arrival happen, and then all decisions that come before the one after it."""
        if not self._go(repeat(None, 1)):
            raise EmptySchedule

    def run(self, until: Any = None) -> Any:
        """Let everything happen, until there is nothing left or, as SimPy has it, until an event or a time."""
        if until is not None:
            return super().run(until)
        self._go(repeat(None))
        return None

    def _go(self, turns: Iterable[None]) -> bool:
        """Let happen as much as there are turns; return whether there was something for each of them."""
        calls, decisions = self._calls, self._decisions
        for _ in turns:
            if calls and (
                (first := calls[0])[0] < self._arrival_s
                or (first[0] == self._arrival_s and first[1:3] < (ARRIVALS, self._arrival_number))
            ):
                if len(first) == CALL:
                    self._now, _, _, act, value = heappop(calls)
                    act(value)
                else:
                    super().step()
            elif (arrival := self._arrival) is not None:
                now_s = self._now = self._arrival_s
                gap_s, self._arrival = next(self._arrivals, NEVER)
                self._arrival_s, self._arrival_number = now_s + gap_s, next(self._eid)
                self._take(arrival)
            else:
                return False
            while decisions and (not calls or decisions[0] < calls[0]):
                _, _, _, act, value = decisions.popleft()
                act(value)
        return True
