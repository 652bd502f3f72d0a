"""Selects the rows of a workload that a replication has: which arrive, and which the history keeps.

It knows no fleet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.errors import unknown
from sim.interface import IntArray
from sim.scenario import Scenario
from sim.traits import OrderTraits
from sim.workload import Rows


def unseen_topics(scenario: Scenario) -> tuple[str, ...]:
    """Return the topics that the history lacks: the scenario's, and those of an order that brings unseen ones."""
    return (*scenario.unseen, *OrderTraits.of(scenario.order).unseen)


def seen(history: Rows, unseen: Sequence[str]) -> Rows:
    """Return the history without some topics; raise ValueError for one that it does not have, or if nothing is left."""
    if not unseen:
        return history
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
    return history.take(keep)


def arriving_rows(scenario: Scenario, replication: int, rng: np.random.Generator) -> IntArray:
    """Return which test rows arrive, before they are put in order.

    All, a random subset, draws with replacement (all alike, or by a law of the order), or those that the order names.
    """
    available = len(scenario.workload.test)
    order = OrderTraits.of(scenario.order)
    if order.arriving is not None:
        return check_named(order.arriving(replication), scenario)
    n_queries = scenario.n_queries or available
    if order.drawn is not None:
        return order.drawn(available, n_queries, rng)
    if order.with_replacement:
        return rng.integers(available, size=n_queries)
    if n_queries > available:
        raise ValueError(
            f"n_queries is {n_queries}, and the workload has {available} test queries; "
            "take at most that many, or order=resampled, which draws with replacement"
        )
    if n_queries == available:
        return np.arange(available)
    return np.sort(rng.choice(available, n_queries, replace=False))


def check_named(rows: IntArray, scenario: Scenario) -> IntArray:
    """Return the rows that an order names; raise ValueError if there is no such row, or another number is asked for."""
    available = len(scenario.workload.test)
    if rows.max() >= available:
        raise ValueError(
            f"the order has row {rows.max()}, and the workload has {available} test queries, from row 0 on"
        )
    if scenario.n_queries not in (None, len(rows)):
        raise ValueError(
            f"n_queries is {scenario.n_queries}, and the order has {len(rows)} queries; leave n_queries out"
        )
    return rows
