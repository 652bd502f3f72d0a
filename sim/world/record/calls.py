"""Holds the call table of one run whose queries may take several calls: a row per call, in the order of asking.

It knows what happened, and not why. A run in which every query takes one call has no such table: its request table says
it all.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pandas as pd

from sim.instance import Instance
from sim.world.record.frames import of_tries
from sim.world.record.requests import SERVED, RequestTable
from sim.world.record.tasks import TaskTable

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)

NONE = -1  # of calls

CALL_COLUMNS = {
    "id": "int64",
    "query": "int64",
    "round": "int32",
    "place": "int32",
    "deployment": "category",
    "fate": "category",
    "kept": "bool",
    "decided_at_s": "float64",
    "offered_at_s": "float64",
    "started_at_s": "float64",
    "first_token_at_s": "float64",
    "finished_at_s": "float64",
    "ended_at_s": "float64",
    "preempted_s": "float64",
    "attempts": "int32",
    "cost_usd": "float64",
    "input_tokens": "int64",
    "cached_tokens": "int64",
    "output_tokens": "Int64",
    "max_output_tokens": "Int64",
    "energy_j": "float64",
}
"""The columns of the call table as a DataFrame, in order, with their pandas types."""


class CallTable(RequestTable):
    """The call table of a run while it goes on; columns are as in a request table, and grow.

    Parameters
    ----------
    room : int
        How many calls it holds before it grows.

    Attributes
    ----------
    size : int
        How many rows count; the rest is room.
    query, round, place : int arrays
        The query that each call is for; its round, from 0; its place in the round, from 0.
    row : int array
        The test row of each call so far.
    kept : int array
        1 where the answer was handed to the user, alone or in a combination.
    """

    def __init__(self, room: int) -> None:
        super().__init__(np.full(room, np.nan), np.array([], dtype=np.int64))
        self.size = 0
        self.query = array("q", [0]) * room
        self.round = array("i", [0]) * room
        self.place = array("i", [0]) * room
        self.kept = array("b", [False]) * room

    def add(self, query: int, row: int, round_: int, place: int, now_s: float) -> int:
        """Add a call that is made now; return its number."""
        number = self.size
        if number == len(self.query):
            self._grow()
        self.size = number + 1
        self.query[number] = query
        self.row.append(row)
        if round_:
            self.round[number] = round_
        if place:
            self.place[number] = place
        self.decided_at_s[number] = now_s
        return number

    def _grow(self) -> None:
        """Double the room: to add a fixed number of rows would copy a long table many times."""
        n = len(self.query)
        for name, blank in vars(CallTable(1)).items():  # ``vars`` of the table itself would slow it down
            if isinstance(blank, array):
                getattr(self, name).extend(blank * n)


class Column(Protocol[Item_co]):
    """Something that has an item for each number."""

    def __getitem__(self, number: int, /) -> Item_co:
        """Return the item of a number."""
        ...


class Through(Generic[Item]):
    """A column that is read through another, which says where in it each number stands.

    Parameters
    ----------
    column : Column
    place : sequence of int
        It may grow.
    """

    def __init__(self, column: Column[Item], place: Sequence[int]) -> None:
        self._column = column
        self._place = place

    def __getitem__(self, number: int) -> Item:
        return self._column[self._place[number]]


def columns_of(
    instance: Instance, tasks: TaskTable | None, calls: CallTable | None
) -> tuple[Sequence[Column[Any] | None], Sequence[Column[float] | None]]:
    """Return numbers of services and patience, for each deployment.

    They are read by the number of a query, or, where there are calls, by that of a call. In an instance they stand by
    place among its rows, which is where a query that stands for itself has its number.
    """
    draws: Sequence[Column[Any] | None] = instance.draws
    patience_s: Sequence[Column[float] | None] = instance.patience_s
    for place in (None if tasks is None else tasks.place, None if calls is None else calls.query):
        if place is not None:
            draws = [None if column is None else Through(column, place) for column in draws]
            patience_s = [None if column is None else Through(column, place) for column in patience_s]
    return draws, patience_s


def speak_of(calls: CallTable, speaks_of: Sequence[int], table: RequestTable) -> None:
    """Let the row of each query speak of one of its calls, at the end of a run.

    Parameters
    ----------
    calls : CallTable
    speaks_of : sequence of int
        For each query the call that was kept, or the last one if none was answered; ``NONE`` without a call.
    table : RequestTable
        Gets what it says.
    """
    call = np.asarray(speaks_of)
    query = np.flatnonzero(call != NONE)
    call, served = call[query], np.asarray(table.fate)[query] == SERVED
    offered_at_s, decided_at_s = np.asarray(calls.offered_at_s)[call], np.asarray(calls.decided_at_s)[call]
    np.asarray(table.offered_at_s)[query] = np.where(np.isnan(offered_at_s), decided_at_s, offered_at_s)
    np.asarray(table.cached_tokens)[query] = np.asarray(calls.cached_tokens)[call]
    np.asarray(table.attempts)[query] = np.asarray(calls.attempts)[call]
    np.asarray(table.deployment)[query] = np.asarray(calls.deployment)[call]
    of_call = dict(zip(call.tolist(), query.tolist(), strict=True)) if calls.caps else {}
    table.caps = {of_call[number]: cap for number, cap in calls.caps.items() if number in of_call}
    stops = calls.preempted_s
    table.preempted_s = {
        number: stops[of] for of, number in zip(call.tolist(), query.tolist(), strict=True) if of in stops
    }
    kept, query = call[served], query[served]
    np.asarray(table.started_at_s)[query] = np.asarray(calls.started_at_s)[kept]
    np.asarray(table.first_token_at_s)[query] = np.asarray(table.finished_at_s)[query]


def call_frame(calls: CallTable, instance: Instance) -> pd.DataFrame:
    """Return the call table as a DataFrame with ``CALL_COLUMNS``, the truth of what was answered looked up.

    A call without an answer has cost 0 and neither output tokens nor energy. Of a call that was tried several times,
    the row speaks of the last try.
    """
    n = calls.size
    query = np.asarray(calls.query, dtype=np.int64)[:n]
    columns = of_tries(calls, n, instance) | {
        "id": np.arange(n),
        "query": query,
        "round": np.asarray(calls.round)[:n],
        "place": np.asarray(calls.place)[:n],
        "kept": np.asarray(calls.kept, dtype=np.bool_)[:n],
    }
    return pd.DataFrame({name: columns[name] for name in CALL_COLUMNS})
