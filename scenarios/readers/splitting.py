"""Splits a table into history and test rows: as it says itself, or at random. Tasks stay whole."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenarios.readers.cells import of
from scenarios.readers.steps import TASK_COLUMNS
from sim.interface import BoolArray, IntArray
from sim.workload.tasks import numbered


def is_history(frame: pd.DataFrame) -> BoolArray:
    """Return which rows (n_rows,) the table itself calls history; none in a table without ``split``."""
    if "split" not in frame.columns:
        return np.zeros(len(frame), dtype=np.bool_)
    return np.asarray(frame["split"].to_numpy(dtype=object).astype(str) == "history")


def split(
    frame: pd.DataFrame, n_queries: int | None, n_history: int | None, split_seed: int, is_estimated: bool = False
) -> tuple[IntArray, IntArray]:
    """Return the row numbers of history and test.

    Parameters
    ----------
    frame : DataFrame
    n_queries, n_history : int or None
        How many rows of each to keep, or tasks where it has tasks; None for all.
    split_seed : int
        Of the draw, where the table does not say which is which.
    is_estimated : bool
        Whether the table brings estimates of its own. Then it may have no history, and without ``split`` all of its
        rows are test, in their order.

    Raises
    ------
    ValueError
        If a value of the column ``split`` is neither, one part is empty or too small, or a task is in both.
    """
    are_tasks = set(TASK_COLUMNS) <= set(frame.columns)
    units = numbered(frame["task"].to_numpy(dtype=object)) if are_tasks else np.arange(len(frame))
    n, what = int(units.max(initial=-1)) + 1, "tasks" if are_tasks else "rows"
    if "split" in frame.columns:
        values = frame["split"].to_numpy(dtype=object)
        bad = ~np.isin(values.astype(str), ("history", "test"))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(
                f"split is {values[row]!r} in row {row} of the table; it must be 'history' or 'test'{of(frame)}"
            )
        parts = {name: distinct(units[values == name]) for name in ("history", "test")}
        both = np.intersect1d(parts["history"], parts["test"])
        if len(both):
            task = frame["task"].iloc[int(np.argmax(units == both[0]))]
            raise ValueError(f"task {task!r} has steps in the history and in the test; it must be in one{of(frame)}")
        history, test = parts["history"], parts["test"]
    elif is_estimated:
        test, history = np.arange(n), np.arange(0)
    else:
        if n_queries is None:
            raise ValueError(
                f"the table has no 'split' column: say how many {what} to draw as test, workload.n_queries=N"
            )
        if not 1 <= n_queries < n:
            raise ValueError(f"workload.n_queries is {n_queries}; it must be from 1 to {n - 1} in this table")
        shuffled = np.random.default_rng(split_seed).permutation(n)
        test, history = shuffled[:n_queries], np.sort(shuffled[n_queries:])
    for name, part in (("history", history), ("test", test)):
        if not len(part) and not (is_estimated and name == "history"):
            raise ValueError(f"the table has no {name} rows; at least one must have split '{name}'{of(frame)}")
    return (
        rows_of(units, first(history, n_history, "n_history", what)) if len(history) else history.astype(np.int64),
        rows_of(units, first(test, n_queries, "n_queries", what)),
    )


def distinct(units: IntArray) -> IntArray:
    """Return each number once, in the order in which they appear."""
    return units[np.sort(np.unique(units, return_index=True)[1])]


def rows_of(units: IntArray, chosen: IntArray) -> IntArray:
    """Return the rows whose number in ``units`` (n_rows,) is among the chosen, in the order of those."""
    place = np.full(int(units.max()) + 1, -1)
    place[chosen] = np.arange(len(chosen))
    rows = np.flatnonzero(place[units] >= 0)
    return rows[np.argsort(place[units[rows]], kind="stable")]


def first(units: IntArray, n: int | None, name: str, what: str) -> IntArray:
    """Return the first n, all without n; raise ValueError if there are fewer."""
    if n is not None and not 1 <= n <= len(units):
        raise ValueError(f"workload.{name} is {n}; it must be from 1 to {len(units)}, the {what} that the table has")
    return units[:n]
