"""Selects the rows of a workload that a replication has: which arrive, and which the history keeps.

It knows no fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from sim.errors import unknown
from sim.interface import FloatArray, IntArray
from sim.renewing import seconds
from sim.scenario import Scenario
from sim.traits import ArrivalsTraits, OrderTraits
from sim.workload import Rows
from sim.workload.tasks import Reward, earned, taken_in_order


def unseen_topics(scenario: Scenario) -> tuple[str, ...]:
    """Return the topics that the history lacks: the scenario's, and those of an order that brings unseen ones."""
    return (*scenario.unseen, *OrderTraits.of(scenario.order).unseen)


def seen(history: Rows, unseen: Sequence[str]) -> Rows:
    """Return the history without some topics; raise ValueError as ``seen_rows`` does."""
    return history.take(seen_rows(history, unseen)) if unseen else history


def seen_rows(history: Rows, unseen: Sequence[str]) -> IntArray:
    """Return the history rows that are not of some topics; raise ValueError for an unknown one, or if none is left."""
    if not unseen:
        return np.arange(len(history))
    if history.source is None:
        raise ValueError(
            f"topic {unseen[0]!r} is to be unseen, and the workload has no topics: add the column 'source'"
        )
    topics = np.unique(history.source.astype(str)).tolist()
    for topic in unseen:
        if topic not in topics:
            raise ValueError(unknown("topic", topic, topics))
    keep = np.flatnonzero(~np.isin(history.source.astype(str), list(unseen)))
    if not len(keep):
        raise ValueError(f"no history is left without {', '.join(map(repr, unseen))}; leave at least one topic in it")
    return keep


def arriving_rows(scenario: Scenario, replication: int, rng: np.random.Generator) -> IntArray:
    """Return which test rows arrive, before they are put in order.

    All, a random subset, draws with replacement (all alike, or by a law of the order), or those that the order names.
    Of tasks, their first steps.
    """
    rows = arrivals_of(scenario.workload.test)
    available = len(rows)
    order = OrderTraits.of(scenario.order)
    if order.arriving is not None:
        return check_named(order.arriving(replication), scenario)
    n_queries = scenario.n_queries or available
    if order.drawn is not None:
        return rows[order.drawn(available, n_queries, rng)]
    if order.with_replacement:
        return rows[rng.integers(available, size=n_queries)]
    if n_queries > available:
        what = "test queries" if scenario.workload.test.steps is None else "tasks"
        raise ValueError(
            f"n_queries is {n_queries}, and the workload has {available} {what}; "
            "take at most that many, or order=resampled, which draws with replacement"
        )
    if n_queries == available:
        return rows
    return rows[np.sort(rng.choice(available, n_queries, replace=False))]


MOST_QUERIES = 10_000_000  # of a run by its duration


def n_within(scenario: Scenario, times_s: Callable[[int], FloatArray]) -> int:
    """Return how many queries (or tasks) arrive within a scenario's duration, the first included.

    Parameters
    ----------
    scenario : Scenario
    times_s : callable
        From a number of arrivals to when they come.

    Raises
    ------
    ValueError
        If nobody knows beforehand when queries come, or the workload has too few.
    """
    assert scenario.duration is not None
    lasts_s, traits = seconds(scenario.duration), ArrivalsTraits.of(scenario.arrivals)
    if traits.users is not None or traits.times_of_rows is not None:
        what = "users who wait for answers" if traits.users is not None else "blocks of a trace"
        raise ValueError(
            f"duration is {scenario.duration}, and when queries come of {what} is not known; give n_queries"
        )
    order, available = OrderTraits.of(scenario.order), len(arrivals_of(scenario.workload.test))
    n_queries = available
    while True:
        came_s = times_s(n_queries)
        within = int(np.searchsorted(came_s - came_s[0], lasts_s, side="right"))
        if within < n_queries:
            return within
        if not order.with_replacement or order.arriving is not None:
            raise ValueError(
                f"duration is {scenario.duration}, and the workload's {available} test queries have all come after "
                f"{came_s[-1] - came_s[0]:.4g} s; order=resampled draws more of them, with replacement"
            )
        n_queries *= 2
        if n_queries > MOST_QUERIES:
            raise ValueError(
                f"duration is {scenario.duration}, in which more than {MOST_QUERIES} queries come; shorten it"
            )


