"""Lets the queries of a closed loop arrive: each user asks, waits for the end of its query, thinks, and asks again.

It knows no policy, and not how a query ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import simpy

from sim.interface import FloatArray, Query
from sim.world.moment import ARRIVALS, NEVER, Moment
from sim.world.record.requests import RequestTable


class Users:
    """The users of a closed loop, as a source; see ``sim.world.arriving.Source``.

    Parameters
    ----------
    env : simpy.Environment
    upcoming : iterator of (float, Query)
        See ``sim.world.arriving.arriving``; its times are not used.
    n_users : int
    think_s : array (n_queries,)
        How long its user thinks before each query.
    table : RequestTable or None
        Gets the times of arrival, unless what arrives are tasks.
    """

    def __init__(
        self,
        env: simpy.Environment,
        upcoming: Iterator[tuple[float, Query]],
        n_users: int,
        think_s: FloatArray,
        table: RequestTable | None,
    ) -> None:
        self._env = env
        self._upcoming = upcoming
        self._n_thinking = min(n_users, len(think_s))  # a user after the last query has nothing to ask
        self._think_s = iter(think_s.tolist())
        self._table = table
        self._n_users = n_users
        self._following: Query | None = None

    def begin(self, take: Callable[[Query], None]) -> None:
        """Let every user think for the first time."""
        self._take = take
        self._following = next(self._upcoming, NEVER)[1]
        for _ in range(self._n_thinking):
            self.think()

    def waits_for_more(self, n_waiting: int) -> bool:
        """Return whether the last query has not arrived, and some user does not wait."""
        return self._following is not None and n_waiting < self._n_users

    def think(self) -> None:
        """Let one user think about the next query, if there is one: at first, and when its last query has ended."""
        think_s = next(self._think_s, None)
        if think_s is not None:
            Moment(self._env, think_s, ARRIVALS).callbacks.append(self._ask)

    def _ask(self, _: simpy.Event) -> None:
        """Hand over the next query, for whichever user has thought enough."""
        query = self._following
        assert query is not None
        self._following = next(self._upcoming, NEVER)[1]
        now_s = self._env.now
        if self._table is not None:
            self._table.arrived_at_s[query.id] = self._table.decided_at_s[query.id] = now_s
        self._take(query._replace(arrived_at_s=now_s, deadline_s=now_s + query.deadline_s))
