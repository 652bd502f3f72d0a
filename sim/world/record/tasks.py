"""Holds what became of the tasks of one run, and says which columns and fates they have. It knows not why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sim.instance import Instance

TASK_FATES = (
    "pending",
    "done",
    "failed",  # a step was lost
    "late",  # for the deadline
)
PENDING, DONE, FAILED, LATE = range(len(TASK_FATES))

TASK_COLUMNS = {
    "task": "int64",
    "name": "category",
    "source": "category",
    "fate": "category",
    "arrived_at_s": "float64",
    "ended_at_s": "float64",
    "steps": "int32",
    "calls": "int32",
    "switches": "int32",
    "quality": "float64",
    "cost_usd": "float64",
    "input_tokens": "int64",
    "cached_tokens": "int64",
}
"""The columns of the task table as a DataFrame, in order, with their pandas types."""


class TaskTable:
    """The tasks of a run while it goes on.

    Attributes
    ----------
    place, task, step : list of int
        Of each query so far: which of the instance's rows it is, and which step, from 0, of which task.
    fate : list of int
        Of each task: index into ``TASK_FATES``; no task of a finished run is ``pending``.
    ended_at_s, quality : list of float
        Of each task: when it ended, and what it earned.
    """

    def __init__(self, n_tasks: int) -> None:
        self.place: list[int] = []
        self.task: list[int] = []
        self.step: list[int] = []
        self.fate = [PENDING] * n_tasks
        self.ended_at_s = [float("nan")] * n_tasks
        self.quality = [0.0] * n_tasks

    def add(self, place: int, task: int, step: int) -> None:
        """Take note of the next query."""
        self.place.append(place)
        self.task.append(task)
        self.step.append(step)


def task_frame(table: TaskTable, requests: pd.DataFrame, instance: Instance) -> pd.DataFrame:
    """Return the task table as a DataFrame with ``TASK_COLUMNS``, a row per task in order of arrival.

    Parameters
    ----------
    table : TaskTable
    requests : DataFrame
        The steps that arrived; a task is the sum of its steps.
    instance : Instance
    """
    assert instance.tasks is not None
    n, task = len(instance.tasks), np.asarray(table.task)
    by_step = requests.iloc[np.lexsort((np.array(table.step), task))]
    of = by_step["task"].to_numpy(dtype=np.int64)
    deployment = by_step["deployment"].cat.codes.to_numpy()
    served = (by_step["fate"] == "served").to_numpy(dtype=np.bool_)
    switched = (np.diff(of) == 0) & (np.diff(deployment) != 0) & served[1:]  # what follows was answered, so both were
    first = by_step.iloc[np.flatnonzero(np.diff(of, prepend=-1))]

    def sums(column: str) -> np.ndarray[Any, np.dtype[Any]]:
        return np.bincount(of, weights=by_step[column].to_numpy(dtype=np.float64), minlength=n)

    columns = {
        "task": np.arange(n),
        "name": pd.Categorical(pd.Series(instance.tasks.names).astype("string")),
        "source": first["source"].array,
        "fate": pd.Categorical.from_codes(table.fate, pd.Index(TASK_FATES)),
        "arrived_at_s": first["arrived_at_s"].to_numpy(),
        "ended_at_s": np.array(table.ended_at_s),
        "steps": np.bincount(of, minlength=n).astype(np.int32),
        "calls": sums("calls").astype(np.int32),
        "switches": np.bincount(of[1:][switched], minlength=n).astype(np.int32),
        "quality": np.array(table.quality),
        "cost_usd": sums("cost_usd"),
        "input_tokens": sums("input_tokens").astype(np.int64),
        "cached_tokens": sums("cached_tokens").astype(np.int64),
    }
    return pd.DataFrame({name: columns[name] for name in TASK_COLUMNS})
