"""Holds the request table of one run, a row per arrival, and says which columns and fates it has.

It knows what happened, and not why.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.instance import Instance
from sim.interface import FloatArray, IntArray
from sim.world.record.happenings import Change
from sim.world.record.limits import LimitTable
from sim.world.record.replicas import ReplicaLog
from sim.world.record.tasks import TaskTable

if TYPE_CHECKING:
    from sim.world.record.calls import CallTable

FATES = (
    "pending",
    "served",
    "declined",  # by the policy
    "exhausted",  # no budget
    "rejected",  # no room to wait
    "too_long",  # for the context
    "abandoned",  # left the queue
    "timed_out",
    "failed",  # the deployment was or went down
    "cached",  # answered by a cache
)
PENDING, SERVED, DECLINED, EXHAUSTED, REJECTED, TOO_LONG, ABANDONED, TIMED_OUT, FAILED, CACHED = range(len(FATES))
NOWHERE = -1

COLUMNS = {
    "id": "int64",
    "row": "int64",
    "source": "category",
    "class": "category",
    "tenant": "category",
    "due_s": "float64",
    "session": "Int64",
    "task": "Int64",
    "step": "Int64",
    "arrived_at_s": "float64",
    "deployment": "category",
    "fate": "category",
    "decided_at_s": "float64",
    "offered_at_s": "float64",
    "started_at_s": "float64",
    "first_token_at_s": "float64",
    "finished_at_s": "float64",
    "ended_at_s": "float64",
    "preempted_s": "float64",
    "attempts": "int32",
    "calls": "int32",
    "explored": "bool",
    "quality": "float64",
    "cost_usd": "float64",
    "input_tokens": "int64",
    "cached_tokens": "int64",
    "prefix_blocks": "Int64",
    "hit_blocks": "Int64",
    "output_tokens": "Int64",
    "max_output_tokens": "Int64",
    "energy_j": "float64",
    "answer_of": "Int64",
    "saved_usd": "float64",
    "saved_s": "float64",
}
"""The columns of the request table as a DataFrame, in order, with their pandas types."""


class RequestTable:
    """The request table of a run while it goes on: columns of length n_queries, filled in as things happen.

    Where queries are steps of tasks there is room for all that may arrive, and only as many count as have a row.

    Parameters
    ----------
    arrived_at_s : array (n_queries,)
    rows : array (n_so_far,)
        See ``row``.

    Attributes
    ----------
    decided_at_s : double array
        The time of arrival, unless the query was gathered into a batch.
    offered_at_s : double array
        When its last try began; NaN if that was its first, which begins with the decision.
    started_at_s, first_token_at_s, finished_at_s : double arrays
        Of the last try; NaN until it happens.
    ended_at_s : double array
        When a query that was taken on and lost was lost in its last try; NaN for every other.
    attempts : int array
        How often the query was tried, less those tries that only waited for a budget.
    row : int array
        The test row of each query so far.
    cached_tokens : int array
        Of its input, what the deployment of its last try held: of the step before, or in its prefix cache.
    cost_usd : double array
        What its last try costs or would have cost; NaN where that is what the instance says.
    deployment : int array
        The one that served the query, or the first choice if none did; ``NOWHERE`` if the policy declined.
    replicas : list of ReplicaLog
        For each deployment, how its replicas changed.
    openings : list of list of (float, float)
        For each deployment: from each time on, for how many replicas rent was paid.
    replica_seconds, overshoot, overshoot_share : list of float
        For each deployment, at the end of the run's clock: the time that replicas were paid for, summed over them, and
        the most by which the budget was exceeded, in its unit and as a share of it.
    explored : int array
        1 where the policy said that it explored.
    fate : int array
        Index into ``FATES``; no query of a finished run is ``pending``.
    tasks : TaskTable or None
        Of the same run; None where each query stands for itself.
    calls : CallTable or None
        Of the same run; None where each query takes one call.
    quality : dict of int to float
        Quality of the queries, by number, whose user got something else than the answer of one deployment.
    answer_of : dict of int to int
        Of the queries that a cache answered, by number: the query whose answer they got, which was served.
    scores : dict of int to float
        What answers are worth, by number, where events change that; elsewhere it is what the instance says.
    happened : list of list of Change
        What events did to each deployment, at the end.
    limits : LimitTable or None
        What became of limits, at the end; None without any.
    preempted_s : dict of int to float
        How long each query was stopped in its last try, by number, of those that were.
    caps : dict of int to int
        At how many output tokens the answer is cut, by number, of those whose decision said so.
    """

    # Standard-library arrays: as compact as NumPy's, and several times faster to write one element at a time.
    def __init__(self, arrived_at_s: FloatArray, rows: IntArray) -> None:
        n_queries = len(arrived_at_s)
        blank = array("d", [np.nan]) * n_queries
        self.arrived_at_s = array("d", arrived_at_s)
        self.decided_at_s = array("d", arrived_at_s)
        self.offered_at_s = blank[:]
        self.started_at_s = blank[:]
        self.first_token_at_s = blank[:]
        self.finished_at_s = blank[:]
        self.ended_at_s = blank
        self.attempts = array("i", [1]) * n_queries
        self.row = array("q", rows.astype(np.int64).tobytes())
        self.cached_tokens = array("q", [0]) * n_queries
        self.cost_usd = blank[:]
        self.deployment = array("i", [NOWHERE]) * n_queries
        self.explored = array("b", [False]) * n_queries
        self.fate = array("b", [PENDING]) * n_queries
        self.replicas: list[ReplicaLog] = []
        self.openings: list[list[tuple[float, float]]] = []
        self.replica_seconds: list[float] = []
        self.overshoot: list[float] = []
        self.overshoot_share: list[float] = []
        self.tasks: TaskTable | None = None
        self.calls: CallTable | None = None
        self.limits: LimitTable | None = None
        self.happened: list[list[Change]] = []
        self.quality: dict[int, float] = {}
        self.answer_of: dict[int, int] = {}
        self.scores: dict[int, float] = {}
        self.caps: dict[int, int] = {}
        self.preempted_s: dict[int, float] = {}

    def let_go(self) -> None:
        """Forget all columns but ``arrived_at_s``, once a frame has what it needs of them."""
        for name, column in vars(self).items():
            if isinstance(column, array) and name != "arrived_at_s":
                setattr(self, name, array(column.typecode))

    @property
    def beyond(self) -> str | None:
        """What the policy did that the optimum of whole single answers does not bound; None if nothing."""
        return "combines answers" if self.quality else "caps answers" if self.caps else None


def open_table(instance: Instance) -> RequestTable:
    """Return the table of a run that has not begun."""
    if instance.tasks is None:
        return RequestTable(np.cumsum(instance.gaps_s), instance.rows)
    table = RequestTable(np.full(len(instance.rows), np.nan), np.array([], dtype=np.int64))
    table.tasks = TaskTable(len(instance.tasks))
    return table


def replica_seconds(openings: Sequence[tuple[float, float]], begin_s: float, end_s: float) -> float:
    """Return the time from ``begin_s`` to ``end_s`` that replicas were paid for, summed over them.

    Parameters
    ----------
    openings : sequence of (float, float)
        In order of time: from each time on, how many replicas are paid for.
    begin_s, end_s : float

    Examples
    --------
    >>> replica_seconds([(0.0, 1), (10.0, 3), (20.0, 1)], 5.0, 25.0)  # 5 s of 1, 10 s of 3, 5 s of 1
    40.0
    """
    until_s = [*(time_s for time_s, _ in openings[1:]), math.inf]
    return math.fsum(
        number * max(0.0, min(later_s, end_s) - max(time_s, begin_s))
        for (time_s, number), later_s in zip(openings, until_s, strict=True)
    )
