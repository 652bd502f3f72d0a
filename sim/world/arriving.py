"""Makes the queries of a run, and lets them arrive at the instance's times: an open loop. It knows no policy.

``Source`` is what an open loop and the users of a closed loop have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Protocol

import numpy as np

from sim.instance import Instance
from sim.interface import Estimates, FloatArray, IntArray, Query
from sim.truth import frozen
from sim.world.moment import Clock

BLOCK = 512  # queries whose numbers are gathered at a time, so that they stay in the cache


class Source(Protocol):
    """Where the queries of a run come from."""

    def begin(self, take: Callable[[Query], None]) -> None:
        """Call ``take`` with each query at its time of arrival, from now on."""
        ...

    def waits_for_more(self, n_waiting: int) -> bool:
        """Return whether another query may arrive while so many wait for their decision."""
        ...


class Upcoming(Protocol):
    """Estimates that are made as queries come, so that those of all queries are never there at once."""

    def of(self, rows: IntArray) -> Estimates:
        """Return predicted quality and cost of these test rows, each (n_rows, n_deployments)."""
        ...


class OpenLoop:
    """A source with the instance's times of arrival; see ``Source``.

    Parameters
    ----------
    env : Clock
    upcoming : iterator of (float, Query)
        See ``arriving``.
    """

    def __init__(self, env: Clock, upcoming: Iterator[tuple[float, Query]]) -> None:
        self._env = env
        self._upcoming = upcoming

    def begin(self, take: Callable[[Query], None]) -> None:
        """Leave it to the clock."""
        self._env.let_arrive(self._upcoming, take)

    def waits_for_more(self, n_waiting: int) -> bool:
        """Return whether the last query has not arrived."""
        return self._env.expects_arrival


def arriving(instance: Instance, estimates: Estimates | Upcoming) -> Iterator[tuple[float, Query]]:
    """Yield each query in order of arrival, with the time since the one before."""
    gaps_s = instance.gaps_s
    blocks = (gaps_s[start : start + BLOCK].tolist() for start in range(0, len(gaps_s), BLOCK))
    return zip(chain.from_iterable(blocks), made(instance, estimates, np.cumsum(instance.gaps_s)), strict=True)


def made(instance: Instance, estimates: Estimates | Upcoming, times_s: FloatArray) -> Iterator[Query]:
    """Yield the query of each of the instance's rows, as it arrives at these times (n_queries,).

    Rows are gathered a block at a time and queries made without their constructor, which takes a third of the time.
    """
    features, session = instance.features, instance.session
    for start in range(0, len(instance.rows), BLOCK):
        block = slice(start, start + BLOCK)
        rows, now_s = instance.rows[block], times_s[block]
        fields = zip(
            range(start, start + len(rows)),
            now_s.tolist(),
            frozen(features.embeddings[rows]),
            features.input_tokens[rows].tolist(),
            *of_rows(estimates, rows),
            repeat(0, len(rows)) if instance.priority is None else instance.priority[rows].tolist(),
            repeat(math.inf, len(rows)) if instance.due_s is None else (now_s + instance.due_s[rows]).tolist(),
            repeat(1.0, len(rows)) if instance.preference is None else instance.preference[rows].tolist(),
            repeat(None, len(rows)),
            repeat((), len(rows)) if instance.prefix is None else instance.prefix[rows].rows(),
            repeat(None, len(rows)) if session is None else session[rows].tolist(),
            strict=True,
        )
        yield from map(tuple.__new__, repeat(Query), fields)


def of_rows(estimates: Estimates | Upcoming, rows: IntArray) -> tuple[Iterable[FloatArray], Iterable[FloatArray]]:
    """Return predicted quality and predicted cost of each of these test rows, read-only arrays (n_deployments,)."""
    if isinstance(estimates, Estimates):
        return each_row(estimates.quality, rows), each_row(estimates.cost, rows)
    predicted = estimates.of(rows)
    return frozen(predicted.quality), frozen(predicted.cost)


def each_row(numbers: FloatArray, rows: IntArray) -> Iterable[FloatArray]:
    """Return the rows (n_deployments,) of an array (n_test, n_deployments), read-only; one object where all are one.

    The means of the history, which policies without an estimator see, are the same for every query.
    """
    if numbers.strides[0] == 0:
        row: FloatArray = numbers[0]
        return repeat(frozen(row), len(rows))
    return frozen(numbers[rows])


def beginning(instance: Instance, queries: Sequence[Query]) -> Iterator[tuple[float, Query]]:
    """Yield the first step of each task, numbered by its task, with the time since the one before.

    Parameters
    ----------
    instance : Instance
        Of tasks.
    queries : sequence of Query
        Of each of the instance's rows.
    """
    assert instance.tasks is not None
    times_s = np.cumsum(instance.gaps_s).tolist()
    firsts = zip(instance.gaps_s.tolist(), times_s, instance.tasks.begins[:-1].tolist(), strict=True)
    for number, (gap_s, now_s, place) in enumerate(firsts):
        yield gap_s, queries[place]._replace(id=number, arrived_at_s=now_s)
