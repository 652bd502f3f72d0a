"""Makes the queries of a run, and lets them arrive at the instance's times: an open loop. It knows no policy.

``Source`` is what an open loop and the users of a closed loop have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Protocol

import numpy as np
import simpy

from sim.instance import Instance
from sim.interface import Estimates, Query
from sim.truth import frozen
from sim.world.moment import ARRIVALS, Moment

BLOCK = 4096
END = (0.0, None)


class Source(Protocol):
    """Where the queries of a run come from.

    Attributes
    ----------
    following : Query or None
        The next query to arrive; None once the last has arrived.
    most_at_once : float
        How many queries can be in the system at one time; ``inf`` without a limit.
    """

    @property
    def following(self) -> Query | None: ...  # noqa: D102 - see the class
    @property
    def most_at_once(self) -> float: ...  # noqa: D102

    def begin(self, take: Callable[[Query], None]) -> None:
        """Call ``take`` with each query at its time of arrival, from now on."""
        ...


class OpenLoop:
    """A source with the instance's times of arrival; see ``Source``.

    Parameters
    ----------
    env : simpy.Environment
    upcoming : iterator of (float, Query)
        See ``arriving``.
    """

    def __init__(self, env: simpy.Environment, upcoming: Iterator[tuple[float, Query]]) -> None:
        self._env = env
        self._upcoming = upcoming
        self.following: Query | None = None
        self.most_at_once = math.inf

    def begin(self, take: Callable[[Query], None]) -> None:
        """Expect the first query."""
        self._take = take
        self._arrive(None)

    def _arrive(self, _: simpy.Event | None) -> None:
        """Expect the next query, then hand over the one that was expected, if this is not the beginning."""
        query = self.following
        gap_s, self.following = next(self._upcoming, END)
        if self.following is not None:
            Moment(self._env, gap_s, ARRIVALS).callbacks.append(self._arrive)
        if query is not None:
            self._take(query)


def arriving(instance: Instance, estimates: Estimates) -> Iterator[tuple[float, Query]]:
    """Yield each query in order of arrival, with the time since the one before.

    Rows are gathered a block at a time and queries made without their constructor, which takes a third of the time.
    """
    features, times_s = instance.features, np.cumsum(instance.gaps_s)
    for start in range(0, len(instance.rows), BLOCK):
        block = slice(start, start + BLOCK)
        rows, now_s = instance.rows[block], times_s[block]
        fields = zip(
            range(start, start + len(rows)),
            now_s.tolist(),
            frozen(features.embeddings[rows]),
            features.input_tokens[rows].tolist(),
            frozen(estimates.quality[rows]),
            frozen(estimates.cost[rows]),
            repeat(0, len(rows)) if instance.priority is None else instance.priority[rows].tolist(),
            repeat(math.inf, len(rows)) if instance.due_s is None else (now_s + instance.due_s[rows]).tolist(),
            repeat(1.0, len(rows)) if instance.preference is None else instance.preference[rows].tolist(),
            strict=True,
        )
        yield from zip(instance.gaps_s[block].tolist(), map(tuple.__new__, repeat(Query), fields), strict=True)
