"""Orders queries by topic, which is the workload's ``source``. It knows nothing of cost or quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenarios.orders.ranked import ascending
from sim.errors import check_number, unknown
from sim.interface import FloatArray, IntArray
from sim.scenario import exact_share
from sim.workload import Rows


def topics(rows: Rows) -> tuple[list[str], IntArray]:
    """Return the topics' names in alphabetical order and each row's topic number (n,).

    Raises
    ------
    ValueError
        If the rows have no topics.
    """
    if rows.source is None:
        raise ValueError("this order goes by topic, and the workload has no topics: add the column 'source'")
    names, number = np.unique(rows.source.astype(str), return_inverse=True)
    return names.tolist(), number


def topic_blocks(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Bring one topic after another, topics in random order and their queries too."""
    names, topic = topics(rows)
    return ascending(rng.permutation(len(names))[topic].astype(np.float64), rng.permutation(len(rows)))


@dataclass(frozen=True)
class Drift:
    """The mixture of two groups of topics shifts linearly from the first place to the last.

    With b the late group's share of all queries, its share at place u of [0, 1] is

        s(u) = b + strength min(b, 1 - b) (2 u - 1),

    in expectation: each late query draws its place from the density s(u) / b, each other one from (1 - s(u)) / (1 - b),
    and the queries come in the order of their draws. The two densities mix to the uniform one, so s is exact.

    Parameters
    ----------
    late : sequence of str or None
        The topics of the late group; None for half of them (rounded down), drawn anew in each replication.
    strength : float
        From 0, a random permutation, to 1, where the smaller group's share at one end is 0.

    Raises
    ------
    ValueError
        If the strength is out of range. From the call, if the workload has no topics, fewer than two, or not those that
        are named, or if all of them are late.
    """

    late: Sequence[str] | None = None
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Check the strength."""
        check_number("strength", self.strength, least=0, most=1)

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the row numbers (n_queries,)."""
        names, topic = topics(rows)
        if len(names) < 2:
            raise ValueError(
                f"only the topic {names[0]!r} arrives; order=drift needs two or more, so draw more queries (n_queries)"
            )
        late = rng.permutation(names)[: len(names) // 2].tolist() if self.late is None else list(self.late)
        for name in late:
            if name not in names:
                raise ValueError(unknown("topic", name, names))
        is_late = np.isin(names, late)[topic]
        share = float(is_late.mean())
        if share in (0, 1):
            raise ValueError(f"late names {len(late)} of {len(names)} topics; name some of them, and not all")
        shift = self.strength * min(share, 1 - share)
        slope = np.where(is_late, shift / share, -shift / (1 - share))
        return np.argsort(tilted(slope, 1 - rng.random(len(rows))), kind="stable")


def tilted(slope: FloatArray, uniform: FloatArray) -> FloatArray:
    """Turn uniform draws from (0, 1] into draws from the densities 1 + slope (2 u - 1) on [0, 1], slopes from -1 to 1.

    The distribution function slope u^2 + (1 - slope) u is inverted, in the form that does not divide by the slope.
    """
    draws: FloatArray = 2 * uniform / (1 - slope + np.sqrt((1 - slope) ** 2 + 4 * slope * uniform))
    return draws


@dataclass(frozen=True)
class LateTopic:
    """A topic that the history does not have arrives late.

    The other queries are shuffled. The topic's come uniformly at random among the places after the first
    ceil(after x n_others) of them.

    Parameters
    ----------
    topic : str
        It must have a name beforehand, because the history is made without it (``unseen``).
    after : float
        Share of the other queries, in [0, 1], that come before the topic's first at least.

    Raises
    ------
    ValueError
        If ``after`` is out of range. From the call, if the workload has no topics, or not this one.
    """

    topic: str
    after: float = 0.5

    def __post_init__(self) -> None:
        """Check the share."""
        check_number("after", self.after, least=0, most=1)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The topics that the history must not have."""
        return (self.topic,)

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the row numbers (n_queries,)."""
        names, topic = topics(rows)
        if self.topic not in names:
            raise ValueError(unknown("topic", self.topic, names))
        is_late = topic == names.index(self.topic)
        others = rng.permutation(np.flatnonzero(~is_late))
        n_before = math.ceil(exact_share(self.after) * len(others))
        mixed = np.concatenate([others[n_before:], np.flatnonzero(is_late)])
        return np.concatenate([others[:n_before], rng.permutation(mixed)])
