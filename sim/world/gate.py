"""Gathers queries into batches for a policy that wants several at once, and lets decisions take their time.

It knows the clock; it knows no policy and does not look at decisions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import simpy

from sim.interface import Gate, Query
from sim.world.arriving import Source
from sim.world.moment import DECISIONS, Moment


class Batches:
    """Hands over queries together: see ``sim.interface.Gate`` for when a batch is whole.

    Parameters
    ----------
    env : simpy.Environment
    gate : Gate
    source : Source
        Where the queries come from: a batch that nothing can join any more is whole.
    decide : callable
        Called with each batch, a list of queries in order of arrival.
    """

    def __init__(
        self, env: simpy.Environment, gate: Gate, source: Source, decide: Callable[[list[Query]], None]
    ) -> None:
        self._env = env
        self._size = min(gate.size, source.most_at_once)
        self._window_s = gate.window_s
        self._source = source
        self._decide = decide
        self._gathered: list[Query] = []
        self._number = 0  # of the batch that is being gathered

    def take(self, query: Query) -> None:
        """Add a query to the batch."""
        self._gathered.append(query)
        if len(self._gathered) == self._size or self._source.following is None:
            self._hand_over()
        elif len(self._gathered) == 1 and self._window_s < math.inf:
            Moment(self._env, self._window_s, DECISIONS, self._number).callbacks.append(self._close_window)

    def close(self) -> None:
        """Hand over what is gathered, if anything is: nothing can join it any more."""
        if self._gathered:
            self._hand_over()

    def _close_window(self, event: simpy.Event) -> None:
        if event.value == self._number:  # otherwise that batch was full before its window ended
            self._hand_over()

    def _hand_over(self) -> None:
        queries, self._gathered = self._gathered, []
        self._number += 1
        self._decide(queries)


def after(env: simpy.Environment, delay_s: float, act: Callable[[], None], kind: int = DECISIONS) -> None:
    """Call ``act`` once a decision, or what else takes time, has taken it; at once, without an event, if it is none."""
    if delay_s == 0:
        act()
    else:
        Moment(env, delay_s, kind).callbacks.append(lambda _: act())
