"""What of tasks a policy must not have seen by a moment: steps that have not come, how many will, and what they earn.

Queries are numbered in order of arrival, and the arrays of a world are in order of its tasks; this module brings the
two together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.instance import stream
from sim.interface import BoolArray, FloatArray, IntArray
from sim.study.contract.worlds import GRID_PER_S, World, taken

MOST_MORE = 5  # steps by which a task that goes on may be longer than it is so far


def by_place(world: World, requests: pd.DataFrame, marks: BoolArray, elsewhere: bool = False) -> BoolArray:
    """Return marks of queries (n_queries, n_deployments) by row of the world (n_rows, n_deployments).

    Rows of steps that never came get ``elsewhere``.
    """
    if world.instance.tasks is None:
        return marks
    of_rows = np.full((len(world.instance.rows), marks.shape[1]), elsewhere)
    of_rows[requests["row"].to_numpy()] = marks
    return of_rows


def unearned(requests: pd.DataFrame, moment_s: float) -> BoolArray:
    """Mark the queries (n_queries,) whose task has not ended by a moment, so that no score is known; none without."""
    if requests["task"].isna().all():
        return np.zeros(len(requests), dtype=np.bool_)
    return np.asarray(requests.groupby("task")["ended_at_s"].transform("max") > moment_s)


def with_other_tasks(world: World, requests: pd.DataFrame, moment_s: float) -> World:
    """Let other steps follow after a moment, more of them or fewer, and other tasks begin at other times.

    What has arrived stays, with its random numbers, and so does how long tools take for what comes next. A task that
    has ended stays as it is; the last one begins when it did.
    """
    instance, rng = world.instance, stream(*world.instance.seeds, "other tasks")
    tasks = instance.tasks
    assert tasks is not None
    arrived_at_s, ended_at_s = requests["arrived_at_s"].to_numpy(), requests["ended_at_s"].to_numpy()
    task, n = requests["task"].to_numpy(dtype=np.int64), len(tasks)
    so_far = np.bincount(task[arrived_at_s <= moment_s], minlength=n)
    answered = np.bincount(task[ended_at_s <= moment_s], minlength=n)
    end_s = np.full(n, np.inf)
    end_s[task] = requests.groupby("task")["ended_at_s"].transform("max")
    old_sizes = np.diff(tasks.begins)
    least = np.maximum(so_far, 1) + ((answered == so_far) & (so_far > 0))  # a step that was answered has a next one
    sizes = np.where(end_s <= moment_s, old_sizes, least + rng.integers(0, MOST_MORE, n))
    begins = np.concatenate([[0], np.cumsum(sizes)])
    of = np.repeat(np.arange(n), sizes)
    within = np.arange(len(of)) - begins[of]
    stays = (within < so_far[of]) | (end_s <= moment_s)[of]
    old = tasks.begins[:-1][of] + within
    source = np.where(stays, old, rng.integers(0, len(instance.rows), len(of)))
    is_next = (within == so_far[of]) & (within < old_sizes[of]) & ~stays
    tool_s = tasks.steps.tool_s[source]
    tool_s[is_next] = tasks.steps.tool_s[old[is_next]]

    def drawn(array: npt.NDArray[np.float64] | None) -> FloatArray | None:
        return None if array is None else array[source]

    later = replace(
        instance,
        draws=tuple(drawn(array) for array in instance.draws),
        patience_s=tuple(drawn(array) for array in instance.patience_s),
        gaps_s=other_gaps_s(instance.gaps_s, so_far > 0, moment_s, rng),
    )
    other = taken(World(later, world.estimates), source)
    assert other.instance.tasks is not None
    steps = replace(other.instance.tasks.steps, tool_s=tool_s)
    return World(
        replace(other.instance, tasks=replace(other.instance.tasks, begins=begins, steps=steps)), other.estimates
    )


def other_gaps_s(gaps_s: FloatArray, has_begun: BoolArray, moment_s: float, rng: np.random.Generator) -> FloatArray:
    """Return gaps (n_tasks,) on the grid, with which tasks that have not begun do so at other times but the last."""
    times: IntArray = np.round(np.cumsum(gaps_s) * GRID_PER_S).astype(np.int64)
    first = int(np.argmin(has_begun)) if not has_begun.all() else len(times)
    if first < len(times):
        begin = min(int(moment_s * GRID_PER_S) + 1, times[-1])
        times[first:-1] = np.sort(rng.integers(begin, times[-1], len(times) - 1 - first, endpoint=True))
    return np.diff(times, prepend=0) / GRID_PER_S
