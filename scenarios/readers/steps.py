"""Reads which step of which task each row of a table is. It knows columns, and no split.

The columns are ``task`` (a name) and ``step`` (1, 2, 3 and so on). Optional are ``tool_s`` (seconds from the answer to
the step before to this step), ``cached_tokens`` (of the input, what a model that answered the step before still holds)
and, for each model m or for some, ``m|cached_cost`` (USD of the step at such a model).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scenarios.readers.cells import numbers, of, whole_numbers
from sim.errors import note
from sim.interface import FloatArray, IntArray
from sim.workload.tasks import Steps, check_steps, in_order

CACHED_COST = "cached_cost"
TASK_COLUMNS = ("task", "step")


def has_tasks(frame: pd.DataFrame) -> bool:
    """Return whether rows are steps of tasks; note a column that means it and lacks the other."""
    has = [column in frame.columns for column in TASK_COLUMNS]
    if any(has) and not all(has):
        there, missing = TASK_COLUMNS if has[0] else TASK_COLUMNS[::-1]
        note(f"column {there!r} is not read without a column {missing!r}, as tasks need both{of(frame)}")
    return all(has)


def read_steps(frame: pd.DataFrame, names: Sequence[str], input_tokens: IntArray, cost_usd: FloatArray) -> Steps | None:
    """Return the steps of all rows; None for a table without tasks.

    Without ``cached_tokens``, a model still holds the whole input of the step before. Without ``m|cached_cost``, the
    model charges what it holds like the rest, unless its deployment has prices of its own.

    Parameters
    ----------
    frame : DataFrame
    names : sequence of str
        The models.
    input_tokens : array (n_rows,)
    cost_usd : array (n_rows, n_models)

    Raises
    ------
    ValueError
        If a task has a step twice or not at all, or a number cannot be.
    """
    if not has_tasks(frame):
        return None
    task, step = frame["task"].astype(str).to_numpy(dtype=object), whole_numbers(frame, "step")
    tool_s = numbers(frame, "tool_s") if "tool_s" in frame.columns else np.zeros(len(frame))
    held = before(task, step, input_tokens)
    if "cached_tokens" in frame.columns:
        held = whole_numbers(frame, "cached_tokens")
    cached_usd = cost_usd.copy()
    for k, name in enumerate(names):
        column = f"{name}|{CACHED_COST}"
        if column in frame.columns:
            cached_usd[:, k] = np.where(step > 1, numbers(frame, column), cost_usd[:, k])
    steps = Steps(task, step, tool_s, np.where(step > 1, held, 0), cached_usd)
    check_steps(steps, input_tokens, cost_usd, names, lambda row: f"row {row} of the table{of(frame)}")
    return steps


def before(task: np.ndarray[tuple[int, ...], np.dtype[np.object_]], step: IntArray, tokens: IntArray) -> IntArray:
    """Return the tokens of the step before (n_rows,), at most those of the row itself; 0 in a first step."""
    rows, _ = in_order(task, step)
    earlier = np.zeros_like(tokens)
    earlier[rows[1:]] = np.minimum(tokens[rows[:-1]], tokens[rows[1:]])
    return np.where(step > 1, earlier, 0)