def arrivals_of(test: Rows) -> IntArray:
    """Return the test rows that arrive of themselves: all, or of tasks the first steps."""
    return np.arange(len(test)) if test.steps is None else np.flatnonzero(test.steps.step == 1)


def with_steps(test: Rows, arriving: IntArray) -> tuple[IntArray, IntArray | None]:
    """Return the rows that arriving rows bring, and of tasks where in them each begins (n_tasks + 1,)."""
    return (arriving, None) if test.steps is None else taken_in_order(test.steps, arriving)


def to_sort(test: Rows, arriving: IntArray, reward: Reward) -> Rows:
    """Return what an order sorts: the arriving rows, or of tasks one row each, of what every model would do alone."""
    return test.take(arriving) if test.steps is None else in_one(test, arriving, reward)


def in_one(test: Rows, heads: IntArray, reward: Reward) -> Rows:
    """Return tasks as rows by which an order may sort them (n_tasks): what each model would earn and cost alone.

    Parameters
    ----------
    test : Rows
    heads : array (n_tasks,)
        Rows of first steps.
    reward : callable
    """
    assert test.steps is not None
    rows, begins = taken_in_order(test.steps, heads)
    quality, cost_usd = test.quality[rows], np.add.reduceat(test.cost_usd[rows], begins[:-1], axis=0)
    worth = [[earned(reward, scores) for scores in quality[begin:end].T] for begin, end in pairwise(begins)]
    first = test.take(heads)
    return replace(first, quality=np.array(worth), cost_usd=cost_usd, steps=None)


def in_time(
    scenario: Scenario, rows: IntArray, n_arrivals: int, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """Return rows (n_queries,) in the order of their arrival, and the times of arrival (n_arrivals,).

    Where rows are turns of sessions and the arrivals know of sessions, these begin in the order in which they come
    first among the rows, and their turns follow in the order of the workload, whatever the order of arrival says of
    them. Elsewhere rows stay as they are.

    Parameters
    ----------
    scenario : Scenario
    rows : array (n_queries,)
        In the scenario's order; of tasks, with their steps.
    n_arrivals : int
        How many arrive of themselves: queries, or tasks.
    rng : Generator
    """
    test, traits = scenario.workload.test, ArrivalsTraits.of(scenario.arrivals)
    if traits.times_of_rows is not None:
        return rows, traits.times_of_rows(rows)
    turn_times_s = traits.turn_times_s
    if turn_times_s is None or test.session is None or test.steps is not None:
        return rows, scenario.arrivals.times_s(n_arrivals, rng)
    _, first, inverse = np.unique(test.session[rows], return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(first))[inverse]  # of each row's session, in the order in which they come
    turns = np.lexsort((rows, number))
    times_s = turn_times_s(number[turns], rng)
    by_time = np.argsort(times_s, kind="stable")
    return rows[turns][by_time], times_s[by_time]


def check_named(rows: IntArray, scenario: Scenario) -> IntArray:
    """Return the rows that an order names; raise ValueError if there is no such row, or another number is asked for."""
    available = len(scenario.workload.test)
    if rows.max() >= available:
        raise ValueError(
            f"the order has row {rows.max()}, and the workload has {available} test queries, from row 0 on"
        )
    steps = scenario.workload.test.steps
    if steps is not None:
        rows = rows[steps.step[rows] == 1]  # what follows comes of itself
    if scenario.n_queries not in (None, len(rows)):
        raise ValueError(
            f"n_queries is {scenario.n_queries}, and the order has {len(rows)} queries; leave n_queries out"
        )
    return rows


def mean_steps(history: Rows) -> float:
    """Return how many rows a task of the history has on average."""
    assert history.steps is not None  # or there would be no tasks
    return len(history) / len(np.unique(history.steps.task.astype(str)))
