"""Says which rows of a table are history and which are test. It knows no model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenarios.readers.cells import of
from sim.interface import BoolArray, IntArray


def is_history(frame: pd.DataFrame) -> BoolArray:
    """Return which rows (n_rows,) the table itself calls history; none in a table without ``split``."""
    if "split" not in frame.columns:
        return np.zeros(len(frame), dtype=np.bool_)
    return np.asarray(frame["split"].to_numpy(dtype=object).astype(str) == "history")


def split(
    frame: pd.DataFrame, n_queries: int | None, n_history: int | None, split_seed: int
) -> tuple[IntArray, IntArray]:
    """Return the row numbers of history and test."""
    if "split" in frame.columns:
        values = frame["split"].to_numpy(dtype=object)
        bad = ~np.isin(values.astype(str), ("history", "test"))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(
                f"split is {values[row]!r} in row {row} of the table; it must be 'history' or 'test'{of(frame)}"
            )
        history, test = np.flatnonzero(values == "history"), np.flatnonzero(values == "test")
    else:
        if n_queries is None:
            raise ValueError("the table has no 'split' column: say how many rows to draw as test, workload.n_queries=N")
        if not 1 <= n_queries < len(frame):
            raise ValueError(f"workload.n_queries is {n_queries}; it must be from 1 to {len(frame) - 1} in this table")
        shuffled = np.random.default_rng(split_seed).permutation(len(frame))
        test, history = shuffled[:n_queries], np.sort(shuffled[n_queries:])
    for name, rows in (("history", history), ("test", test)):
        if not len(rows):
            raise ValueError(f"the table has no {name} rows; at least one must have split '{name}'{of(frame)}")
    return first(history, n_history, "n_history"), first(test, n_queries, "n_queries")


def first(rows: IntArray, n: int | None, name: str) -> IntArray:
    """Return the first n rows, all without n; raise ValueError if there are fewer."""
    if n is not None and not 1 <= n <= len(rows):
        raise ValueError(f"workload.{name} is {n}; it must be from 1 to {len(rows)}, the rows that the table has")
    return rows[:n]
