"""Checks that a task table and the request table of the same run agree: no step is lost, and none comes too early.

Like all checks of a record it looks at the tables alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.interface import TOLERANCE
from sim.study.metrics.counting import ended_at_s, is_served, numbers

CLOCK_ROUNDING = 1e-12  # of a time, relative to the last


def check_tasks(requests: pd.DataFrame, tasks: pd.DataFrame) -> None:
    """Raise RuntimeError unless tasks are the sums of their steps, which follow each other, and end as they ended.

    Every step but the last was served, and no step arrived before the one before had ended. A task is done if its last
    step was served and nothing else ended it; what it earned stands at that step, and every other step earned nothing.
    """
    task, step = numbers(requests, "task").astype(np.int64), numbers(requests, "step").astype(np.int64)
    blame(tasks, tasks["task"].to_numpy() != np.arange(len(tasks)), "is in the task table twice, or out of order")
    blame(tasks, (tasks["fate"].isna() | (tasks["fate"] == "pending")).to_numpy(dtype=np.bool_), "has no fate")
    counted = np.bincount(task, minlength=len(tasks))
    blame(tasks, counted != tasks["steps"].to_numpy(), "has another number of steps than arrived")
    order = np.lexsort((step, task))
    of, number = task[order], step[order]
    is_first = np.diff(of, prepend=-1) != 0
    expected = np.arange(len(of)) - np.maximum.accumulate(np.where(is_first, np.arange(len(of)), 0)) + 1
    blame_step(tasks, of, number != expected, "has a step twice, or one is missing")
    ended, arrived = ended_at_s(requests)[order], numbers(requests, "arrived_at_s")[order]
    served, earned = is_served(requests)[order], numbers(requests, "quality")[order]
    slack_s = CLOCK_ROUNDING * float(np.abs(ended).max())
    later, is_last = np.flatnonzero(~is_first), np.append(is_first[1:], True)
    blame_step(tasks, of[later], ~served[later - 1], "went on after a step that was lost")
    blame_step(tasks, of[later], arrived[later] < ended[later - 1] - slack_s, "went on before a step had ended")
    failed = (tasks["fate"] == "failed").to_numpy(dtype=np.bool_)
    blame(tasks, failed == served[is_last], "failed without a lost step, or lost one and did not fail")
    for column in ("cost_usd", "quality"):
        sums = np.bincount(task, weights=numbers(requests, column), minlength=len(tasks))
        differs = np.abs(sums - numbers(tasks, column)) > TOLERANCE * np.maximum(sums, 1)
        blame(tasks, differs, f"has another {column} than its steps")
    blame_step(tasks, of, ~is_last & (earned != 0), "earned something before its end")
    blame(tasks, numbers(tasks, "ended_at_s") < ended[is_last] - slack_s, "ended before its last step")


def blame(tasks: pd.DataFrame, wrong: npt.NDArray[np.bool_], what: str) -> None:
    """Raise RuntimeError naming the first task that is wrong."""
    if wrong.any():
        row = tasks.iloc[int(wrong.argmax())]
        facts = f"fate {row['fate']}, {row['steps']} steps"
        raise RuntimeError(f"the task table is wrong: task {row['task']} {what} ({facts})")


def blame_step(tasks: pd.DataFrame, task: npt.NDArray[np.int64], wrong: npt.NDArray[np.bool_], what: str) -> None:
    """Raise RuntimeError naming the task of the first step that is wrong."""
    if wrong.any():
        blame(tasks, np.arange(len(tasks)) == task[int(wrong.argmax())], what)
